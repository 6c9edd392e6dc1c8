"""Runs an example under its real server, asks it, and reads what is then on the stream."""

import asyncio
import contextlib
import http.client
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from barograph_core.keys import ShardKeys
from barograph_core.stream import Connection
from tests.integration.producer.reading import batches
from tests.support import free_port, wait_until

EXAMPLES = Path(__file__).parents[3] / "examples"


@dataclass(frozen=True)
class Server:
    """A running example.

    Attributes:
        stop: Ends it with SIGTERM and waits.
    """

    port: int
    process: "subprocess.Popen[bytes]"

    def ask(self, path: str, method: str = "GET") -> tuple[int, bytes]:
        """Send one request; status 0 when nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.read()
        except OSError:
            return 0, b""
        finally:
            connection.close()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)


@contextlib.contextmanager
def serving(module: str, url: str, keys: ShardKeys, *options: str) -> Generator[Server]:
    """Run ``module`` of the examples: ASGI under uvicorn, WSGI under gunicorn."""
    port = free_port()
    is_wsgi = module in ("flask_app", "django_wsgi_app")
    command = ["gunicorn", f"{module}:app", "--bind", f"127.0.0.1:{port}", "--log-level", "critical"]
    if not is_wsgi:
        command = ["uvicorn", f"{module}:app", "--port", str(port), "--log-level", "critical"]
    process = subprocess.Popen(
        [sys.executable, "-m", *command, *options],
        cwd=EXAMPLES,
        env={**os.environ, "BAROGRAPH_URL": url, "BAROGRAPH_PREFIX": keys.prefix},
        stderr=subprocess.DEVNULL,
    )
    server = Server(port, process)
    try:
        wait_until(lambda: server.ask("/health")[0] == 200, what=module)
        yield server
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        process.kill()
        process.wait(5)


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
