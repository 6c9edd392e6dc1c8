"""baro_frontier_1: the watermark follows the log's progress and never goes back."""

import pytest

from barograph_core.errors import NoGroupError
from barograph_core.keys import ShardKeys
from barograph_core.stream import Connection, as_int, as_list, as_text

GROUP = "aggregator"


def frontier(connection: Connection, keys: ShardKeys, consumer: str = "mine") -> tuple[int, bool, str, int]:
    reply = connection.call("baro_frontier_1", [keys.events, keys.progress], [GROUP, 500, consumer, 300, 60_000])
    watermark, is_closer, oldest, now, *_ = as_list(reply)
    return as_int(watermark), as_int(is_closer) == 1, as_text(oldest), as_int(now)


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


def test_a_flushed_stream_is_reported_as_no_group(connection: Connection, keys: ShardKeys) -> None:
    """The consumer loop makes the group anew on this error."""
    with pytest.raises(NoGroupError):
        frontier(connection, keys)
