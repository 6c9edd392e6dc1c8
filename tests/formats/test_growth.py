"""The next version has one more measure and one more kind: it reads what we wrote, and we refuse what is new in it."""

from dataclasses import replace

import pytest

from barograph_aggregator.close.closer import Closer
from barograph_aggregator.settings import AggregatorSettings
from barograph_core.decode.batch import decode_batch
from barograph_core.decode.entries import EntryDecoder
from barograph_core.errors import MalformedEventError
from barograph_core.events.encode import LabelSet
from barograph_core.events.kinds import KINDS, UNSTATED_MEASURES, Measure
from barograph_core.events.messagepack import unpack_array
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.panes.pane import Pane
from barograph_core.server.connection import Connection
from barograph_core.server.replies import Entry as StreamEntry
from barograph_core.server.replies import EntryId, as_bytes
from barograph_core.store.figure_records import read_records, record_format
from barograph_core.store.figure_store import FigureRange, FigureStore, SeriesNames
from barograph_core.store.pane_store import PaneStore
from barograph_core.store.parts import marked
from barograph_core.workers.consumer import UnreadableEntryError
from barograph_core.workers.counters import WorkerCounters
from tests.batches import Entry
from tests.formats.kept import VERSIONS, kept_entries, restore_keys
from tests.formats.next_version import (
    GROWN_MODEL,
    MINUTE,
    OUTCOME,
    entry,
    grown,
    grown_model,
    outcome,
    pane_of,
    renamed,
)
from tests.formats.write import CLOSED_TO_MS, INSTANCE, SERVICE, START_MS, STEPS
from tests.integration.alerter.desk import COUNTING, Desk
from tests.support import FakeClock, fake_connection
from tests.unit.aggregator.test_aggregator import Pipeline
from tests.unit.alerter.build import requests

LAST = VERSIONS[-1]


def close_minute(connection: Connection, keys: ShardKeys, minute: int, pane: Pane) -> None:
    """Close a minute's roll-up that gets ``pane``."""
    start_ms = START_MS + minute * MINUTE.step_ms
    connection.command("RPUSH", keys.rollup_parts(SERVICE, MINUTE.step_ms, start_ms), marked(pane.pack()))
    connection.command("ZADD", keys.rollups, start_ms + MINUTE.step_ms, f"{SERVICE}:{MINUTE.step_ms}:{start_ms}")
    connection.command("HSET", keys.closed, SERVICE, START_MS + MINUTE.span_ms)
    Closer(connection, keys, AggregatorSettings(), STEPS, WorkerCounters()).advance(
        START_MS + (minute + 1) * MINUTE.step_ms
    )


