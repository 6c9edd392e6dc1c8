"""What XINFO STREAM tells of a log whose entries were trimmed or deleted, on the real servers."""

import pytest

from barograph_cli.failure import CommandError
from barograph_cli.history.log.complete_range import LogExtent
from barograph_cli.history.log.reader import read_extent, read_log, read_logs
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import EntryId

FIRST, LAST = EntryId(0, 1), EntryId(10**9, 0)


def fill(connection: Connection, stream: str, count: int = 10) -> None:
    for number in range(1, count + 1):
        connection.command("XADD", stream, f"{number}-0", "v", "99")


@pytest.fixture
def server(real_url: str) -> Connection:
    return Connection.open(real_url)


def test_of_a_whole_log_nothing_is_gone(server: Connection, keys: ShardKeys) -> None:
    assert read_extent(server, keys.events) == LogExtent(EntryId(0, 0), None)
    fill(server, keys.events)
    assert read_extent(server, keys.events) == LogExtent(EntryId(10, 0), None)


def test_what_was_trimmed_is_gone_up_to_the_first_entry(server: Connection, keys: ShardKeys) -> None:
    fill(server, keys.events)
    server.command("XTRIM", keys.events, "MINID", "4")
    assert read_extent(server, keys.events).intact_after == EntryId(3, 2**63 - 1)
    server.command("XTRIM", keys.events, "MAXLEN", 0)
    assert read_extent(server, keys.events).intact_after == EntryId(10, 0)


def test_what_was_deleted_in_the_midst_is_gone_too(server: Connection, keys: ShardKeys) -> None:
    fill(server, keys.events)
    server.command("XDEL", keys.events, "7-0")
    assert read_extent(server, keys.events).intact_after == EntryId(7, 0)


def test_a_log_that_is_trimmed_while_it_is_read_is_no_log(server: Connection, keys: ShardKeys) -> None:
    """Entries that went before they were read would be missing in panes that look whole."""
    fill(server, keys.events, 1_200)
    pages = read_log(server, keys.events, FIRST, LAST)
    assert len(next(pages)) == 500
    server.command("XTRIM", keys.events, "MINID", "1100")
    with pytest.raises(CommandError, match="was trimmed past"):
        next(pages)


def test_a_trim_behind_the_reader_does_not_disturb(server: Connection, keys: ShardKeys) -> None:
    fill(server, keys.events, 1_200)
    pages = read_log(server, keys.events, FIRST, LAST)
    next(pages)
    server.command("XTRIM", keys.events, "MINID", "400")
    assert sum(map(len, pages)) == 700


def test_several_logs_are_read_as_one(server: Connection, keys: ShardKeys) -> None:
    streams = [f"{keys.events}:{number}" for number in range(2)]
    for stream, ids in zip(streams, (("1-0", "5-0"), ("2-0", "4-0")), strict=True):
        for entry_id in ids:
            server.command("XADD", stream, entry_id, "v", "99")
    extents = [read_extent(server, stream) for stream in streams]
    merged = [(index, entry.id.ms) for index, entry in read_logs(server, streams, extents)]
    assert merged == [(0, 1), (1, 2), (1, 4), (0, 5)]
