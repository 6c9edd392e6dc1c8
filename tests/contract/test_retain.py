"""Retention of the events stream: by time only what is processed, by memory also what is not, counted to the event."""

from collections.abc import Iterator, Sequence

import pytest

from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.pipeline.account import EventsAccount, parse_account
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value
from barograph_core.server.replies import EntryId, as_entries, as_int, as_list, as_text
from tests.support import valkey_server

GROUP = "aggregator"
HOUR_MS = 3_600_000
NOTHING_SEEN: tuple[Value, ...] = ("0-0", 0, 0, 0, 0, 0, 0)


@pytest.fixture
def server(real_url: str) -> Iterator[Connection]:
    """Return a connection to each real server in turn: fakeredis has no MEMORY."""
    opened = Connection.open(real_url)
    ensure_library(opened)
    yield opened
    opened.close()


def filled(connection: Connection, keys: ShardKeys, count: int, *, bytes_each: int = 1_000, ago_ms: int = 0) -> None:
    """Add ``count`` entries of 1 to 7 events; the group reads from the start."""
    now_ms = as_int(as_list(connection.command("TIME"))[0]) * 1_000 - ago_ms
    rows: list[list[Value]] = [
        ["XADD", keys.events, f"{now_ms}-{number + 1}", "n", number % 7 + 1, "data", b"x" * bytes_each]
        for number in range(count)
    ]
    connection.pipeline(rows)
    connection.command("XGROUP", "CREATE", keys.events, GROUP, "0")


def read(connection: Connection, keys: ShardKeys, count: int) -> list[EntryId]:
    reply = connection.command("XREADGROUP", "GROUP", GROUP, "mine", "COUNT", count, "STREAMS", keys.events, ">")
    return [entry.id for entry in as_entries(as_list(as_list(reply)[0])[1])]


def commit(connection: Connection, keys: ShardKeys, ids: Sequence[EntryId]) -> str:
    reply = connection.call(
        "baro_commit_1",
        [keys.events, keys.open, keys.progress, keys.metrics],
        [GROUP, "mine", 1_000, 0, 0, 1_000, len(ids), *(str(entry_id) for entry_id in ids)],
    )
    return as_text(as_list(reply)[0])


def retain(
    connection: Connection,
    keys: ShardKeys,
    *,
    keep_ms: int = HOUR_MS,
    max_bytes: int = 0,
    limit: int = 1_000,
    seen: Sequence[Value] = NOTHING_SEEN,
) -> tuple[EventsAccount, list[int]]:
    """Return the account and processed, overtaken, their events, booked, size."""
    args: list[Value] = [GROUP, keep_ms, max_bytes, limit, *seen]
    reply = as_list(connection.call("baro_retain_1", [keys.events, keys.progress], args))
    return parse_account(reply), [as_int(figure) for figure in reply[10:]]


def as_seen(account: EventsAccount) -> list[Value]:
    counts = (account.added, account.committed, account.dead, account.lost, account.lost_counted, account.lost_events)
    return [str(account.last_id), *counts]


def retain_all(connection: Connection, keys: ShardKeys, max_bytes: int) -> tuple[EventsAccount, list[int]]:
    """Call until nothing more is dropped; return the last account and the sums of what was dropped."""
    sums = [0, 0, 0]
    while True:
        account, (processed, overtaken, events, _, _) = retain(connection, keys, max_bytes=max_bytes)
        sums = [total + more for total, more in zip(sums, (processed, overtaken, events), strict=True)]
        if not processed and not overtaken:
            return account, sums


def events_left(connection: Connection, keys: ShardKeys) -> int:
    return sum(entry.integer("n") for entry in as_entries(connection.command("XRANGE", keys.events, "-", "+")))


def test_by_time_only_what_is_processed_goes(server: Connection, keys: ShardKeys) -> None:
    """However old an unread entry is, time alone does not take it."""
    filled(server, keys, 1_000, ago_ms=2 * HOUR_MS)
    commit(server, keys, read(server, keys, 600))
    account, (processed, overtaken, *_) = retain(server, keys)
    assert 500 < processed <= 600
    assert (overtaken, account.unread, account.lost, account.surplus) == (0, 400, 0, 0)