def figures(connection: Connection, keys: ShardKeys, kind: str, measure: str) -> list[tuple[int, int, float]]:
    """Return minute, count and sum of each figure of the kind as a whole in the kept hour."""
    where = FigureRange(SERVICE, MINUTE, START_MS, START_MS + MINUTE.span_ms)
    index = KINDS[kind].measure_names.index(measure)
    found, _ = FigureStore(connection, keys, SeriesNames()).read(where, KINDS[kind], index, [()])
    minutes = ((found.starts_ms - START_MS) // MINUTE.step_ms).tolist()
    return list(zip(minutes, found.counts.tolist(), found.totals.tolist(), strict=True))


def test_the_table_of_unstated_measures_never_changes() -> None:
    """It is about bytes that were written long ago. Today's kinds may have more measures, never fewer."""
    assert UNSTATED_MEASURES == {"request": 1, "model": 4, "system": 12, "custom": 1}
    assert list(KINDS)[:4] == ["request", "model", "system", "custom"]
    assert all(len(KINDS[name].measures) >= count for name, count in UNSTATED_MEASURES.items())


@pytest.mark.parametrize("version", VERSIONS)
def test_the_next_version_reads_batches_of_earlier_ones(version: str) -> None:
    """The new measure is absent, in one read with batches that have it."""
    with grown():
        batch = decode_batch(renamed(kept_entries(version))[1])
        assert batch.kind is GROWN_MODEL
        assert [None if column is None else column.tolist()[0] for column in batch.columns] == [
            8.0,
            0.5,
            -1.5,
            None,
            None,
            None,
        ]
        (row,) = pane_of(*renamed(kept_entries(version))[1:2], grown_model(START_MS, 0.25)).group("model")
        assert (row.count, row.measures["latency_ms"].count) == (4, 4)
        assert (row.measures["cost_usd"].count, row.measures["cost_usd"].sum) == (1, 0.25)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_next_version_reads_panes_of_earlier_ones(version: str) -> None:
    """Closed, rolled up and as parts; merged with its own they are panes of the next version."""
    connection = fake_connection()
    keys = restore_keys(version, connection)
    with grown():
        store = PaneStore(connection, keys, STEPS)
        for step_ms in (1_000, 10_000, 60_000):
            for stored in store.read(SERVICE, step_ms, START_MS, CLOSED_TO_MS):
                for row in stored.pane.series("model"):
                    assert row.measures["cost_usd"].count == 0
                    assert row.measures["latency_ms"].sum in (17.0, 34.0, 51.0, 20.0, 40.0, 60.0)
        view = store.read_live(SERVICE, CLOSED_TO_MS, {})
        assert view is not None
        opened = view.opened[CLOSED_TO_MS]
        merged = Pane.merge([opened, pane_of(grown_model(CLOSED_TO_MS, 0.25), outcome(CLOSED_TO_MS))])
        again = Pane.unpack(merged.pack())
        assert again.kinds == ("request", "model", "system", "custom", "outcome")
        assert [again.series(kind) for kind in again.kinds] == [merged.series(kind) for kind in again.kinds]
        assert [(row.count, row.measures["cost_usd"].sum) for row in again.group("model")] == [(4, 0.25)]


def test_panes_of_this_version_are_read_by_the_next_one() -> None:
    """They state how many measures they hold."""
    ours = pane_of(*kept_entries(LAST)).pack()
    assert unpack_array(ours, max_items=64)[:4] == (2, b"request", 1, 1)
    with grown():
        (row,) = Pane.unpack(ours).group("model")
        assert (row.count, row.measures["cost_usd"].count) == (3, 0)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_block_of_figures_may_be_ended_by_the_next_version(version: str) -> None:
    """And added to by this one again: in a fleet that is upgraded a worker at a time both close panes."""
    connection = fake_connection()
    keys = restore_keys(version, connection)
    this = pane_of(*kept_entries(LAST)[1:2])
    latencies = [(0, 9, 111.0), (1, 6, 74.0), (2, 3, 37.0), (3, 1, 1.0), (4, 3, 37.0), (5, 3, 37.0)]
    costs = [(0, 0, 0.0), (1, 0, 0.0), (2, 0, 0.0), (3, 1, 0.25), (4, 0, 0.0), (5, 0, 0.0)]
    with grown():
        # What the last version left open closes too: a revision of minute 1, and minute 2.
        close_minute(connection, keys, 3, pane_of(grown_model(START_MS, 0.25), outcome(START_MS)))
        assert figures(connection, keys, "model", "latency_ms") == latencies[:4]
        assert figures(connection, keys, "model", "cost_usd") == costs[:4]
        assert figures(connection, keys, "outcome", "error") == [(3, 1, -2.0)]
    close_minute(connection, keys, 5, this)
    close_minute(connection, keys, 4, this)
    with grown():
        assert figures(connection, keys, "model", "latency_ms") == latencies
        assert figures(connection, keys, "model", "cost_usd") == costs


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("request", ("/a", "GET", 200)),
        ("model", ("ctr", "7")),
        ("system", (INSTANCE, "process")),
        ("custom", ("queue",)),
    ],
)
def test_records_without_a_size_are_filled_up_whatever_their_kind(name: str, labels: LabelSet) -> None:
    """The server has a table of their sizes, which is this version's table of measures in bytes."""
    connection = fake_connection()
    keys = restore_keys("0.1.0", connection)
    measures = KINDS[name].measures
    (first, *rest) = figures(connection, keys, name, measures[0].name)
    assert len(rest) == 1
    kind = replace(KINDS[name], measures=(*measures, Measure("more")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(KINDS, name, kind)
        values = [1 if measure.is_flag else place for place, measure in enumerate(kind.measures, start=1)]
        event = renamed([entry(kind, labels, START_MS, *values)], f"grown:1:{name}".encode())
        close_minute(connection, keys, 3, pane_of(*event))
        found = figures(connection, keys, name, measures[0].name)
        assert (found[0], found[3]) == (first, (3, 1, 1.0))
        more = figures(connection, keys, name, "more")
        assert [count for _, count, _ in more] == [0, 0, 0, 1]
        assert more[3][2] == len(measures) + 1


def test_figures_of_the_next_version_are_refused() -> None:
    """With a reason, and figures of the other kinds are still shown."""
    connection = fake_connection()
    keys = restore_keys(LAST, connection)
    with grown():
        close_minute(connection, keys, 3, pane_of(grown_model(START_MS, 0.25)))
    with pytest.raises(
        MalformedEventError, match=r"figures of 275 bytes are longer than the 231 of model .* newer version"
    ):
        figures(connection, keys, "model", "latency_ms")
    assert figures(connection, keys, "request", "duration_ms") == [(0, 36, 877.5), (1, 24, 585.0), (2, 12, 292.5)]


@pytest.mark.parametrize("content", [b"\0", b"\xbc\0\xff" + bytes(188), b"\x10\0\xff" + bytes(32), bytes(100)])
def test_what_is_no_field_of_figures_is_refused(content: bytes) -> None:
    """A size that no record has, or bytes that are no whole records."""
    with grown(), pytest.raises(MalformedEventError, match="are not figures of"):
        read_records(GROWN_MODEL, content)


def test_figures_of_a_new_kind_state_their_size() -> None:
    """The first version had no such kind, so there is no other way to know it."""
    with pytest.raises(MalformedEventError, match="figures of outcome do not begin with their size"):
        read_records(OUTCOME, bytes(record_format(OUTCOME).itemsize))


def test_a_newer_column_is_refused_as_a_whole() -> None:
    """Never half read: the entry can be counted once this aggregator knows the measure."""
    newer = renamed([grown_model(START_MS, 0.25), outcome(START_MS)], b"this:1:reader")
    reason = (
        "6 columns are more than the 5 measures of model that this version knows "
        "(latency_ms, confidence, prediction, absolute_error, failed): a newer version sent them"
    )
    found = EntryDecoder().decode([*kept_entries(LAST), *newer])
    assert [bad.position for bad in found.bad] == [4, 5]
    assert found.bad[0].reason == reason
    assert found.bad[1].reason == "kind b'outcome' is none of request, model, system, custom"
    assert sum(block.events for block in found.blocks) == 19


@pytest.mark.parametrize(
    ("newer", "reason"), [(grown_model(START_MS, 0.25), "6 columns"), (outcome(START_MS), "kind b'outcome'")]
)
def test_the_aggregator_names_the_entry_to_dead_letter(newer: Entry, reason: str) -> None:
    """Nothing of the read is committed before the loop has dead-lettered it; the loop hands the others over again."""
    pipeline = Pipeline()
    read = [*kept_entries(LAST), *renamed([newer], b"this:1:reader")]
    entries = [StreamEntry(EntryId(1, at), fields) for at, fields in enumerate(read)]
    with pytest.raises(UnreadableEntryError, match=reason) as caught:
        pipeline.handler.handle(entries, is_redelivered=False)
    assert caught.value.entry.id == EntryId(1, 4)
    assert pipeline.counters["events_committed"] == 0


def test_a_pane_of_the_next_version_is_refused_in_words() -> None:
    """Read for what is known it would be merged, written back and have lost the rest."""
    with grown():
        longer = pane_of(grown_model(START_MS, 0.25)).pack()
        foreign = pane_of(outcome(START_MS)).pack()
    with pytest.raises(MalformedEventError, match=r"6 measures of model are more than the 5 .* a newer version wrote"):
        Pane.unpack(longer)
    with pytest.raises(MalformedEventError, match=r"pane kinds \['outcome'\] are not known: .* newer version wrote"):
        Pane.unpack(foreign)


def test_a_pane_that_one_worker_cannot_read_waits_for_one_that_can(caplog: pytest.LogCaptureFixture) -> None:
    """The older worker logs why, leaves its service alone and closes the others; nothing is lost."""
    connection = fake_connection()
    keys = restore_keys(LAST, connection)
    with grown():
        part = marked(pane_of(grown_model(CLOSED_TO_MS, 0.25), step_ms=1_000).pack())
    connection.command("RPUSH", keys.parts(SERVICE, CLOSED_TO_MS), part)
    older = WorkerCounters()
    Closer(connection, keys, AggregatorSettings(), STEPS, older).advance(CLOSED_TO_MS + 1_000)
    assert older["loop_errors"] >= 1
    (record,) = [found for found in caplog.records if found.getMessage() == "pane.cannot_close"]
    assert "a newer version wrote the pane" in str(record.__dict__["reason"])
    assert as_bytes(connection.command("HGET", keys.closed, SERVICE)) == str(CLOSED_TO_MS).encode()
    with grown():
        Closer(connection, keys, AggregatorSettings(), STEPS, WorkerCounters()).advance(CLOSED_TO_MS + 1_000)
        stored = PaneStore(connection, keys, STEPS).read(SERVICE, 1_000, CLOSED_TO_MS, CLOSED_TO_MS + 1_000)
        assert [(row.count, row.measures["cost_usd"].sum) for row in stored[0].pane.group("model")] == [(4, 0.25)]


def test_an_alerter_waits_with_panes_that_it_cannot_read() -> None:
    """It neither fires nor resolves by them, and an upgraded one judges each of them."""
    desk = Desk(fake_connection(), ShardKeys(), FakeClock())
    older = desk.alerter(COUNTING)
    desk.close(requests(errors=5))
    older.work()
    judged_to = desk.state()["closed_at"]
    with grown():
        desk.close(*[Pane.merge([requests(ok=5), pane_of(grown_model(START_MS, 0.25))])] * 4)
    with pytest.raises(MalformedEventError, match="a newer version wrote the pane"):
        older.work()
    assert desk.told == [("inactive", "firing", True, "")]
    assert desk.state()["closed_at"] == judged_to
    with grown():
        desk.alerter(COUNTING, name="a2").tick()
    assert [(before, after) for before, after, *_ in desk.told] == [("inactive", "firing"), ("firing", "resolved")]
