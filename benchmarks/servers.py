"""Real servers and task queues under load, again and again: every answer must be counted, to the event.

Each case starts a server of two workers, asks it from eight threads, ends it with SIGTERM and compares the answers with
the events on the stream. One event too few or too many in any round is an error: the script prints it and exits 1.
Needs the extra ``bench``, for granian, hypercorn, uvicorn-worker and ray; a case whose server is absent is skipped.

    python benchmarks/servers.py [--rounds 100] [--requests 400] [--only uWSGI]
"""

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection

sys.path.append(str(Path(__file__).parents[1]))
from tests.integration.producer.reading import producers
from tests.integration.web.hosting import (
    EXAMPLES,
    HOSTS,
    Server,
    celery_worker,
    enqueue_in_celery,
    environment,
    run_in_rq,
    running,
    uwsgi,
    uwsgi_environment,
)
from tests.integration.web.serving import events, requests
from tests.support import free_port, valkey_server, wait_until

THREADS = 8
WORKERS = 2
# What tests/integration/producer/hosts/wsgi.py records while it is imported.
RECORDED_AT_IMPORT = 20
START_S = 60.0


@dataclass
class Round:
    """One case of one round.

    Attributes:
        answered: Requests that were answered, or tasks that were done.
        counted: Events on the stream.
    """

    answered: int
    counted: int


@dataclass
class Case:
    """A host, and how it is tried.

    Attributes:
        needs: The modules that must be installed.
        run: Tries it once.
    """

    name: str
    needs: tuple[str, ...]
    run: Callable[[str, Connection, ShardKeys, int], Round]
    rounds: list[Round] = field(default_factory=list[Round])
    seconds: float = 0.0

    @property
    def wrong(self) -> int:
        return sum(one.answered != one.counted for one in self.rounds)


def web(
    name: str,
    *needs: str,
    command: Callable[[int], list[str]],
    path: str = "/",
    method: str = "GET",
    recorded_before: int = 0,
    waits: bool = False,
) -> Case:
    """Return the case of a web server.

    Args:
        name: Its name in the table.
        needs: The modules that must be installed.
        command: Returns the command for a port.
        path: What is asked.
        method: How it is asked.
        recorded_before: How many events the import of the application records.
        waits: Whether to ask only when all workers run. Granian, and uWSGI with
            lazy applications, do not end if they are told so while one starts.
    """

    def run(url: str, real: Connection, keys: ShardKeys, wanted: int) -> Round:
        port = free_port()
        with running(command(port), HOSTS, uwsgi_environment(url, keys, starts=waits)) as process:
            server = Server(port, process)
            if waits:
                wait_until(lambda: producers(real, keys) == WORKERS, timeout_s=START_S, what=f"workers of {name}")
            wait_until(lambda: server.ask(path, method)[0] == 200, timeout_s=START_S, what=name)
            with ThreadPoolExecutor(THREADS) as pool:
                answered = 1 + sum(
                    status == 200 for status, _ in pool.map(server.ask, [path] * wanted, [method] * wanted)
                )
        return Round(answered + recorded_before, sum(requests(real, keys).values()))

    return Case(name, needs, run)


def gunicorn(name: str, app: str, *options: str, needs: tuple[str, ...] = (), path: str = "/", before: int = 0) -> Case:
    def command(port: int) -> list[str]:
        bind = ["--bind", f"127.0.0.1:{port}", "--workers", str(WORKERS), "--log-level", "critical"]
        return [sys.executable, "-m", "gunicorn", app, *bind, *options]

    return web(f"gunicorn {name}", "gunicorn", *needs, command=command, path=path, recorded_before=before)


def uwsgi_case(name: str, *options: str, waits: bool = False) -> Case:
    return web(f"uWSGI {name}", "pyuwsgi", command=lambda port: uwsgi(port, *options), waits=waits)


def module(name: str, package: str, app: str, *options: str, path: str = "/", waits: bool = False) -> Case:
    def command(port: int) -> list[str]:
        return [sys.executable, "-m", package, app, *(option.format(port=port) for option in options)]

    return web(name, package, command=command, path=path, waits=waits)


def try_celery(url: str, real: Connection, keys: ShardKeys, wanted: int) -> Round:
    """Do a twentieth as many tasks, each in a child of its own."""
    tasks, environ, queue = wanted // 20, environment(url, keys), f"tasks-{keys.prefix}"
    enqueue_in_celery(environ, queue, tasks)
    with running(celery_worker(queue, "-c", str(WORKERS), "--max-tasks-per-child", "1"), EXAMPLES, environ):
        wait_until(lambda: events(real, keys, "model") >= tasks, timeout_s=START_S + tasks, what=f"{tasks} tasks")
    return Round(tasks, events(real, keys, "model"))


