"""Task queues under real workers whose children end by ``os._exit``, uWSGI's prefork, and copies as Ray makes them."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from tests.integration.producer.reading import batches, producers
from tests.integration.web.hosting import (
    EXAMPLES,
    HOSTS,
    Server,
    celery_worker,
    enqueue_in_celery,
    environment,
    need,
    run_in_rq,
    running,
    uwsgi,
    uwsgi_environment,
)
from tests.integration.web.serving import events
from tests.support import free_port, wait_until


def test_recycled_children_of_celery_ship_every_task_and_say_goodbye(
    valkey_url: str, real: Connection, keys: ShardKeys
) -> None:
    """Each child ends by ``os._exit`` after two tasks."""
    need("celery")
    environ = environment(valkey_url, keys)
    queue = f"tasks-{keys.prefix}"
    enqueue_in_celery(environ, queue, 6)
    with running(celery_worker(queue, "-c", "1", "--max-tasks-per-child", "2"), EXAMPLES, environ):
        wait_until(lambda: events(real, keys, "model") >= 6, timeout_s=60, what="six tasks")
        wait_until(lambda: producers(real, keys) == 0, what="the goodbyes")
    assert events(real, keys, "model") == 6
    assert len({batch.instance for batch in batches(real, keys) if batch.kind.name == "model"}) == 3


def test_a_work_horse_of_rq_ships_its_job(valkey_url: str, real: Connection, keys: ShardKeys) -> None:
    """RQ forks for each job, and ends the child by ``os._exit`` right after the job and its callback."""
    need("rq")
    run_in_rq(environment(valkey_url, keys), f"jobs-{keys.prefix}", 6)
    assert events(real, keys, "model") == 6
    assert events(real, keys, "custom") == 6


@pytest.mark.parametrize("starts", [False, True], ids=["idle", "started"])
def test_prefork_workers_of_uwsgi_count_every_answer(
    starts: bool, valkey_url: str, real: Connection, keys: ShardKeys
) -> None:
    """uWSGI imports the application in its master and forks in C; each worker is an instance of its own."""
    need("pyuwsgi")
    port = free_port()
    environ = uwsgi_environment(valkey_url, keys, starts=starts)
    with running(uwsgi(port, "--enable-threads"), HOSTS, environ) as process:
        server = Server(port, process)
        wait_until(lambda: server.ask("/")[0] == 200, what="uWSGI")
        if starts:
            wait_until(lambda: producers(real, keys) == 2, what="a heartbeat of each worker")
        with ThreadPoolExecutor(4) as pool:
            answers = [*pool.map(server.ask, ["/"] * 100)]
    assert {status for status, _ in answers} == {200}
    found = batches(real, keys)
    assert events(real, keys, "request") == 101
    # A worker ends by a signal and says goodbye only if uWSGI ends the interpreter; the names tell them apart.
    assert {batch.instance.split(":")[1] for batch in found} >= {body.decode() for _, body in answers}


def test_replicas_that_hold_copies_of_the_application_count_every_answer(
    valkey_url: str, real: Connection, keys: ShardKeys
) -> None:
    """A stand-in copies the example as Ray Serve does; each copy is an instance of its own and says goodbye."""
    need("cloudpickle")
    command = [sys.executable, str(HOSTS / "ray_stand_in.py"), "2", "65"]
    environ = {**environment(valkey_url, keys), "PYTHONPATH": str(EXAMPLES)}
    subprocess.run(command, env=environ, check=True, timeout=120)
    found = batches(real, keys)
    assert events(real, keys, "request") == 130
    assert events(real, keys, "model") == 130
    assert len({batch.instance for batch in found}) == 2
    assert producers(real, keys) == 0
