"""baro_close_1, baro_tick_1, baro_read_1: panes close in order, once, and are read as of one moment."""

from collections.abc import Sequence

import pytest

from barograph_core.errors import CommandRefusedError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value
from barograph_core.server.replies import EntryId, as_bytes, as_hash, as_int, as_list, as_text
from barograph_core.services.ending import ServiceEnd, retire_call
from barograph_core.store.parts import mark_of, marked, new_mark, unmarked
from tests.support import append

MINUTES_5 = 300_000
KEEP_MS = 900_000
LONGEST_KEEP_MS = 7_200_000
# Step: length of its block, step of its roll-up.
SPANS = {1_000: (10_000, 10_000), 10_000: (60_000, 60_000), 60_000: (1_440_000, 0)}


def close(
    connection: Connection,
    keys: ShardKeys,
    *starts: int,
    tokens: Sequence[bytes] | None = None,
    revision: int = -1,
    step: int = 1_000,
    blob: bytes = b"pane",
    news: bytes = b"",
    metrics_keep_ms: int | str = 3_600_000,
    covering: int = 0,
    deletions: int = 0,
) -> list[object]:
    """Close panes as they are now, or as they were when ``tokens`` were read, and return the last reply."""
    span, above = SPANS[step]
    names = [keys.open, keys.rollups, keys.closed, keys.producers("ranker"), keys.metrics, keys.progress, keys.heard]
    names.append(keys.blocks("ranker"))
    args: list[Value] = ["ranker", 1_000, MINUTES_5, metrics_keep_ms, LONGEST_KEEP_MS, deletions, new_mark()]
    for at, start in enumerate(starts):
        token = tokens[at] if tokens else read(connection, keys, start, step)
        names += [
            parts_key(keys, start, step),
            keys.panes("ranker", step, start - start % span),
            keys.rollup_parts("ranker", above or step, start - start % (above or step)),
            keys.rollup_parts("ranker", covering or step, start - start % (covering or step)),
        ]
        args += [step, start, start - start % span, token, revision, KEEP_MS, above, covering, blob, news]
        args += [2, "requests", 3] if step == 1_000 else [0]
    *_, last = as_list(connection.call("baro_close_1", names, args))
    return [item.decode() if isinstance(item, bytes) else item for item in as_list(last)]


def parts_key(keys: ShardKeys, start: int, step: int = 1_000) -> str:
    return keys.parts("ranker", start) if step == 1_000 else keys.rollup_parts("ranker", step, start)


def read(connection: Connection, keys: ShardKeys, start: int, step: int = 1_000) -> bytes:
    """Return the token of a pane's parts."""
    last = connection.command("LINDEX", parts_key(keys, start, step), -1)
    return b"" if last is None else mark_of(as_bytes(last))


def push(connection: Connection, keys: ShardKeys, start: int) -> bytes:
    part = marked(b"part")
    connection.command("RPUSH", keys.parts("ranker", start), part)
    connection.command("ZADD", keys.open, start + 1_000, f"ranker:1000:{start}")
    return part


def closed_entries(connection: Connection, keys: ShardKeys) -> list[dict[str, bytes]]:
    return [as_hash(as_list(item)[1]) for item in as_list(connection.command("XRANGE", keys.metrics, "-", "+"))]


def test_a_pane_closes_once(connection: Connection, keys: ShardKeys) -> None:
    """Of two workers that read the same parts, one writes the pane."""
    push(connection, keys, 1_000)
    token = read(connection, keys, 1_000)
    assert close(connection, keys, 1_000, tokens=[token]) == ["ok", 0, 0]
    assert close(connection, keys, 1_000, tokens=[token]) == ["changed"]
    assert len(closed_entries(connection, keys)) == 1


