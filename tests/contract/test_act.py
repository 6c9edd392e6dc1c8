"""baro_act_1: the state, its version and the entry move together, and a request is applied once."""

from typing import Final

import pytest

from barograph_core.errors import CommandRefusedError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply, Value
from barograph_core.server.replies import as_entries, as_int, as_list

ENTRY: Final = ("transition", "t1", "flag", "acknowledged")
ONCE: Final = "0" * 32


def act(
    connection: Connection,
    keys: ShardKeys,
    *fields: str,
    version: int = 0,
    forgets: int = 0,
    request: str = "ask",
    once_ms: Value = 60_000,
) -> list[Reply]:
    names = [keys.state("ranker"), keys.alerts, keys.quiet("a"), keys.once(ONCE)]
    args: list[Value] = [version, "a", '{"n":1}', forgets, request, once_ms, 86_400_000, *(fields or ENTRY)]
    return as_list(connection.call("baro_act_1", names, args))


def test_record_version_and_entry_are_written_together(connection: Connection, keys: ShardKeys) -> None:
    assert act(connection, keys) == [b"ok", b"1"]
    assert connection.command("HMGET", keys.state("ranker"), "version", "alert:a") == [b"1", b'{"n":1}']
    (entry,) = as_entries(connection.command("XRANGE", keys.alerts, "-", "+"))
    assert entry.fields == {b"transition": b"t1", b"flag": b"acknowledged"}


def test_against_another_state_nothing_is_written(connection: Connection, keys: ShardKeys) -> None:
    """Whoever was slower looks again: the alert may be over."""
    connection.command("HSET", keys.state("ranker"), "version", 7)
    assert act(connection, keys, version=6) == [b"stale", b"7"]
    assert connection.command("EXISTS", keys.alerts, keys.once(ONCE)) == 0


def test_a_request_that_is_sent_again_changes_nothing(connection: Connection, keys: ShardKeys) -> None:
    """Its answer was lost; the state has moved on since, and the first answer holds."""
    act(connection, keys)
    assert act(connection, keys, "transition", "t2", version=1) == [b"done", b"t1"]
    assert as_int(connection.command("XLEN", keys.alerts)) == 1
    assert 0 < as_int(connection.command("PTTL", keys.once(ONCE))) <= 60_000


def test_a_key_does_not_stand_for_two_requests(connection: Connection, keys: ShardKeys) -> None:
    act(connection, keys)
    assert act(connection, keys, request="another", version=1) == [b"other"]
    assert as_int(connection.command("XLEN", keys.alerts)) == 1


def test_without_a_key_each_request_counts(connection: Connection, keys: ShardKeys) -> None:
    act(connection, keys, once_ms=0)
    assert act(connection, keys, "transition", "t2", version=1, once_ms=0) == [b"ok", b"2"]
    assert connection.command("EXISTS", keys.once(ONCE)) == 0


@pytest.mark.parametrize(("forgets", "left"), [(0, 1), (1, 0)])
def test_a_resolution_forgets_who_was_told(connection: Connection, keys: ShardKeys, forgets: int, left: int) -> None:
    """The next firing is news on every channel; an acknowledgement leaves the cooldowns as they are."""
    connection.command("HSET", keys.quiet("a"), "hook", "1 error 300000 1 firing")
    act(connection, keys, forgets=forgets)
    assert connection.command("EXISTS", keys.quiet("a")) == left


@pytest.mark.parametrize("fields", [("transition",), ("flag", "acknowledged"), ("transition", "t1", "flag")])
def test_an_entry_that_is_none_is_refused_before_anything_is_written(
    connection: Connection, keys: ShardKeys, fields: tuple[str, ...]
) -> None:
    with pytest.raises(CommandRefusedError, match="no transition"):
        act(connection, keys, *fields)
    assert connection.command("EXISTS", keys.state("ranker"), keys.alerts) == 0


@pytest.mark.parametrize("once_ms", ["soon", "-1", "1.5"])
def test_a_time_that_is_none_is_refused(connection: Connection, keys: ShardKeys, once_ms: str) -> None:
    with pytest.raises(CommandRefusedError, match="once_ms"):
        act(connection, keys, once_ms=once_ms)
    assert connection.command("EXISTS", keys.state("ranker"), keys.alerts) == 0


@pytest.mark.parametrize("which", ["state", "alerts", "quiet", "once"])
def test_a_key_of_another_type_is_refused_before_anything_is_written(
    connection: Connection, keys: ShardKeys, which: str
) -> None:
    """A function that fails halfway is not rolled back."""
    named = {
        "state": keys.state("ranker"),
        "alerts": keys.alerts,
        "quiet": keys.quiet("a"),
        "once": keys.once(ONCE),
    }
    connection.command("ZADD", named[which], 1, "x")
    with pytest.raises(CommandRefusedError, match="holds a zset"):
        act(connection, keys)
    assert connection.command("EXISTS", *named.values()) == 1
