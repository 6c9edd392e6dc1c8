"""added = committed + dead + lost + pending + unread: every entry is somewhere, and the keys say where."""

from collections.abc import Iterator

import pytest

from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.pipeline.account import EventsAccount, parse_account
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply, Value
from barograph_core.server.replies import as_int, as_list, as_text

GROUP = "aggregator"


@pytest.fixture
def server(real_url: str) -> Iterator[Connection]:
    """Return a connection to each real server in turn: fakeredis does not count what was added."""
    opened = Connection.open(real_url)
    ensure_library(opened)
    yield opened
    opened.close()


def account(connection: Connection, keys: ShardKeys, limit: int = 1_000) -> Reply:
    return connection.call("baro_account_1", [keys.events, keys.progress], [GROUP, limit], read_only=True)


def figures(connection: Connection, keys: ShardKeys, limit: int = 1_000) -> list[int]:
    """Return added, committed, dead, lost, pending, unread."""
    return [as_int(figure) for figure in as_list(account(connection, keys, limit))[:6]]


def filled(connection: Connection, keys: ShardKeys, count: int) -> list[str]:
    """Add ``count`` entries and hand two thirds of them to the consumer ``mine``."""
    ids = [as_text(connection.command("XADD", keys.events, "*", "n", number)) for number in range(count)]
    connection.command("XGROUP", "CREATE", keys.events, GROUP, "0")
    connection.command("XREADGROUP", "GROUP", GROUP, "mine", "COUNT", count * 2 // 3, "STREAMS", keys.events, ">")
    return ids


def claim(connection: Connection, keys: ShardKeys) -> list[Reply]:
    args: list[Value] = [GROUP, "other", 0, "0-0", 100]
    return as_list(connection.call("baro_claim_1", [keys.events, keys.progress], args))


def test_every_entry_is_accounted_for(server: Connection, keys: ShardKeys) -> None:
    """Committed, dead, pending or unread: nothing is counted twice, nothing is left out."""
    ids = filled(server, keys, 9)
    commit_keys = [keys.events, keys.open, keys.progress, keys.metrics]
    server.call("baro_commit_1", commit_keys, [GROUP, "mine", 1_000, 0, 0, 1_000, 3, *ids[:3]])
    dead_keys = [keys.events, keys.dead, keys.progress]
    server.call("baro_dead_1", dead_keys, [GROUP, "mine", ids[3], "aggregator", "reason", 1])
    assert figures(server, keys) == [9, 3, 1, 0, 2, 3]


def test_entries_trimmed_while_pending_are_counted_by_whoever_claims_them(server: Connection, keys: ShardKeys) -> None:
    """The server drops them from the list in that very command, and would not tell again."""
    ids = filled(server, keys, 9)
    server.command("XDEL", keys.events, *ids[:2])
    cursor, claimed, *_ = claim(server, keys)
    assert (cursor, len(as_list(claimed))) == (b"0-0", 4)
    assert figures(server, keys) == [9, 0, 0, 2, 4, 3]


def test_entries_trimmed_while_pending_are_counted_by_their_owner(server: Connection, keys: ShardKeys) -> None:
    """Once: the reply may be lost, and the call repeated."""
    ids = filled(server, keys, 9)
    server.command("XDEL", keys.events, *ids[:2])
    for expected in (2, 0):
        lost = server.call("baro_lost_1", [keys.events, keys.progress], [GROUP, *ids[:2]])
        assert as_int(lost) == expected
    assert figures(server, keys) == [9, 0, 0, 2, 4, 3]


@pytest.mark.parametrize("limit", [1_000, 3])
def test_entries_deleted_before_anybody_read_them_are_lost(server: Connection, keys: ShardKeys, limit: int) -> None:
    """They leave no other trace than that the sum would not come out."""
    ids = filled(server, keys, 9)
    server.command("XDEL", keys.events, ids[7])
    assert figures(server, keys, limit) == [9, 0, 0, 1, 6, 2]


@pytest.mark.parametrize("limit", [1_000, 1])
def test_a_trim_past_the_group_is_lost_however_long_the_backlog(
    server: Connection, keys: ShardKeys, limit: int
) -> None:
    """What is left lies behind the last id delivered, so its length tells."""
    filled(server, keys, 9)
    server.command("XTRIM", keys.events, "MAXLEN", 2)
    assert figures(server, keys, limit) == [9, 0, 0, 1, 6, 2]


def test_a_backlog_too_long_to_count_is_what_the_others_leave_over(server: Connection, keys: ShardKeys) -> None:
    """The cost is bounded, and the sum comes out at any time."""
    filled(server, keys, 9)
    found: EventsAccount = parse_account(as_list(account(server, keys, limit=2)))
    assert (found.added, found.pending, found.unread, found.is_counted, found.surplus) == (9, 6, 3, False, 0)


def test_a_group_set_back_shows_as_a_surplus(server: Connection, keys: ShardKeys) -> None:
    """Entries that are handed out twice cannot be hidden by the sum."""
    ids = filled(server, keys, 9)
    server.call(
        "baro_commit_1",
        [keys.events, keys.open, keys.progress, keys.metrics],
        [GROUP, "mine", 1_000, 0, 0, 1_000, 6, *ids[:6]],
    )
    server.command("XGROUP", "SETID", keys.events, GROUP, "0")
    assert parse_account(as_list(account(server, keys))).surplus == 6


def test_without_a_stream_or_group_there_is_no_account(server: Connection, keys: ShardKeys) -> None:
    """Before the first aggregator ran there is nothing to tell."""
    before = account(server, keys)
    server.command("XADD", keys.events, "*", "n", 1)
    assert (before, account(server, keys)) == (None, None)
