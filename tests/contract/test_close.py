"""baro_close_1, baro_tick_1, baro_read_1: panes close in order, once, and are read as of one moment."""

import pytest

from barograph_core.errors import CommandRefusedError
from barograph_core.keys import ShardKeys
from barograph_core.stream import Connection, Value, as_hash, as_int, as_list, as_text
from tests.support import append

MINUTES_5 = 300_000
KEEP_MS = 900_000
KEEP_CHILDREN_MS = 450_000


def close(
    connection: Connection,
    keys: ShardKeys,
    start: int,
    *,
    token: int,
    revision: int = -1,
    step: int = 1_000,
    blob: bytes = b"pane",
    metrics_keep_ms: int | str = 3_600_000,
    is_coarsest: bool = False,
) -> list[object]:
    is_base = step == 1_000
    source = keys.parts("ranker", start) if is_base else keys.panes("ranker", 1_000, start)
    span = 10_000 if is_base else 60_000
    keep: list[Value] = [KEEP_MS, 0 if is_base else KEEP_CHILDREN_MS, MINUTES_5, metrics_keep_ms]
    reply = connection.call(
        "baro_close_1",
        [
            source,
            keys.panes("ranker", step, start - start % span),
            keys.open,
            keys.rollups,
            keys.closed,
            keys.producers("ranker"),
            keys.metrics,
        ],
        ["ranker", step, start, 1_000, token, revision, blob, *keep, 0 if is_coarsest else span, "requests", 3],
    )
    return [item.decode() if isinstance(item, bytes) else item for item in as_list(reply)]


def push(connection: Connection, keys: ShardKeys, start: int) -> None:
    connection.command("RPUSH", keys.parts("ranker", start), b"part")
    connection.command("ZADD", keys.open, start + 1_000, f"ranker:1000:{start}")


def closed_entries(connection: Connection, keys: ShardKeys) -> list[dict[str, bytes]]:
    return [as_hash(as_list(item)[1]) for item in as_list(connection.command("XRANGE", keys.metrics, "-", "+"))]


def test_a_pane_closes_once(connection: Connection, keys: ShardKeys) -> None:
    """Of two workers that read the same parts, one writes the pane."""
    push(connection, keys, 1_000)
    assert close(connection, keys, 1_000, token=1) == ["ok", 0, 0]
    assert close(connection, keys, 1_000, token=1) == ["changed"]
    assert len(closed_entries(connection, keys)) == 1


def test_a_commit_between_reading_and_closing_is_noticed(connection: Connection, keys: ShardKeys) -> None:
    """No part is deleted that the pane does not include."""
    push(connection, keys, 1_000)
    push(connection, keys, 1_000)
    assert close(connection, keys, 1_000, token=1) == ["changed"]
    assert connection.command("LLEN", keys.parts("ranker", 1_000)) == 2


def test_closing_moves_the_cursor_and_makes_the_roll_up_due(connection: Connection, keys: ShardKeys) -> None:
    """Cursor, pane, roll-up and the end of the parts are one step."""
    push(connection, keys, 11_000)
    close(connection, keys, 11_000, token=1)
    assert connection.command("HGET", keys.closed, "ranker") == b"12000"
    assert connection.command("ZRANGE", keys.rollups, 0, -1, "WITHSCORES") == [b"ranker:10000:10000", b"20000"]
    assert connection.command("EXISTS", keys.open) == 0
    assert connection.command("EXISTS", keys.parts("ranker", 11_000)) == 0


def test_late_events_make_the_next_revision(connection: Connection, keys: ShardKeys) -> None:
    """A revision must include the pane that is stored, and says so by its number."""
    push(connection, keys, 1_000)
    close(connection, keys, 1_000, token=1)
    push(connection, keys, 1_000)
    assert close(connection, keys, 1_000, token=1, revision=-1) == ["changed"]
    assert close(connection, keys, 1_000, token=1, revision=0, blob=b"both") == ["ok", 1, 0]
    assert connection.command("HGET", keys.closed, "ranker") == b"2000"


def test_an_absent_pane_that_gets_late_events_is_a_revision(connection: Connection, keys: ShardKeys) -> None:
    """It was closed as empty; the cursor stays where it is."""
    push(connection, keys, 5_000)
    close(connection, keys, 5_000, token=1)
    push(connection, keys, 3_000)
    assert close(connection, keys, 3_000, token=1) == ["ok", 1, 0]
    assert connection.command("HGET", keys.closed, "ranker") == b"6000"


def test_a_roll_up_is_refused_when_a_child_changed(connection: Connection, keys: ShardKeys) -> None:
    """The version of the children's block says whether the roll-up includes all of them."""
    push(connection, keys, 1_000)
    close(connection, keys, 1_000, token=1)
    assert close(connection, keys, 0, token=1, step=10_000) == ["changed"]  # not closed through its end yet
    push(connection, keys, 10_000)
    close(connection, keys, 10_000, token=1)
    assert close(connection, keys, 0, token=0, step=10_000) == ["changed"]
    assert close(connection, keys, 0, token=1, step=10_000)[0] == "ok"


def test_a_pane_expires_when_its_roll_up_has_it_and_not_before(connection: Connection, keys: ShardKeys) -> None:
    """However long the aggregators pause, the roll-up they make afterwards is whole."""
    children = keys.panes("ranker", 1_000, 0)
    push(connection, keys, 9_000)
    close(connection, keys, 9_000, token=1)
    before = as_int(connection.command("PTTL", children))
    close(connection, keys, 0, token=1, step=10_000)
    assert (before, 0 < as_int(connection.command("PTTL", children)) <= KEEP_CHILDREN_MS) == (-1, True)


