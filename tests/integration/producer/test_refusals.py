"""A real server that answers, but with an error: each is reported by its name, waited out, and costs no event."""

import logging
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_producer import Producer
from tests.integration.producer.reading import durations
from tests.integration.producer.recording import numbers, record, trouble
from tests.support import answers, free_port, has_redis_server, valkey_server, wait_until


@contextmanager
def own_server() -> Generator[tuple[str, Connection]]:
    """Run a server whose settings a test may change; yield its URL and a connection."""
    with valkey_server() as url:
        connection = Connection.open(url)
        yield url, connection
        connection.close()


def test_a_server_without_the_library_is_reported_and_waited_for(keys: ShardKeys) -> None:
    """A producer never loads code into a server: it buffers and says what is missing."""
    with own_server() as (url, connection):
        producer = Producer("ranker", url, prefix=keys.prefix, sample_process=False)
        record(producer, 0, 10)
        assert not producer.flush(0.2)
        assert trouble(producer) == "no_library"
        ensure_library(connection)
        wait_until(lambda: producer.stats().shipped == 10, what="the shipping")
        assert producer.close()
        assert durations(connection, keys) == numbers(0, 10)


def test_a_full_server_refuses_and_nothing_is_lost(keys: ShardKeys) -> None:
    """With ``maxmemory`` and ``noeviction`` an append is refused; events wait until there is room."""
    with own_server() as (url, connection):
        ensure_library(connection)
        connection.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
        connection.command("CONFIG", "SET", "maxmemory", "1")
        producer = Producer("ranker", url, prefix=keys.prefix, sample_process=False)
        record(producer, 0, 10)
        for _ in range(10):  # more often than a batch may be refused for its own sake
            assert not producer.flush(0.05)
        assert trouble(producer) == "out_of_memory"
        assert producer.stats().lost == 0
        connection.command("CONFIG", "SET", "maxmemory", "0")
        wait_until(lambda: producer.stats().shipped == 10, what="the shipping")
        assert producer.close()
        assert durations(connection, keys) == numbers(0, 10)


def test_a_server_without_its_replicas_is_waited_for(keys: ShardKeys) -> None:
    """With ``min-replicas-to-write`` and too few of them an append is refused, and costs no event."""
    with own_server() as (url, connection):
        ensure_library(connection)
        connection.command("CONFIG", "SET", "min-replicas-to-write", "1")
        producer = Producer("ranker", url, prefix=keys.prefix, sample_process=False)
        record(producer, 0, 10)
        for _ in range(10):
            assert not producer.flush(0.05)
        assert trouble(producer) == "refused"
        assert producer.stats().lost == 0
        connection.command("CONFIG", "SET", "min-replicas-to-write", "0")
        wait_until(lambda: producer.stats().shipped == 10, what="the shipping")
        assert producer.close()
        assert durations(connection, keys) == numbers(0, 10)


def test_a_wrong_password_is_logged_once_and_mended_without_a_restart(
    keys: ShardKeys, caplog: pytest.LogCaptureFixture
) -> None:
    """Never raised into the host, at most one warning a minute, no password in it; once right, all is shipped."""
    with own_server() as (url, connection), caplog.at_level(logging.DEBUG, "barograph_producer"):
        ensure_library(connection)
        connection.command("ACL", "SETUSER", "api", "on", ">right", "~*", "+@all")
        with_password = url.replace("redis://", "redis://api:s3cret@")
        producer = Producer("ranker", with_password, prefix=keys.prefix, sample_process=False)
        record(producer, 0, 10)
        for _ in range(10):
            assert not producer.flush(0.05)
        assert trouble(producer) == "authentication"
        warnings = [entry for entry in caplog.records if entry.levelno >= logging.WARNING]
        assert [(entry.message, vars(entry)["reason"]) for entry in warnings] == [
            ("producer.cannot_ship", "authentication")
        ]
        assert "s3cret" not in repr([vars(entry) for entry in caplog.records]) + repr(producer.stats())
        connection.command("ACL", "SETUSER", "api", ">s3cret")
        wait_until(lambda: producer.stats().shipped == 10, what="the shipping")
        assert producer.close()
        assert durations(connection, keys) == numbers(0, 10)


def test_a_close_with_a_wrong_password_counts_what_it_gives_up(valkey_url: str, keys: ShardKeys) -> None:
    """Nothing is lost without a count, and a second close says the same."""
    url = valkey_url.replace("redis://", "redis://nobody:wrong@")
    producer = Producer("ranker", url, prefix=keys.prefix, sample_process=False)
    record(producer, 0, 10)
    assert not producer.close(0.1)
    assert not producer.close(0.1)
    assert producer.stats().dropped["closed"] == 10
    assert producer.stats().buffered == 0


@contextmanager
def redis_process(folder: str, port: int, *options: str) -> Generator[str]:
    """Run redis-server on what ``folder`` holds; yield its URL, whether or not it is ready."""
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
    with Path(folder, "redis.log").open("ab") as output:
        process = subprocess.Popen([*command, *options], stdout=output, stderr=output)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.kill()
        process.wait(60)


def test_a_server_that_is_loading_is_waited_for(keys: ShardKeys) -> None:
    """After a restart a big server answers LOADING for a while; the events wait."""
    if not has_redis_server():
        pytest.skip("redis-server is not installed")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        with redis_process(folder, port) as url:
            wait_until(lambda: answers(url), what="redis-server")
            connection = Connection.open(url)
            ensure_library(connection)
            connection.pipeline([("SET", f"ballast:{i}", "x" * 100) for i in range(2_000)])
            connection.command("SAVE")
            connection.close()
        # 10 ms a key, 20 s in all; it looks at its sockets every KiB of the file.
        slow = ("--key-load-delay", "10000", "--loading-process-events-interval-bytes", "1024")
        with redis_process(folder, port, *slow) as url:
            producer = Producer("ranker", url, prefix=keys.prefix, sample_process=False)
            record(producer, 0, 10)
            wait_until(lambda: not producer.flush(0.1) and trouble(producer) == "loading", what="LOADING")
            connection = Connection.open(url)
            connection.command("CONFIG", "SET", "key-load-delay", "0")
            wait_until(lambda: producer.stats().shipped == 10, what="the shipping")
            assert producer.close()
            assert durations(connection, keys) == numbers(0, 10)
            connection.close()