def test_what_is_young_stays_while_there_is_room(server: Connection, keys: ShardKeys) -> None:
    filled(server, keys, 500)
    commit(server, keys, read(server, keys, 500))
    _, dropped = retain(server, keys, max_bytes=10_000_000)
    assert (dropped[:4], as_int(server.command("XLEN", keys.events))) == ([0, 0, 0, 0], 500)


def test_by_memory_what_is_processed_goes_first(server: Connection, keys: ShardKeys) -> None:
    """Whichever comes first: an hour, or the bound. Nothing is lost as long as that is enough."""
    filled(server, keys, 2_000)
    commit(server, keys, read(server, keys, 1_500))
    account, (processed, overtaken, _) = retain_all(server, keys, 1_000_000)
    assert (overtaken, account.lost, account.unread) == (0, 0, 500)
    assert 1_000 < processed <= 1_500
    assert retain(server, keys, max_bytes=1_000_000)[1][4] <= 1_000_000


def test_when_memory_overtakes_the_group_every_event_is_counted(server: Connection, keys: ShardKeys) -> None:
    """Unread and pending entries alike; the identity holds at each step, and the bound is kept."""
    filled(server, keys, 5_000)
    before = events_left(server, keys)
    commit(server, keys, read(server, keys, 100)[:40])
    finished_events = sum(number % 7 + 1 for number in range(40))
    account, (_, overtaken, events) = retain_all(server, keys, 500_000)
    assert account.lost == overtaken == account.lost_counted > 3_000
    assert events == account.lost_events == before - finished_events - events_left(server, keys)
    assert account.added == account.committed + account.dead + account.lost + account.pending + account.unread
    assert (account.surplus, retain(server, keys)[1][4] <= 500_000) == (0, True)


def test_an_overtaken_entry_cannot_be_committed_any_more(server: Connection, keys: ShardKeys) -> None:
    """It counts as lost: were it committed too, it would be in two places."""
    filled(server, keys, 2_000)
    ids = read(server, keys, 100)
    account, _ = retain_all(server, keys, 300_000)
    assert (account.pending, commit(server, keys, ids)) == (0, "lost")


def test_large_entries_go_a_few_at_a_time(server: Connection, keys: ShardKeys) -> None:
    """One call copies some MB at most, however much is to go."""
    filled(server, keys, 100, bytes_each=500_000)
    _, (_, overtaken, *_) = retain(server, keys, max_bytes=1_000_000)
    assert 1 <= overtaken <= 8
    account, _ = retain_all(server, keys, 1_000_000)
    assert account.lost == 100 - as_int(server.command("XLEN", keys.events))


def test_a_trim_by_hand_is_booked_once(server: Connection, keys: ShardKeys) -> None:
    """In entries: how many events they held, nobody knows any more."""
    filled(server, keys, 1_000)
    read(server, keys, 10)
    server.command("XTRIM", keys.events, "MAXLEN", 400)
    booked = [retain(server, keys)[1][3] for _ in range(2)]
    account, _ = retain(server, keys)
    assert (booked, account.lost, account.lost_uncounted, account.lost_events) == ([590, 0], 590, 590, 0)


def test_a_trim_by_hand_is_booked_though_the_group_has_read_on(server: Connection, keys: ShardKeys) -> None:
    """Behind a backlog too long to count it comes out when that is worked off."""
    filled(server, keys, 1_000)
    server.command("XTRIM", keys.events, "MAXLEN", 400)
    read(server, keys, 10)
    early, _ = retain(server, keys, limit=100)
    commit(server, keys, read(server, keys, 350))
    late, _ = retain(server, keys, limit=100)
    assert (early.lost, early.is_counted, early.surplus) == (0, False, 0)
    assert (late.lost, late.unread, late.is_counted, late.surplus) == (600, 40, True, 0)