def try_rq(url: str, real: Connection, keys: ShardKeys, wanted: int) -> Round:
    """Do a twentieth as many jobs, each in a child of its own; a job and its callback record an event each."""
    jobs = wanted // 20
    run_in_rq(environment(url, keys), f"jobs-{keys.prefix}", jobs)
    return Round(2 * jobs, events(real, keys, "model") + events(real, keys, "custom"))


def cases() -> list[Case]:
    granian = ("--host", "127.0.0.1", "--port", "{port}", "--workers", str(WORKERS), "--no-ws", "--log-level", "error")
    worker = "uvicorn_worker.UvicornWorker"
    hypercorn = ("--bind", "127.0.0.1:{port}", "--workers", str(WORKERS))
    return [
        uwsgi_case("prefork", "--enable-threads"),
        uwsgi_case("threads", "--threads", "4"),
        uwsgi_case("lazy-apps", "--enable-threads", "--lazy-apps", waits=True),
        uwsgi_case("recycled workers", "--enable-threads", "--max-requests", "50"),
        gunicorn("sync", "uwsgi_app:application"),
        gunicorn("gthread", "uwsgi_app:application", "-k", "gthread", "--threads", "4"),
        gunicorn("gevent", "uwsgi_app:application", "-k", "gevent", needs=("gevent",)),
        gunicorn("gevent --preload", "uwsgi_app:application", "-k", "gevent", "--preload", needs=("gevent",)),
        gunicorn("uvicorn workers", "api:app", "-k", worker, needs=("uvicorn_worker",), path="/items/1"),
        gunicorn("--preload, events before the fork", "wsgi:app", "--preload", before=RECORDED_AT_IMPORT),
        gunicorn("recycled workers", "uwsgi_app:application", "--max-requests", "50"),
        module("uvicorn", "uvicorn", "api:app", "--port", "{port}", "--workers", str(WORKERS), path="/items/1"),
        module("Hypercorn", "hypercorn", "api:app", *hypercorn, path="/items/1"),
        module("Granian ASGI", "granian", "api:app", "--interface", "asgi", *granian, path="/items/1", waits=True),
        module("Granian WSGI", "granian", "uwsgi_app:application", "--interface", "wsgi", *granian, waits=True),
        web(
            "Ray Serve, 2 replicas",
            "ray",
            command=lambda port: [sys.executable, "ray_host.py", str(port)],
            path="/predict/hello",
            method="POST",
            waits=True,
        ),
        Case("Celery --max-tasks-per-child 1", ("celery",), try_celery),
        Case("RQ", ("rq",), try_rq),
    ]


def missing(chosen: list[Case]) -> list[str]:
    needed = {name for case in chosen for name in case.needs}
    return sorted(name for name in needed if importlib.util.find_spec(name) is None)


def show(chosen: list[Case]) -> None:
    print(f"\n{'case':<52}{'rounds':>7}{'answered':>10}{'counted':>9}{'wrong rounds':>14}{'s a round':>11}")
    for case in chosen:
        answered, counted = (sum(getattr(one, name) for one in case.rounds) for name in ("answered", "counted"))
        took_s = case.seconds / max(1, len(case.rounds))
        print(f"{case.name:<52}{len(case.rounds):>7}{answered:>10,}{counted:>9,}{case.wrong:>14}{took_s:>11.1f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100, help="how often each case is tried")
    parser.add_argument("--requests", type=int, default=400, help="in each round of a web server")
    parser.add_argument("--only", default="", help="only cases whose name contains this text")
    args = parser.parse_args()
    chosen = [case for case in cases() if args.only.lower() in case.name.lower()]
    if absent := missing(chosen):
        print(f"skipped, not installed: {', '.join(absent)} (pip install -e '.[bench]')")
        chosen = [case for case in chosen if not missing([case])]
    with valkey_server() as url:
        real = Connection.open(url)
        ensure_library(real)
        for number in range(args.rounds):
            for index, case in enumerate(chosen):
                began_s = time.monotonic()
                result = case.run(url, real, ShardKeys(prefix=f"servers-{number}-{index}"), args.requests)
                case.seconds += time.monotonic() - began_s
                case.rounds.append(result)
                if result.answered != result.counted:
                    print(f"round {number + 1}, {case.name}: answered {result.answered}, counted {result.counted}")
            real.command("FLUSHALL")
            ensure_library(real)
    show(chosen)
    return 1 if any(case.wrong for case in chosen) else 0


if __name__ == "__main__":
    sys.exit(main())