def test_a_commit_between_reading_and_closing_is_noticed(connection: Connection, keys: ShardKeys) -> None:
    """No part is deleted that the pane does not include."""
    push(connection, keys, 1_000)
    token = read(connection, keys, 1_000)
    push(connection, keys, 1_000)
    assert close(connection, keys, 1_000, tokens=[token]) == ["changed"]
    assert connection.command("LLEN", keys.parts("ranker", 1_000)) == 2


def test_as_many_parts_again_are_not_those_that_were_read(connection: Connection, keys: ShardKeys) -> None:
    """What goes to a coarser step leaves no revision behind: of two closers, one would count the first parts twice."""
    push(connection, keys, 9_000)
    close(connection, keys, 9_000)
    push(connection, keys, 1_000)
    token = read(connection, keys, 1_000)
    assert close(connection, keys, 1_000, blob=b"late", covering=60_000) == ["over"]
    push(connection, keys, 1_000)
    assert close(connection, keys, 1_000, tokens=[token], blob=b"late", covering=60_000) == ["changed"]
    assert rollup_parts(connection, keys, 60_000, 0) == [b"late"]
    assert connection.command("LLEN", keys.parts("ranker", 1_000)) == 1


def test_closing_moves_the_cursor_and_makes_the_roll_up_due(connection: Connection, keys: ShardKeys) -> None:
    """Cursor, pane, roll-up and the end of the parts are one step."""
    push(connection, keys, 11_000)
    close(connection, keys, 11_000)
    assert connection.command("HGET", keys.closed, "ranker") == b"12000"
    assert connection.command("ZRANGE", keys.rollups, 0, -1, "WITHSCORES") == [b"ranker:10000:10000", b"20000"]
    assert connection.command("EXISTS", keys.open) == 0
    assert connection.command("EXISTS", keys.parts("ranker", 11_000)) == 0


def test_late_events_make_the_next_revision(connection: Connection, keys: ShardKeys) -> None:
    """A revision must include the pane that is stored, and says so by its number."""
    push(connection, keys, 1_000)
    close(connection, keys, 1_000)
    push(connection, keys, 1_000)
    assert close(connection, keys, 1_000, revision=-1) == ["changed"]
    assert close(connection, keys, 1_000, revision=0, blob=b"both") == ["ok", 1, 0]
    assert connection.command("HGET", keys.closed, "ranker") == b"2000"


def test_an_absent_pane_that_gets_late_events_is_a_revision(connection: Connection, keys: ShardKeys) -> None:
    """It was closed as empty; the cursor stays where it is."""
    push(connection, keys, 5_000)
    close(connection, keys, 5_000)
    push(connection, keys, 3_000)
    assert close(connection, keys, 3_000) == ["ok", 1, 0]
    assert connection.command("HGET", keys.closed, "ranker") == b"6000"


def rollup_parts(connection: Connection, keys: ShardKeys, step: int, start: int) -> list[bytes]:
    found = as_list(connection.command("LRANGE", keys.rollup_parts("ranker", step, start), 0, -1))
    return [unmarked(as_bytes(part)) for part in found]


def test_a_roll_up_is_made_from_its_children_as_they_close(connection: Connection, keys: ShardKeys) -> None:
    """Each hands up what the roll-up has not got yet: at first itself, then only what is new."""
    push(connection, keys, 1_000)
    close(connection, keys, 1_000, blob=b"first")
    push(connection, keys, 1_000)
    close(connection, keys, 1_000, revision=0, blob=b"both", news=b"second")
    assert rollup_parts(connection, keys, 10_000, 0) == [b"first", b"second"]


def test_a_roll_up_waits_until_its_service_is_closed_through_its_end(connection: Connection, keys: ShardKeys) -> None:
    """And it is refused when another child has closed since it was read."""
    push(connection, keys, 1_000)
    close(connection, keys, 1_000)
    assert close(connection, keys, 0, step=10_000) == ["changed"]
    push(connection, keys, 10_000)
    close(connection, keys, 10_000)
    assert close(connection, keys, 0, tokens=[b"old mark"], step=10_000) == ["changed"]
    assert close(connection, keys, 0, step=10_000)[0] == "ok"
    assert rollup_parts(connection, keys, 10_000, 0) == []
    assert rollup_parts(connection, keys, 60_000, 0) == [b"pane"]


