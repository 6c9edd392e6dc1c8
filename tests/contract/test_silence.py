"""baro_silence_1: silences and their entries are written together, if nobody was faster."""

import pytest

from barograph_core.errors import CommandRefusedError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply, Value
from barograph_core.server.replies import as_int, as_list

ENTRY = ("kind", "silence")


def write(
    connection: Connection,
    keys: ShardKeys,
    *changes: tuple[str, str, str, tuple[str, ...]],
    most: int = 10,
    request: str = "ask",
    once_ms: Value = 0,
) -> list[Reply]:
    args: list[Value] = [most, request, "id-1", once_ms, 86_400_000]
    for silence_id, expected, after, fields in changes:
        args += [silence_id, expected, after, len(fields), *fields]
    return as_list(connection.call("baro_silence_1", [keys.silences, keys.alerts, keys.once("x")], args))


def test_a_silence_is_written_with_its_entry(connection: Connection, keys: ShardKeys) -> None:
    assert write(connection, keys, ("a", "", "new", ENTRY)) == [b"ok"]
    assert connection.command("HGETALL", keys.silences) == [b"a", b"new"]
    assert as_int(connection.command("XLEN", keys.alerts)) == 1


def test_of_two_who_change_a_silence_one_is_told_to_look_again(connection: Connection, keys: ShardKeys) -> None:
    write(connection, keys, ("a", "", "one", ENTRY))
    assert write(connection, keys, ("a", "one", "two", ENTRY)) == [b"ok"]
    assert write(connection, keys, ("a", "one", "three", ENTRY)) == [b"stale", b"a"]
    assert connection.command("HGET", keys.silences, "a") == b"two"
    assert as_int(connection.command("XLEN", keys.alerts)) == 2


def test_all_of_a_call_is_written_or_nothing(connection: Connection, keys: ShardKeys) -> None:
    """The end of one silence and the begin of the one in its place are one step."""
    assert write(connection, keys, ("a", "", "new", ENTRY), ("b", "old", "ended", ENTRY)) == [b"stale", b"b"]
    assert connection.command("EXISTS", keys.silences, keys.alerts) == 0


def test_what_is_forgotten_takes_its_hits_along_without_an_entry(connection: Connection, keys: ShardKeys) -> None:
    write(connection, keys, ("a", "", "one", ()), ("b", "", "two", ()))
    connection.command("HSET", keys.silences, "hits:a", 3, "hits:b", 4)
    assert write(connection, keys, ("a", "one", "", ())) == [b"ok"]
    assert connection.command("HGETALL", keys.silences) == [b"b", b"two", b"hits:b", b"4"]
    assert connection.command("EXISTS", keys.alerts) == 0


def test_there_is_a_limit_that_counts_silences_only(connection: Connection, keys: ShardKeys) -> None:
    """A script that adds one a second must not slow down every notification."""
    connection.command("HSET", keys.silences, "a", "x", "hits:a", 1, "hits:b", 1)
    assert write(connection, keys, ("b", "", "y", ENTRY), most=2) == [b"ok"]
    assert write(connection, keys, ("c", "", "z", ENTRY), most=2) == [b"full"]
    assert write(connection, keys, ("a", "x", "changed", ENTRY), most=2) == [b"ok"]


def test_a_request_that_is_sent_again_changes_nothing(connection: Connection, keys: ShardKeys) -> None:
    write(connection, keys, ("a", "", "one", ENTRY), once_ms=60_000)
    assert write(connection, keys, ("b", "", "two", ENTRY), once_ms=60_000) == [b"done", b"id-1"]
    assert write(connection, keys, ("b", "", "two", ENTRY), request="other", once_ms=60_000) == [b"other"]
    assert connection.command("HKEYS", keys.silences) == [b"a"]


@pytest.mark.parametrize("change", [("hits:a", "", "new", ENTRY), ("a", "", "new", ("kind",))])
def test_what_is_no_silence_is_refused_before_anything_is_written(
    connection: Connection, keys: ShardKeys, change: tuple[str, str, str, tuple[str, ...]]
) -> None:
    with pytest.raises(CommandRefusedError, match="cannot be written"):
        write(connection, keys, ("good", "", "new", ENTRY), change)
    assert connection.command("EXISTS", keys.silences, keys.alerts) == 0


def test_a_call_that_ends_in_the_middle_of_a_silence_is_refused(connection: Connection, keys: ShardKeys) -> None:
    with pytest.raises(CommandRefusedError, match="argument k"):
        connection.call(
            "baro_silence_1", [keys.silences, keys.alerts, keys.once("x")], [9, "", "-", 0, 1, "a", "", "n"]
        )
    assert connection.command("EXISTS", keys.silences, keys.alerts) == 0