def test_a_deleted_stream_is_booked(server: Connection, keys: ShardKeys) -> None:
    """What was added before is remembered beside it; what was not finished then is lost."""
    filled(server, keys, 100)
    commit(server, keys, read(server, keys, 30))
    retain(server, keys)
    server.command("DEL", keys.events)
    filled(server, keys, 7)
    account, (*_, booked, _) = retain(server, keys)
    assert (account.added, account.committed, account.unread, booked, account.surplus) == (107, 30, 7, 70, 0)


def test_a_deleted_stream_that_has_grown_past_the_old_one_is_known_by_its_ids(
    server: Connection, keys: ShardKeys
) -> None:
    """It has all it ever had, and all of that came later."""
    filled(server, keys, 5, ago_ms=5_000)
    retain(server, keys)
    server.command("DEL", keys.events)
    filled(server, keys, 9)
    account, (*_, booked, _) = retain(server, keys)
    assert (account.added, account.unread, booked) == (14, 9, 5)


@pytest.mark.parametrize("looks_before", [0, 1])
def test_a_flush_is_booked_from_what_a_worker_remembers(looks_before: int) -> None:
    """The counters went with it; whoever saw them puts them back, behind a new worker's look too, and only once."""
    keys = ShardKeys()
    with valkey_server() as url:
        server = Connection.open(url)
        ensure_library(server)
        filled(server, keys, 100, ago_ms=5_000)
        commit(server, keys, read(server, keys, 30))
        seen, _ = retain(server, keys)
        server.command("FLUSHALL")
        filled(server, keys, 7)
        commit(server, keys, read(server, keys, 2))
        for _ in range(looks_before):
            retain(server, keys)
        account, (*_, booked, _) = retain(server, keys, seen=as_seen(seen))
        again, (*_, booked_again, _) = retain(server, keys, seen=as_seen(seen))
        server.close()
    assert (account.added, account.committed, account.unread, account.lost) == (107, 32, 5, 70)
    assert (booked, booked_again, again.lost, again.surplus) == (70, 0, 70, 0)


def test_a_replica_that_lags_is_no_flush(server: Connection, keys: ShardKeys) -> None:
    """It has fewer entries and older counters than a worker remembers: to put those back would count all twice."""
    filled(server, keys, 20, ago_ms=5_000)
    commit(server, keys, read(server, keys, 20))
    retain(server, keys)
    now_s = as_int(as_list(server.command("TIME"))[0])
    seen: list[Value] = [f"{now_s * 1_000}-0", 25, 25, 0, 0, 0, 0]
    account, _ = retain(server, keys, seen=seen)
    assert (account.added, account.committed, account.surplus) == (20, 20, 0)


def test_arguments_that_are_no_numbers_are_refused_before_anything_is_written(
    server: Connection, keys: ShardKeys
) -> None:
    filled(server, keys, 3)
    for seen in (("0-0", 0, 0, "x", 0, 0, 0), ("soon", 0, 0, 0, 0, 0, 0)):
        with pytest.raises(Exception, match="barograph: argument"):
            retain(server, keys, seen=seen)
    assert server.command("EXISTS", keys.progress) == 0


def test_without_a_group_nothing_is_trimmed(connection: Connection, keys: ShardKeys) -> None:
    """Before the first aggregator ran, nobody can say what is processed."""
    connection.command("XADD", keys.events, "1-1", "n", 1)
    args: list[Value] = [GROUP, HOUR_MS, 1, 100, *NOTHING_SEEN]
    reply = connection.call("baro_retain_1", [keys.events, keys.progress], args)
    assert (reply, connection.command("XLEN", keys.events)) == (None, 1)


def test_the_books_are_read_once_a_call_unless_entries_were_lost(server: Connection, keys: ShardKeys) -> None:
    """Each look reads unread entries whole, and the server stands still meanwhile."""
    filled(server, keys, 400)
    commit(server, keys, read(server, keys, 300))
    server.command("CONFIG", "RESETSTAT")
    account, (processed, overtaken, *_) = retain(server, keys, keep_ms=0)
    stats = as_text(server.command("INFO", "commandstats"))
    assert (processed, overtaken, account.unread) == (300, 0, 100)
    assert "cmdstat_xinfo|stream:calls=1," in stats
    assert account == retain(server, keys)[0]