def test_a_revision_keeps_the_pane_until_it_is_rolled_up_again(connection: Connection, keys: ShardKeys) -> None:
    """The roll-up of a late event reads all children anew."""
    push(connection, keys, 9_000)
    close(connection, keys, 9_000, token=1)
    close(connection, keys, 0, token=1, step=10_000)
    push(connection, keys, 8_000)
    close(connection, keys, 8_000, token=1)
    assert connection.command("PTTL", keys.panes("ranker", 1_000, 0)) == -1


def test_the_coarsest_pane_expires_from_its_closing(connection: Connection, keys: ShardKeys) -> None:
    """Nothing is made of it any more."""
    push(connection, keys, 9_000)
    close(connection, keys, 9_000, token=1, is_coarsest=True)
    assert 0 < as_int(connection.command("PTTL", keys.panes("ranker", 1_000, 0))) <= KEEP_MS
    assert connection.command("EXISTS", keys.rollups) == 0


def test_empty_panes_before_it_come_first_when_an_instance_is_missing_in_them(
    connection: Connection, keys: ShardKeys
) -> None:
    """An absent pane says that nothing came and nobody was missing: of a dead instance's silence that is not true."""
    push(connection, keys, 1_000)
    close(connection, keys, 1_000, token=1)
    append(connection, keys, {}, mode="heartbeat", seq=0, through_ms=2_500)
    push(connection, keys, 4_000)
    assert close(connection, keys, 4_000, token=1) == ["hole", "2000"]
    assert close(connection, keys, 2_000, token=0) == ["ok", 0, 1]
    assert close(connection, keys, 3_000, token=0) == ["ok", 0, 1]
    assert close(connection, keys, 4_000, token=1) == ["ok", 0, 1]


def test_a_wrong_argument_closes_nothing(connection: Connection, keys: ShardKeys) -> None:
    """What the last write needs is checked before the first: there is no rollback."""
    push(connection, keys, 1_000)
    with pytest.raises(CommandRefusedError, match="whole number"):
        close(connection, keys, 1_000, token=1, metrics_keep_ms="soon")
    assert connection.command("EXISTS", keys.closed, keys.metrics, keys.panes("ranker", 1_000, 0)) == 0
    assert connection.command("LLEN", keys.parts("ranker", 1_000)) == 1


def test_an_instance_that_has_not_shipped_everything_is_missing(connection: Connection, keys: ShardKeys) -> None:
    """Counted from its through_ms; one that said goodbye or has been silent for five minutes is not."""
    late, gone, done = "host:1:000000000000000a", "host:1:000000000000000b", "host:1:000000000000000c"
    push(connection, keys, 1_000_000)
    append(connection, keys, {}, mode="heartbeat", seq=0, instance=late, through_ms=1_000_999)
    append(connection, keys, {}, mode="heartbeat", seq=0, instance=gone, through_ms=1_001_000 - MINUTES_5 - 1)
    append(connection, keys, {}, mode="heartbeat", seq=0, instance=done, through_ms=1_001_000)
    assert close(connection, keys, 1_000_000, token=1) == ["ok", 0, 1]


def tick(connection: Connection, keys: ShardKeys, through: int) -> list[str]:
    reply = connection.call(
        "baro_tick_1",
        [keys.closed, keys.open, keys.metrics, keys.producers("ranker")],
        [1_000, through, MINUTES_5, 3_600_000, "ranker"],
    )
    return [as_text(item) for item in as_list(reply)]


@pytest.fixture
def closed_at_2000(connection: Connection, keys: ShardKeys) -> None:
    push(connection, keys, 1_000)
    close(connection, keys, 1_000, token=1)


@pytest.mark.usefixtures("closed_at_2000")
def test_a_quiet_service_moves_on_with_one_entry(connection: Connection, keys: ShardKeys) -> None:
    """Nothing came, and nobody is missing: the panes up to the watermark are empty."""
    assert tick(connection, keys, 5_000) == []
    assert connection.command("HGET", keys.closed, "ranker") == b"5000"
    entry = closed_entries(connection, keys)[-1]
    assert (entry["service"], entry["start_ms"], entry["through_ms"]) == (b"ranker", b"", b"5000")


@pytest.mark.usefixtures("closed_at_2000")
def test_a_service_with_an_open_pane_is_not_quiet(connection: Connection, keys: ShardKeys) -> None:
    """Its pane must be closed first, in order."""
    push(connection, keys, 3_000)
    tick(connection, keys, 5_000)
    assert connection.command("HGET", keys.closed, "ranker") == b"2000"


@pytest.mark.usefixtures("closed_at_2000")
def test_a_silent_producer_holds_the_quiet_tick(connection: Connection, keys: ShardKeys) -> None:
    """Silence because of a death is not quiet: the service is handed back for panes that say so."""
    append(connection, keys, {}, mode="heartbeat", seq=0, through_ms=4_000)
    assert tick(connection, keys, 5_000) == ["ranker"]
    assert connection.command("HGET", keys.closed, "ranker") == b"2000"


def test_read_sends_only_what_is_new(connection: Connection, keys: ShardKeys) -> None:
    """Known revisions and parts already held are left out; the cursor comes along."""
    push(connection, keys, 1_000)
    close(connection, keys, 1_000, token=1)
    push(connection, keys, 2_000)
    push(connection, keys, 2_000)
    request = [keys.closed, keys.panes("ranker", 1_000, 0), keys.parts("ranker", 2_000)]
    new = connection.call("baro_read_1", request, ["ranker", 1, 1, 1_000, -1, 0], read_only=True)
    assert new == [b"2000", [[b"1000", b"0", b"0", b"pane"]], [[b"2", b"part", b"part"]]]
    known = connection.call("baro_read_1", request, ["ranker", 1, 1, 1_000, 0, 1], read_only=True)
    assert known == [b"2000", [], [[b"2", b"part"]]]
