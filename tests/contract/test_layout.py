"""The functions behind a change of the layout, on every kind of server."""

import pytest

from barograph_core.errors import CommandRefusedError
from barograph_core.keyspace.keys import ShardKeys, meta_key
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_hash, as_list, as_text
from tests.support import append, request_batch

GROUP = "aggregator"


def texts(connection: Connection, function: str, keys: list[str], args: list[str | int]) -> list[str]:
    return [as_text(item) for item in as_list(connection.call(function, keys, args))]


def test_an_epoch_is_raised_and_never_lowered(connection: Connection, keys: ShardKeys) -> None:
    """Two who change the layout at once, or a worker that mends it late, must not open a closed gate."""
    replies = [connection.call("baro_epoch_1", [keys.epoch], [epoch]) for epoch in (3, 2, 3, 5)]
    assert replies == [3, 3, 3, 5]
    assert connection.command("GET", keys.epoch) == b"5"


def test_an_epoch_is_taken_back_unless_it_was_raised_again(connection: Connection, keys: ShardKeys) -> None:
    """A change that comes to nothing opens its own gates, not those of the change after it."""
    connection.call("baro_epoch_1", [keys.epoch], [3])
    replies = [connection.call("baro_reopen_1", [keys.epoch], args) for args in ([2, 1], [3, 2], [3, 2])]
    assert replies == [0, 1, 0]
    assert connection.command("GET", keys.epoch) == b"2"
    with pytest.raises(CommandRefusedError):
        connection.call("baro_reopen_1", [keys.epoch], [2, "x"])


def test_a_layout_replaces_the_one_that_was_read(connection: Connection, keys: ShardKeys) -> None:
    meta = meta_key(keys.prefix)
    assert texts(connection, "baro_layout_1", [meta], [0, 1, "3,8", "0", "ranker", "0"]) == ["ok", "1"]
    assert texts(connection, "baro_layout_1", [meta], [1, 2, "3", "", "other", "8"]) == ["ok", "2"]
    held = as_hash(connection.command("HGETALL", meta))
    assert held == {"epoch": b"2", "tags": b"3", "extra": b"", "pin:other": b"8"}


def test_a_layout_that_was_changed_meanwhile_stays(connection: Connection, keys: ShardKeys) -> None:
    meta = meta_key(keys.prefix)
    texts(connection, "baro_layout_1", [meta], [0, 1, "3,8", ""])
    assert texts(connection, "baro_layout_1", [meta], [0, 1, "5", ""]) == ["stale", "1"]
    assert as_hash(connection.command("HGETALL", meta))["tags"] == b"3,8"


@pytest.mark.parametrize("args", [["x", 1, "3", ""], [0, 1, "3"], [0, 1, "3", "", "ranker"]])
def test_half_a_layout_is_refused(connection: Connection, keys: ShardKeys, args: list[str | int]) -> None:
    meta = meta_key(keys.prefix)
    with pytest.raises(CommandRefusedError):
        connection.call("baro_layout_1", [meta], args)
    assert connection.command("EXISTS", meta) == 0


def add(connection: Connection, keys: ShardKeys, *services: str) -> None:
    for service in services:
        batch = request_batch([(1_700_000_000_000, "/", 200, 1.0)], service=service, instance=service)
        append(connection, keys, batch, service=service, instance=service)


def test_services_of_entries_that_nobody_read_are_told(connection: Connection, keys: ShardKeys) -> None:
    add(connection, keys, "one", "two", "three")
    after, *found = texts(connection, "baro_services_1", [keys.events], [GROUP, "", 2])
    assert found == ["one", "two"]
    assert texts(connection, "baro_services_1", [keys.events], [GROUP, after, 2]) == ["", "three"]


def test_pending_entries_count_as_not_committed(connection: Connection, keys: ShardKeys) -> None:
    add(connection, keys, "done", "pending", "unread")
    connection.command("XGROUP", "CREATE", keys.events, GROUP, "0")
    read = connection.command("XREADGROUP", "GROUP", GROUP, "c", "COUNT", 2, "STREAMS", keys.events, ">")
    entries = as_list(as_list(as_list(read)[0])[1])
    connection.command("XACK", keys.events, GROUP, as_text(as_list(entries[0])[0]))
    assert texts(connection, "baro_services_1", [keys.events], [GROUP, "", 10]) == ["", "pending", "unread"]


def test_a_stream_that_is_read_or_absent_holds_no_service(connection: Connection, keys: ShardKeys) -> None:
    assert texts(connection, "baro_services_1", [keys.events], [GROUP, "", 10]) == [""]
    add(connection, keys, "one")
    connection.command("XGROUP", "CREATE", keys.events, GROUP, "$")
    assert texts(connection, "baro_services_1", [keys.events], [GROUP, "", 10]) == [""]
