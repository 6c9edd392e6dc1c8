"""Producers under the real uvicorn and gunicorn: workers, reloads, and what SIGTERM leaves on the stream."""

import http.client
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psutil

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_list, as_text
from tests.integration.producer.reading import batches, producers
from tests.support import ANSWER_S, free_port, wait_until

HOSTS = Path(__file__).parent / "hosts"


@contextmanager
def web_server(url: str, keys: ShardKeys, folder: Path, *command: str) -> Generator[subprocess.Popen[bytes]]:
    """Run ``python -m`` this command in ``folder``; kill all of it at the end if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", *command], cwd=folder, env={**os.environ, "BAROGRAPH_URL": url, "PREFIX": keys.prefix}
    )
    try:
        yield process
    finally:
        for child in children(process):
            child.kill()
        process.kill()
        process.wait(60)


def children(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return [] if process.poll() is not None else psutil.Process(process.pid).children(recursive=True)


def end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(20)


def get(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def answered(real: Connection, keys: ShardKeys) -> Counter[str]:
    """Return how many requests of each route lie on the stream."""
    routes: Counter[str] = Counter()
    for batch in batches(real, keys):
        series: list[int] = batch.series.tolist()
        routes.update(batch.labels[number][0] for number in series)
    return routes


def instances(real: Connection, keys: ShardKeys) -> set[str]:
    return {batch.instance for batch in batches(real, keys)}


def present(real: Connection, keys: ShardKeys) -> set[str]:
    """Return the instances that have not said goodbye."""
    return {as_text(name) for name in as_list(real.command("ZRANGE", keys.producers("ranker"), 0, -1))}


def uvicorn(port: int, *options: str) -> tuple[str, ...]:
    return ("uvicorn", "api:app", "--port", str(port), "--log-level", "warning", *options)


def test_sigterm_under_uvicorn_loses_nothing(valkey_url: str, real: Connection, keys: ShardKeys) -> None:
    """uvicorn does not run ``atexit`` on SIGTERM: the lifespan's end flushes and says goodbye."""
    port = free_port()
    with web_server(valkey_url, keys, HOSTS, *uvicorn(port)) as process:
        wait_until(lambda: producers(real, keys) == 1, what="the first heartbeat")
        wait_until(lambda: get(port, "/docs") == 200, what="uvicorn")
        for i in range(40):
            assert get(port, f"/items/{i}") == 200
        end(process)
    assert answered(real, keys) == {"/items/{item}": 40, "/docs": 1}
    assert producers(real, keys) == 0


def test_workers_of_uvicorn_are_instances_of_their_own(valkey_url: str, real: Connection, keys: ShardKeys) -> None:
    """Two workers, two instances, and nothing lost when the supervisor is told to end."""
    port = free_port()
    with web_server(valkey_url, keys, HOSTS, *uvicorn(port, "--workers", "2")) as process:
        wait_until(lambda: producers(real, keys) == 2, what="the heartbeats of both workers")
        wait_until(lambda: get(port, "/docs") == 200, what="uvicorn")
        for i in range(40):
            assert get(port, f"/items/{i}") == 200
        end(process)
    assert answered(real, keys)["/items/{item}"] == 40
    assert producers(real, keys) == 0


def test_a_reload_of_uvicorn_loses_nothing(valkey_url: str, real: Connection, keys: ShardKeys, tmp_path: Path) -> None:
    """The process that is replaced flushes and says goodbye, the new one is another instance."""
    app = Path(shutil.copy(HOSTS / "api.py", tmp_path))
    port = free_port()
    options = ("--reload", "--reload-dir", str(tmp_path), "--reload-delay", "0.05")
    with web_server(valkey_url, keys, tmp_path, *uvicorn(port, *options)) as process:
        wait_until(lambda: producers(real, keys) == 1 and get(port, "/items/0") == 200, what="uvicorn")
        first = present(real, keys)
        app.write_text(app.read_text() + "# changed\n")
        # While the first is still there, a request may be given to it as it shuts down.
        wait_until(lambda: bool(present(real, keys) - first), what="the second process")
        wait_until(lambda: not present(real, keys) & first, what="the first one's goodbye")
        wait_until(lambda: get(port, "/items/1") == 200, what="the second one's answer")
        end(process)
    assert len(instances(real, keys)) == 2
    assert answered(real, keys) == {"/items/{item}": 2}
    assert producers(real, keys) == 0


def test_a_preloaded_app_under_gunicorn_sends_nothing_twice(valkey_url: str, real: Connection, keys: ShardKeys) -> None:
    """The master's events are the master's alone; its workers are instances of their own, flushed at SIGTERM."""
    port = free_port()
    command = ("gunicorn", "--preload", "--workers", "2", "--bind", f"127.0.0.1:{port}", "--log-level", "warning")
    with web_server(valkey_url, keys, HOSTS, *command, "wsgi:app") as process:
        wait_until(lambda: get(port, "/ready") == 200, what="gunicorn")
        for _ in range(40):
            assert get(port, "/predict") == 200
        master = process.pid
        end(process)
    assert answered(real, keys) == {"/import": 20, "/ready": 1, "/predict": 40}
    importers = {batch.instance for batch in batches(real, keys) if "/import" in {label[0] for label in batch.labels}}
    assert {name.split(":")[1] for name in importers} == {str(master)}
    assert len(instances(real, keys)) >= 2
    assert producers(real, keys) == 0