def test_a_closed_pane_expires_and_is_found_until_then(connection: Connection, keys: ShardKeys) -> None:
    """Its roll-up has it from the moment it closes: nothing waits for the block any more."""
    push(connection, keys, 9_000)
    close(connection, keys, 9_000)
    assert 0 < as_int(connection.command("PTTL", keys.panes("ranker", 1_000, 0))) <= KEEP_MS
    assert connection.command("ZRANGE", keys.blocks("ranker"), 0, -1) == [b"1000:0"]


def test_the_coarsest_pane_makes_no_roll_up(connection: Connection, keys: ShardKeys) -> None:
    """Nothing is made of it any more."""
    connection.command("RPUSH", keys.rollup_parts("ranker", 60_000, 0), marked(b"part"))
    connection.command("ZADD", keys.rollups, 60_000, "ranker:60000:0")
    assert close(connection, keys, 0, step=60_000) == ["ok", 0, 0]
    assert connection.command("EXISTS", keys.rollups) == 0


def test_a_pane_whose_retention_is_over_goes_to_the_step_that_is_kept(connection: Connection, keys: ShardKeys) -> None:
    """Stored, its late events would look like the whole of a pane that has expired."""
    push(connection, keys, 9_000)
    close(connection, keys, 9_000)
    push(connection, keys, 1_000)
    assert close(connection, keys, 1_000, blob=b"late", covering=60_000) == ["over"]
    assert connection.command("HGET", keys.panes("ranker", 1_000, 0), "1000") is None
    assert rollup_parts(connection, keys, 60_000, 0) == [b"late"]
    assert connection.command("ZSCORE", keys.rollups, "ranker:60000:0") == b"60000"
    assert connection.command("EXISTS", keys.open, keys.parts("ranker", 1_000)) == 0


def test_a_pane_that_is_still_there_is_revised_however_old(connection: Connection, keys: ShardKeys) -> None:
    """After a long pause panes close late and live on from then."""
    push(connection, keys, 1_000)
    close(connection, keys, 1_000)
    push(connection, keys, 1_000)
    late = close(connection, keys, 1_000, revision=0, blob=b"both", news=b"late", covering=60_000)
    assert late == ["ok", 1, 0]
    assert rollup_parts(connection, keys, 10_000, 0) == [b"pane", b"late"]


def test_several_panes_close_in_order_up_to_the_first_that_changed(connection: Connection, keys: ShardKeys) -> None:
    """One that closed before an earlier one would make that a revision nobody waits for."""
    starts = (1_000, 2_000, 3_000)
    for start in starts:
        push(connection, keys, start)
    tokens = [read(connection, keys, start) for start in starts]
    push(connection, keys, 2_000)
    assert close(connection, keys, *starts, tokens=tokens) == ["changed"]
    assert connection.command("HGET", keys.closed, "ranker") == b"2000"
    assert connection.command("LLEN", keys.parts("ranker", 3_000)) == 1


def test_what_was_read_before_a_deletion_is_not_written_after_it(connection: Connection, keys: ShardKeys) -> None:
    """Even when the same pane has as many parts again by then."""
    push(connection, keys, 1_000)
    connection.command("HSET", keys.progress, "deletions", 1)
    assert close(connection, keys, 1_000) == ["changed"]
    assert close(connection, keys, 1_000, deletions=1) == ["ok", 0, 0]


def test_an_empty_pane_does_not_list_a_service_that_left(connection: Connection, keys: ShardKeys) -> None:
    """A closer that fills a hole comes too late when the service has retired or is deleted."""
    assert close(connection, keys, 1_000) == ["changed"]
    assert connection.command("EXISTS", keys.closed, keys.panes("ranker", 1_000, 0)) == 0


