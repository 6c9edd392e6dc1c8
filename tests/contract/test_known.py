"""baro_known_1: a service whose alerts are pushed is listed like a quiet one."""

import pytest

from barograph_core.errors import CommandRefusedError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection, read_now
from barograph_core.server.replies import as_int


def known(connection: Connection, keys: ShardKeys, service: str = "node", step_ms: int = 1_000, most: int = 10) -> int:
    return as_int(connection.call("baro_known_1", [keys.closed, keys.progress, keys.heard], [service, step_ms, most]))


def through(connection: Connection, keys: ShardKeys, service: str = "node") -> int:
    return as_int(connection.command("HGET", keys.closed, service))


def test_a_new_service_begins_at_the_watermark(connection: Connection, keys: ShardKeys) -> None:
    connection.command("HSET", keys.progress, "watermark_ms", 1_700_000_000_789)
    assert known(connection, keys) == 1
    assert through(connection, keys) == 1_700_000_000_000
    assert connection.command("ZSCORE", keys.heard, "node") is not None


def test_without_a_watermark_it_begins_now(connection: Connection, keys: ShardKeys) -> None:
    now_ms = read_now(connection)
    assert known(connection, keys) == 1
    assert 0 <= through(connection, keys) - (now_ms - now_ms % 1_000) <= 60_000


def test_a_listed_service_stays_as_it_is(connection: Connection, keys: ShardKeys) -> None:
    connection.command("HSET", keys.closed, "node", 5_000)
    assert known(connection, keys, most=1) == 1
    assert through(connection, keys) == 5_000


def test_a_retired_service_does_not_go_back(connection: Connection, keys: ShardKeys) -> None:
    """What is stored after its end would be closed a second time."""
    connection.command("HSET", keys.progress, "watermark_ms", 1_700_000_000_000, "retired:node", 1_700_000_009_000)
    assert known(connection, keys) == 1
    assert through(connection, keys) == 1_700_000_009_000
    assert connection.command("HEXISTS", keys.progress, "retired:node") == 0


def test_beyond_the_bound_there_is_no_place(connection: Connection, keys: ShardKeys) -> None:
    assert known(connection, keys, "a", most=1) == 1
    assert known(connection, keys, "b", most=1) == 0
    assert connection.command("HEXISTS", keys.closed, "b") == 0
    assert connection.command("ZSCORE", keys.heard, "b") is None


@pytest.mark.parametrize("service", ["", "a b", "a/b", "x" * 65, "a:1:2"])
def test_a_name_that_no_service_has_is_refused(connection: Connection, keys: ShardKeys, service: str) -> None:
    with pytest.raises(CommandRefusedError, match="service"):
        known(connection, keys, service)
    assert connection.command("EXISTS", keys.closed) == 0


def test_what_holds_something_else_is_left_alone(connection: Connection, keys: ShardKeys) -> None:
    connection.command("SET", keys.heard, "x")
    with pytest.raises(CommandRefusedError, match="holds a string"):
        known(connection, keys)
    assert connection.command("EXISTS", keys.closed) == 0
