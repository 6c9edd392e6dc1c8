"""baro_frontier_1: the watermark follows the log's progress and never goes back."""

import pytest

from barograph_core.errors import BarographError, NoGroupError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection, read_now
from barograph_core.server.link import Value
from barograph_core.server.replies import as_hash, as_int, as_list, as_text

GROUP = "aggregator"


def frontier(connection: Connection, keys: ShardKeys, consumer: str = "mine") -> tuple[int, bool, str, int]:
    reply = connection.call("baro_frontier_1", [keys.events, keys.progress], [GROUP, 500, consumer, 300, 60_000])
    watermark, is_closer, oldest, now, *_ = as_list(reply)
    return as_int(watermark), as_int(is_closer) == 1, as_text(oldest), as_int(now)


def expecting(
    connection: Connection, keys: ShardKeys, expected_ms: int | str, wall_ms: int = 0, set_back_to: int | str = ""
) -> list[int]:
    """Return watermark, believed time, server time and services set back, for a caller that states what it expects."""
    args: list[Value] = [GROUP, 500, "mine", 300, 60_000, 600_000, expected_ms, wall_ms, set_back_to]
    reply = as_list(connection.call("baro_frontier_1", [keys.events, keys.progress, keys.closed], args))
    return [as_int(reply[at]) for at in (0, 3, 6, 7)]


def group_at_start(connection: Connection, keys: ShardKeys) -> None:
    connection.command("XGROUP", "CREATE", keys.events, GROUP, "0", "MKSTREAM")


def test_with_everything_done_the_watermark_is_now_less_grace(connection: Connection, keys: ShardKeys) -> None:
    """A quiet stream still closes its panes."""
    group_at_start(connection, keys)
    watermark, _, oldest, now = frontier(connection, keys)
    assert (watermark, oldest) == (now - 500, "")


def test_an_unread_entry_holds_the_watermark(connection: Connection, keys: ShardKeys) -> None:
    """A backlog never closes a pane early."""
    connection.command("XADD", keys.events, "9000-1", "v", "1")
    group_at_start(connection, keys)
    assert frontier(connection, keys)[::2] == (8_500, "9000-1")


def test_a_pending_entry_holds_the_watermark(connection: Connection, keys: ShardKeys) -> None:
    """Whoever holds it, dead or frozen: it is not committed."""
    for entry_id in ("9000-0", "10000-0"):
        connection.command("XADD", keys.events, entry_id, "v", "1")
    group_at_start(connection, keys)
    connection.command("XREADGROUP", "GROUP", GROUP, "dead", "STREAMS", keys.events, ">")
    connection.command("XACK", keys.events, GROUP, "10000-0")
    assert frontier(connection, keys)[::2] == (8_500, "9000-0")


def test_ids_compare_as_numbers(connection: Connection, keys: ShardKeys) -> None:
    """As text, 10000-0 would come before 9000-0."""
    group_at_start(connection, keys)
    connection.command("XADD", keys.events, "9000-0", "v", "1")
    connection.command("XREADGROUP", "GROUP", GROUP, "dead", "STREAMS", keys.events, ">")
    connection.command("XADD", keys.events, "10000-0", "v", "1")
    assert frontier(connection, keys)[2] == "9000-0"


def test_the_watermark_never_goes_back(connection: Connection, keys: ShardKeys) -> None:
    """What was claimed complete stays so; an older entry makes a revision."""
    group_at_start(connection, keys)
    before = frontier(connection, keys)[0]
    connection.command("XADD", keys.events, "9000-0", "v", "1")
    assert frontier(connection, keys)[0] == before


def test_one_worker_holds_the_closing_lease(connection: Connection, keys: ShardKeys) -> None:
    """The lease spares double work; it lapses with its holder."""
    group_at_start(connection, keys)
    assert frontier(connection, keys, "mine")[1]
    assert not frontier(connection, keys, "other")[1]
    connection.command("HSET", keys.progress, "closer_until_ms", 0)
    assert frontier(connection, keys, "other")[1]


def test_the_closer_says_how_long_silent_producers_are_waited_for(connection: Connection, keys: ShardKeys) -> None:
    """The status and the console count them as it does."""
    group_at_start(connection, keys)
    frontier(connection, keys)
    assert connection.command("HGET", keys.progress, "no_data_ms") == b"60000"


def test_an_id_from_the_future_does_not_carry_the_watermark_away(connection: Connection, keys: ShardKeys) -> None:
    """After a set-back clock, or an XADD with an id of its own, it goes no further than now."""
    connection.command("XADD", keys.events, "9000000000000-0", "v", "1")
    group_at_start(connection, keys)
    watermark, _, _, now = frontier(connection, keys)
    assert watermark == now - 500


