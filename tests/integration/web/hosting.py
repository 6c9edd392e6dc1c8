"""Hosts of producers as processes: web servers, uWSGI and the workers of task queues."""

import contextlib
import http.client
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from barograph_core.keyspace.keys import ShardKeys
from tests.support import ANSWER_S, IS_CI

EXAMPLES = Path(__file__).parents[3] / "examples"
HOSTS = Path(__file__).parents[1] / "producer" / "hosts"
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Server:
    """A running web server.

    Attributes:
        stop: Ends it with SIGTERM and waits.
    """

    port: int
    process: "subprocess.Popen[bytes]"

    def ask(self, path: str, method: str = "GET") -> tuple[int, bytes]:
        """Send one request; status 0 when nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_S)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def need(module: str) -> None:
    """Skip without ``module`` on a laptop; fail in CI."""
    if importlib.util.find_spec(module) is None:
        assert not IS_CI, f"{module} is not installed, and in CI nothing may be skipped for that"
        pytest.skip(f"{module} is not installed")


def environment(url: str, keys: ShardKeys) -> dict[str, str]:
    """Return the environment of a host: where its producer ships, and a queue in a database of its own."""
    queue = url.removesuffix("/0") + "/1"
    return {
        **os.environ,
        "BAROGRAPH_URL": url,
        "BAROGRAPH_PREFIX": keys.prefix,
        "PREFIX": keys.prefix,
        "CELERY_BROKER_URL": queue,
        "RQ_REDIS_URL": queue,
    }


@contextlib.contextmanager
def running(command: Sequence[str], folder: Path, environ: Mapping[str, str]) -> Generator["subprocess.Popen[bytes]"]:
    """Run ``command`` in ``folder``; end it with SIGTERM, and kill it if it does not end."""
    process = subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(60)


def uwsgi(port: int, *options: str) -> list[str]:
    """Return the command of a uWSGI with a master and two workers, for the application in ``HOSTS``.

    SIGTERM ends it in order: with ``--die-on-term`` a worker that still ends a request runs no exit handlers.
    """
    listen = ["--http-socket", f"127.0.0.1:{port}", "--wsgi-file", "uwsgi_app.py", "--need-app"]
    in_order = ["--hook-master-start", "unix_signal:15 gracefully_kill_them_all"]
    return [str(BIN / "uwsgi"), *listen, *in_order, "--master", "--processes", "2", *options]


def uwsgi_environment(url: str, keys: ShardKeys, *, starts: bool = False) -> dict[str, str]:
    """Return the environment of a host in ``HOSTS`` that has interpreters of its own, the examples on their path.

    Args:
        starts: Whether the application starts its producer when it is imported.
    """
    path = os.pathsep.join([*filter(None, sys.path), str(EXAMPLES)])
    return {**environment(url, keys), "START": "yes" if starts else "", "PYTHONPATH": path}


def enqueue_in_celery(environ: Mapping[str, str], queue: str, tasks: int) -> None:
    send = f"import celery_app\nfor n in range({tasks}): celery_app.predict.apply_async(['x' * n], queue={queue!r})"
    subprocess.run([sys.executable, "-c", send], cwd=EXAMPLES, env=environ, check=True, timeout=60)


def celery_worker(queue: str, *options: str) -> list[str]:
    """Return the command of a worker that forks its children."""
    command = [sys.executable, "-m", "celery", "-A", "celery_app", "worker", "-P", "prefork", "-Q", queue]
    return [*command, "--without-gossip", "--without-mingle", "--without-heartbeat", *options]


def run_in_rq(environ: Mapping[str, str], queue: str, jobs: int) -> None:
    """Enqueue jobs whose callbacks record too, and run a worker until all are done."""
    send = (
        f"import redis, rq\nqueue = rq.Queue({queue!r}, connection=redis.Redis.from_url({environ['RQ_REDIS_URL']!r}))\n"
        "done = rq.Callback('rq_callbacks.note_success')\n"
        f"for n in range({jobs}): queue.enqueue('rq_jobs.predict', 'x' * n, on_success=done)"
    )
    subprocess.run([sys.executable, "-c", send], cwd=EXAMPLES, env=environ, check=True, timeout=60)
    worker = [str(BIN / "rq"), "worker", "--burst", "--path", ".", "--path", str(HOSTS), queue]
    subprocess.run(worker, cwd=EXAMPLES, env=environ, check=True, timeout=60 + 5 * jobs, capture_output=True)
