"""Runs an example under its real server, asks it, and reads what is then on the stream."""

import asyncio
import contextlib
import sys
from collections import Counter
from collections.abc import Generator

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from tests.integration.producer.reading import batches
from tests.integration.web.hosting import EXAMPLES, Server, environment, running
from tests.support import free_port, wait_until


@contextlib.contextmanager
def serving(module: str, url: str, keys: ShardKeys, *options: str) -> Generator[Server]:
    """Run ``module`` of the examples: ASGI under uvicorn, WSGI under gunicorn."""
    port = free_port()
    is_wsgi = module in ("flask_app", "django_wsgi_app")
    command = ["gunicorn", f"{module}:app", "--bind", f"127.0.0.1:{port}", "--log-level", "critical"]
    if not is_wsgi:
        command = ["uvicorn", f"{module}:app", "--port", str(port), "--log-level", "critical"]
    with running([sys.executable, "-m", *command, *options], EXAMPLES, environment(url, keys)) as process:
        server = Server(port, process)
        wait_until(lambda: server.ask("/health")[0] == 200, what=module)
        yield server


def requests(real: Connection, keys: ShardKeys) -> Counter[tuple[str, str, int]]:
    """Return how often each route, method and status was asked for, as the stream tells it, weights included."""
    counted: Counter[tuple[str, str, int]] = Counter()
    for batch in batches(real, keys):
        if batch.kind.name == "request" and batch.status is not None:
            statuses = [int(status) for status in batch.status]
            for series in map(int, batch.expanded().series):
                route, method = batch.labels[series][:2]
                counted[route, method, statuses[series]] += 1
    return counted


def events(real: Connection, keys: ShardKeys, kind: str) -> int:
    return sum(batch.n for batch in batches(real, keys) if batch.kind.name == kind)


def leave_in_the_middle(port: int, path: str) -> None:
    """Ask, and hang up after the first byte of the answer."""

    async def exchange() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await reader.readexactly(1)
        writer.transport.abort()

    asyncio.run(exchange())