def test_a_lease_from_before_the_clock_was_set_back_has_lapsed(connection: Connection, keys: ShardKeys) -> None:
    """Otherwise a dead closer would be waited for as long as the clock was wrong."""
    group_at_start(connection, keys)
    frontier(connection, keys, "mine")
    connection.command("HSET", keys.progress, "closer_until_ms", 9_000_000_000_000)
    assert frontier(connection, keys, "other")[1]


def test_the_closers_lateness_is_stored(connection: Connection, keys: ShardKeys) -> None:
    """Readers must know what no late event revises; of a closer of an earlier version they do not."""
    group_at_start(connection, keys)
    connection.call("baro_frontier_1", [keys.events, keys.progress], [GROUP, 500, "mine", 300, 60_000, 600_000])
    assert connection.command("HGET", keys.progress, "lateness_ms") == b"600000"
    frontier(connection, keys)
    assert connection.command("HGET", keys.progress, "lateness_ms") is None


def test_a_lateness_that_is_no_number_is_refused(connection: Connection, keys: ShardKeys) -> None:
    group_at_start(connection, keys)
    with pytest.raises(BarographError, match="lateness_ms"):
        connection.call("baro_frontier_1", [keys.events, keys.progress], [GROUP, 500, "mine", 300, 60_000, "soon"])


def test_a_flushed_stream_is_reported_as_no_group(connection: Connection, keys: ShardKeys) -> None:
    """The consumer loop makes the group anew on this error."""
    with pytest.raises(NoGroupError):
        frontier(connection, keys)


def test_a_clock_far_ahead_of_what_is_expected_is_not_believed(connection: Connection, keys: ShardKeys) -> None:
    """The watermark goes on with the expected time, for a caller that has just started too, until nobody doubts."""
    group_at_start(connection, keys)
    hour_ago = read_now(connection) - 3_600_000
    watermark, believed, server_ms, moved = expecting(connection, keys, hour_ago)
    assert (watermark, believed, moved) == (hour_ago - 500, hour_ago, 0)
    assert server_ms >= hour_ago + 3_600_000
    assert expecting(connection, keys, "")[:2] == [hour_ago - 500, hour_ago]
    connection.command("HDEL", keys.progress, "doubt_until_ms")
    watermark, believed, server_ms, _ = expecting(connection, keys, "")
    assert (believed, watermark) == (server_ms, server_ms - 500)


@pytest.mark.parametrize("off_ms", [-3_600_000, 0, 59_000])
def test_a_clock_that_is_little_ahead_or_behind_is_believed(
    connection: Connection, keys: ShardKeys, off_ms: int
) -> None:
    """Behind is where it was set back: arrival follows it."""
    group_at_start(connection, keys)
    _, believed, server_ms, moved = expecting(connection, keys, read_now(connection) - off_ms)
    assert (believed, moved) == (server_ms, 0)


def test_a_watermark_from_a_clock_that_was_ahead_is_set_back_with_its_cursors(
    connection: Connection, keys: ShardKeys
) -> None:
    """Otherwise no rule is judged until the clock reaches it. Cursors that are not ahead stay."""
    group_at_start(connection, keys)
    now_ms = read_now(connection)
    connection.command("HSET", keys.progress, "watermark_ms", now_ms + 3_600_000)
    connection.command("HSET", keys.closed, "ranker", now_ms + 3_599_000, "behind", 1_000)
    assert expecting(connection, keys, "")[::3] == [now_ms + 3_600_000, 0]
    watermark, _, server_ms, moved = expecting(connection, keys, "", set_back_to=1_000)
    assert (watermark, moved) == (server_ms - 500, 1)
    closed = {service: int(end_ms) for service, end_ms in as_hash(connection.command("HGETALL", keys.closed)).items()}
    assert closed == {"ranker": watermark - watermark % 1_000, "behind": 1_000}
    assert expecting(connection, keys, "", set_back_to=1_000)[3] == 0


def test_a_clock_that_agrees_with_the_callers_is_believed(connection: Connection, keys: ShardKeys) -> None:
    """A host that was suspended: both wall clocks have moved on, and the monotonic one has not."""
    group_at_start(connection, keys)
    now_ms = read_now(connection)
    _, believed, server_ms, _ = expecting(connection, keys, now_ms - 3_600_000, wall_ms=now_ms)
    assert believed == server_ms


def test_callers_of_earlier_versions_never_set_it_back(connection: Connection, keys: ShardKeys) -> None:
    """They name no cursors, and read six items."""
    group_at_start(connection, keys)
    ahead_ms = read_now(connection) + 3_600_000
    connection.command("HSET", keys.progress, "watermark_ms", ahead_ms)
    args: list[Value] = [GROUP, 500, "mine", 300, 60_000]
    reply = as_list(connection.call("baro_frontier_1", [keys.events, keys.progress], args))
    assert (reply[0], len(reply)) == (ahead_ms, 6)
