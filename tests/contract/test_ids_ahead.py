"""Ids ahead of the server's clock: later events still count, nothing closes early, and the stream recovers."""

import pytest

from barograph_core.errors import StreamUnavailableError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.pipeline.reader import PipelineReader
from barograph_core.server.connection import Connection, read_now
from barograph_core.server.link import Value
from barograph_core.server.replies import as_entries, as_int, as_list, as_text
from tests.support import append

GROUP = "aggregator"
HOUR_MS = 3_600_000
BATCH = {"v": "1", "kind": "request"}
BEYOND_INT64 = "9223372036854775808-0"
LAST = "18446744073709551615-18446744073709551614"


def foreign(connection: Connection, keys: ShardKeys, entry_id: str) -> None:
    connection.command("XADD", keys.events, entry_id, "x", "y")


def an_hour_ahead(connection: Connection) -> str:
    return f"{read_now(connection) + HOUR_MS}-0"


def make_group(connection: Connection, keys: ShardKeys) -> None:
    connection.command("XGROUP", "CREATE", keys.events, GROUP, "0", "MKSTREAM")


def finish_all(connection: Connection, keys: ShardKeys) -> None:
    """Commit everything that is on the stream."""
    reply = connection.command("XREADGROUP", "GROUP", GROUP, "mine", "STREAMS", keys.events, ">")
    ids = [str(entry.id) for entry in as_entries(as_list(as_list(reply)[0])[1])]
    names = [keys.events, keys.open, keys.progress, keys.metrics, keys.parts("a", 0)]
    args: list[Value] = [GROUP, "mine", 1_000, 1, 0, HOUR_MS, len(ids), *ids, "a", 0, b"part"]
    assert connection.call("baro_commit_1", names, args) == [b"ok"]


def watermark(connection: Connection, keys: ShardKeys, grace_ms: int = 500) -> int:
    args: list[Value] = [GROUP, grace_ms, "mine", 1_000, 300_000]
    return as_int(as_list(connection.call("baro_frontier_1", [keys.events, keys.progress], args))[0])


def renew(connection: Connection, keys: ShardKeys) -> list[str]:
    reply = as_list(connection.call("baro_renew_1", [keys.events, keys.progress], [GROUP, 60_000]))
    return [as_text(item) if isinstance(item, bytes) else str(item) for item in reply]


def test_an_entry_whose_id_is_right_is_as_it_was_sent(connection: Connection, keys: ShardKeys) -> None:
    """Its id says when it came."""
    append(connection, keys, BATCH, seq=1)
    (entry,) = as_entries(connection.command("XRANGE", keys.events, "-", "+"))
    assert b"at_ms" not in entry.fields


def test_an_entry_whose_id_is_ahead_says_when_it_came(connection: Connection, keys: ShardKeys) -> None:
    """The time of the server's clock stands beside it, in each entry of a call."""
    foreign(connection, keys, an_hour_ahead(connection))
    before = read_now(connection)
    append(connection, keys, BATCH, seq=1, batches=2)
    _, *entries = as_entries(connection.command("XRANGE", keys.events, "-", "+"))
    arrivals = [entry.integer("at_ms") for entry in entries]
    assert len(arrivals) == 2
    assert before <= min(arrivals) <= max(arrivals) <= read_now(connection)


def test_the_watermark_waits_for_an_unread_entry_whose_id_is_ahead(connection: Connection, keys: ShardKeys) -> None:
    """Else panes would close before the events that belong to them are read."""
    make_group(connection, keys)
    foreign(connection, keys, an_hour_ahead(connection))
    finish_all(connection, keys)
    append(connection, keys, BATCH, seq=1)
    entry = as_entries(connection.command("XRANGE", keys.events, "-", "+"))[-1]
    connection.command("DEL", keys.progress)
    assert watermark(connection, keys) == entry.integer("at_ms") - 500


@pytest.mark.parametrize("entry_id", [None, BEYOND_INT64, LAST])
def test_the_watermark_stays_at_or_below_now(connection: Connection, keys: ShardKeys, entry_id: str | None) -> None:
    """Whatever id somebody has appended."""
    make_group(connection, keys)
    foreign(connection, keys, entry_id or an_hour_ahead(connection))
    assert watermark(connection, keys, 0) <= read_now(connection)


@pytest.mark.parametrize("entry_id", [None, BEYOND_INT64, LAST])
def test_a_stream_whose_ids_are_ahead_is_begun_again(
    connection: Connection, keys: ShardKeys, entry_id: str | None
) -> None:
    """Once everything is finished; ids follow the clock again, the account goes on, a producer's numbers too."""
    make_group(connection, keys)
    append(connection, keys, BATCH, seq=1)
    foreign(connection, keys, entry_id or an_hour_ahead(connection))
    unfinished = renew(connection, keys)
    finish_all(connection, keys)
    done = renew(connection, keys)
    status, appended = append(connection, keys, BATCH, seq=2)
    assert (unfinished[0], done, status) == ("behind", ["ok", "2"], "ok")
    assert int(appended.partition("-")[0]) <= read_now(connection)
    account = PipelineReader(connection, keys).read().account
    assert account is not None
    assert (account.added, account.committed, account.unread, account.lost, account.surplus) == (3, 2, 1, 0, 0)


def test_a_stream_whose_ids_are_right_is_left_alone(connection: Connection, keys: ShardKeys) -> None:
    """Also one whose ids are ahead by less than a minute: the clock soon catches up."""
    make_group(connection, keys)
    foreign(connection, keys, f"{read_now(connection) + 30_000}-0")
    finish_all(connection, keys)
    assert renew(connection, keys)[0] == "right"
    assert connection.command("XLEN", keys.events) == 1


def test_what_comes_after_a_renewal_is_not_taken_for_deleted(connection: Connection, keys: ShardKeys) -> None:
    """Ids are lower than that of a deletion before it."""
    make_group(connection, keys)
    foreign(connection, keys, an_hour_ahead(connection))
    finish_all(connection, keys)
    last = as_text(as_list(as_list(connection.command("XREVRANGE", keys.events, "+", "-", "COUNT", 1))[0])[0])
    connection.command("HSET", keys.progress, "deleted:a", last, "deleted", last)
    assert renew(connection, keys)[0] == "ok"
    append(connection, keys, BATCH, seq=1)
    finish_all(connection, keys)


def test_a_stream_without_ids_left_makes_producers_wait(real: Connection, keys: ShardKeys) -> None:
    """Refused for good, they would drop the batch. What a call has appended before the last id counts once."""
    make_group(real, keys)
    foreign(real, keys, LAST)
    with pytest.raises(StreamUnavailableError, match="exhausted"):
        append(real, keys, BATCH, seq=1, batches=2)
    assert append(real, keys, BATCH, seq=1, batches=2) == ["dup", "1"]
    finish_all(real, keys)
    assert renew(real, keys)[0] == "ok"
    assert append(real, keys, BATCH, seq=2)[0] == "ok"


def test_the_last_two_possible_ids_are_told_apart(real: Connection, keys: ShardKeys) -> None:
    """As numbers of Lua they are equal, and the second would be taken for finished with the first."""
    make_group(real, keys)
    foreign(real, keys, LAST)
    finish_all(real, keys)
    append(real, keys, BATCH, seq=1)
    account = PipelineReader(real, keys).read().account
    assert account is not None
    assert (account.unread, account.lost) == (1, 0)
    finish_all(real, keys)
