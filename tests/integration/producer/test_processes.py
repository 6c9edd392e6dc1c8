"""Producers in real processes: forks, exits, signals."""

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from barograph_core.keys import ShardKeys
from barograph_core.stream import Connection
from tests.integration.producer.reading import batches, durations, producers
from tests.support import free_port, wait_until

HOSTS = Path(__file__).parent / "hosts"
REPOSITORY = Path(__file__).parents[3]


def run_host(name: str, *arguments: str) -> None:
    subprocess.run([sys.executable, str(HOSTS / name), *arguments], check=True, timeout=60)


@contextmanager
def uvicorn(url: str, keys: ShardKeys, *options: str) -> Generator[tuple[subprocess.Popen[bytes], int]]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "tests.integration.producer.hosts.api:app"]
    process = subprocess.Popen(
        [*command, "--port", str(port), "--log-level", "warning", *options],
        cwd=REPOSITORY,
        env={**os.environ, "BAROGRAPH_URL": url, "PREFIX": keys.prefix},
    )
    try:
        wait_until(lambda: get(port, "/docs") == 200, what="uvicorn")
        yield process, port
    finally:
        process.kill()
        process.wait(10)


def get(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


@pytest.mark.parametrize("how", ["fork", "multiprocessing"])
def test_a_fork_sends_nothing_twice_and_loses_nothing(
    how: str, valkey_url: str, real: Connection, keys: ShardKeys
) -> None:
    """The child is an instance of its own; the parent's buffer stays the parent's."""
    run_host("forking.py", valkey_url, keys.prefix, how)
    assert sorted(durations(real, keys)) == [float(i) for i in range(150)]
    assert len({batch.instance for batch in batches(real, keys)}) == 2
    assert producers(real, keys) == 0


def test_a_process_of_a_moment_is_flushed_at_its_exit(valkey_url: str, real: Connection, keys: ShardKeys) -> None:
    run_host("short.py", valkey_url, keys.prefix)
    assert durations(real, keys) == [float(i) for i in range(40)]
    assert producers(real, keys) == 0


def test_sigterm_under_uvicorn_loses_nothing(valkey_url: str, real: Connection, keys: ShardKeys) -> None:
    """uvicorn does not run ``atexit`` on SIGTERM: the lifespan's end flushes and says goodbye."""
    with uvicorn(valkey_url, keys) as (process, port):
        wait_until(lambda: producers(real, keys) == 1, what="the first heartbeat")
        for i in range(40):
            assert get(port, f"/items/{i}") == 200
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    labels = {labels for batch in batches(real, keys) for labels in batch.labels}
    answered = [batch.labels[series] for batch in batches(real, keys) for series in batch.series.tolist()].count(
        ("/items/{item}", "GET")
    )
    assert answered == 40
    assert labels == {("/items/{item}", "GET"), ("/docs", "GET")}
    assert producers(real, keys) == 0