def test_a_retired_service_gets_its_roll_ups(connection: Connection, keys: ShardKeys) -> None:
    """It is closed through everything: its hour is made when the hour is over."""
    push(connection, keys, 1_000)
    close(connection, keys, 1_000)
    connection.command("HDEL", keys.closed, "ranker")
    assert close(connection, keys, 0, step=10_000)[0] == "ok"


def test_empty_panes_before_it_come_first_when_an_instance_is_missing_in_them(
    connection: Connection, keys: ShardKeys
) -> None:
    """An absent pane says that nothing came and nobody was missing: of a dead instance's silence that is not true."""
    push(connection, keys, 1_000)
    close(connection, keys, 1_000)
    append(connection, keys, {}, mode="heartbeat", seq=0, through_ms=2_500)
    push(connection, keys, 4_000)
    assert close(connection, keys, 4_000) == ["hole", "2000"]
    assert close(connection, keys, 2_000) == ["ok", 0, 1]
    assert close(connection, keys, 3_000) == ["ok", 0, 1]
    assert close(connection, keys, 4_000) == ["ok", 0, 1]


def test_a_wrong_argument_closes_nothing(connection: Connection, keys: ShardKeys) -> None:
    """What the last write needs is checked before the first: there is no rollback."""
    push(connection, keys, 1_000)
    with pytest.raises(CommandRefusedError, match="whole number"):
        close(connection, keys, 1_000, metrics_keep_ms="soon")
    assert connection.command("EXISTS", keys.closed, keys.metrics, keys.panes("ranker", 1_000, 0)) == 0
    assert connection.command("LLEN", keys.parts("ranker", 1_000)) == 1


def test_an_instance_that_has_not_shipped_everything_is_missing(connection: Connection, keys: ShardKeys) -> None:
    """Counted from its through_ms; one that said goodbye or has been silent for five minutes is not."""
    late, gone, done = "host:1:000000000000000a", "host:1:000000000000000b", "host:1:000000000000000c"
    push(connection, keys, 1_000_000)
    append(connection, keys, {}, mode="heartbeat", seq=0, instance=late, through_ms=1_000_999)
    append(connection, keys, {}, mode="heartbeat", seq=0, instance=gone, through_ms=1_001_000 - MINUTES_5 - 1)
    append(connection, keys, {}, mode="heartbeat", seq=0, instance=done, through_ms=1_001_000)
    assert close(connection, keys, 1_000_000) == ["ok", 0, 1]


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
    close(connection, keys, 1_000)


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
def test_late_events_do_not_hold_the_quiet_tick(connection: Connection, keys: ShardKeys) -> None:
    """They make a revision of a pane that is behind the cursor already."""
    push(connection, keys, 1_000)
    tick(connection, keys, 5_000)
    assert connection.command("HGET", keys.closed, "ranker") == b"5000"


@pytest.mark.usefixtures("closed_at_2000")
def test_a_silent_producer_holds_the_quiet_tick(connection: Connection, keys: ShardKeys) -> None:
    """Silence because of a death is not quiet: the service is handed back for panes that say so."""
    append(connection, keys, {}, mode="heartbeat", seq=0, through_ms=4_000)
    assert tick(connection, keys, 5_000) == ["ranker"]
    assert connection.command("HGET", keys.closed, "ranker") == b"2000"


@pytest.mark.usefixtures("closed_at_2000")
def test_a_foreign_key_holds_the_quiet_tick_of_its_own_service(connection: Connection, keys: ShardKeys) -> None:
    """The others move on; closing an empty pane of this one then says what is wrong."""
    connection.command("SET", keys.producers("ranker"), b"foreign")
    connection.command("HSET", keys.closed, "good", 2_000)
    names = [keys.closed, keys.open, keys.metrics, keys.producers("ranker"), keys.producers("good")]
    held = connection.call("baro_tick_1", names, [1_000, 5_000, MINUTES_5, 3_600_000, "ranker", "good"])
    assert (held, connection.command("HGET", keys.closed, "good")) == ([b"ranker"], b"5000")
    with pytest.raises(CommandRefusedError, match="holds a string"):
        close(connection, keys, 2_000)


def retire(connection: Connection, keys: ShardKeys) -> None:
    call = retire_call(keys, "aggregator", "ranker", until=EntryId(0, 0), keep_metrics_ms=3_600_000)
    assert as_text(as_list(connection.command(*call))[0]) == "ok"


def test_a_retired_service_goes_on_where_it_was_closed(connection: Connection, keys: ShardKeys) -> None:
    """An old event after its return makes a revision, and does not set it back behind what is stored."""
    for start in (1_000, 2_000, 3_000):
        push(connection, keys, start)
    close(connection, keys, 1_000, 2_000, 3_000)
    retire(connection, keys)
    push(connection, keys, 2_000)
    assert close(connection, keys, 2_000, revision=0) == ["ok", 1, 0]
    assert connection.command("HGET", keys.closed, "ranker") == b"4000"
    assert connection.command("HGET", keys.progress, "retired:ranker") is None


def test_a_retired_service_returns_past_a_gap(connection: Connection, keys: ShardKeys) -> None:
    """The empty panes since its retirement are closed first where an instance is missing in them."""
    push(connection, keys, 1_000)
    close(connection, keys, 1_000)
    retire(connection, keys)
    append(connection, keys, {}, mode="heartbeat", seq=0, through_ms=4_500)
    push(connection, keys, 5_000)
    assert close(connection, keys, 5_000) == ["hole", "2000"]
    assert close(connection, keys, 2_000, 3_000, 4_000) == ["ok", 0, 1]
    assert close(connection, keys, 5_000) == ["ok", 0, 1]


def test_an_empty_pane_that_is_stored_already_is_passed(connection: Connection, keys: ShardKeys) -> None:
    """The cursor was set back: what is stored stays as it is, and the service goes on."""
    push(connection, keys, 1_000)
    push(connection, keys, 2_000)
    close(connection, keys, 1_000, 2_000)
    before = as_hash(connection.command("HGETALL", keys.panes("ranker", 1_000, 0)))
    entries = len(closed_entries(connection, keys))
    connection.command("HSET", keys.closed, "ranker", 2_000)
    assert close(connection, keys, 2_000) == ["ok", 0, 0]
    assert close(connection, keys, 2_000) == ["changed"]
    assert as_hash(connection.command("HGETALL", keys.panes("ranker", 1_000, 0))) == before
    assert connection.command("HGET", keys.closed, "ranker") == b"3000"
    assert len(closed_entries(connection, keys)) == entries


def test_a_deleted_service_does_not_go_on_where_it_was_closed(connection: Connection, keys: ShardKeys) -> None:
    """A service of that name is a new one."""
    push(connection, keys, 1_000)
    close(connection, keys, 1_000)
    retire(connection, keys)
    ServiceEnd(connection, keys, "ranker").delete()
    assert connection.command("HGET", keys.progress, "retired:ranker") is None


def test_read_sends_only_what_is_new(connection: Connection, keys: ShardKeys) -> None:
    """Known revisions and parts already held are left out; the cursor comes along."""
    push(connection, keys, 1_000)
    close(connection, keys, 1_000)
    held = [push(connection, keys, 2_000), push(connection, keys, 2_000)]
    request = [keys.closed, keys.panes("ranker", 1_000, 0), keys.parts("ranker", 2_000)]
    new = connection.call("baro_read_1", request, ["ranker", 1, 1, 1_000, -1, 0], read_only=True)
    assert new == [b"2000", [[b"1000", b"0", b"0", b"pane"]], [[b"2", *held]]]
    known = connection.call("baro_read_1", request, ["ranker", 1, 1, 1_000, 0, 1], read_only=True)
    assert known == [b"2000", [], [[b"2", held[1]]]]
