"""What the last version wrote, kept as bytes, is read by this one with the values that were recorded."""

import json
import math

import pytest

from barograph_aggregator.close.closer import Closer
from barograph_aggregator.settings import AggregatorSettings
from barograph_core.alerts.record import AlertState, Contributor, Severity
from barograph_core.alerts.state import ServiceState
from barograph_core.alerts.transition import Transition
from barograph_core.decode.batch import EventBatch, decode_batch
from barograph_core.events.kinds import KINDS, Labels
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.panes.pane import Pane
from barograph_core.panes.summary import SeriesSummary
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_bytes, as_hash, as_list
from barograph_core.store.figure_store import FigureRange, FigureStore, SeriesNames
from barograph_core.store.pane_store import PaneStore
from barograph_core.store.parts import unmarked
from barograph_core.workers.counters import WorkerCounters
from tests.formats.kept import VERSIONS, kept_entries, restore_keys
from tests.formats.write import CLOSED_TO_MS, INSTANCE, SERVICE, START_MS, STEPS, batches
from tests.support import fake_connection

MINUTE = STEPS[2]
A, ACME, E = ("/a", "GET"), ("/a", "GET", "tenant", "acme"), ("/é", "POST")


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def connection() -> Connection:
    return fake_connection()


@pytest.fixture
def keys(version: str, connection: Connection) -> ShardKeys:
    return restore_keys(version, connection)


def columns(batch: EventBatch) -> dict[str, list[float] | None]:
    named = zip(batch.kind.measure_names, batch.columns, strict=True)
    return {name: None if column is None else column.tolist() for name, column in named}


def sums(row: SeriesSummary) -> dict[str, tuple[int, float]]:
    """Return count and sum of each measure that has a value."""
    return {name: (summary.count, summary.sum) for name, summary in row.measures.items() if summary.count}


def by_labels(pane: Pane, kind: str) -> dict[Labels, SeriesSummary]:
    return {row.labels: row for row in pane.series(kind)}


def assert_holds_events(pane: Pane, times: int) -> None:
    """Check that ``pane`` holds the events of ``tests.formats.write.batches``, ``times`` over."""
    requests = by_labels(pane, "request")
    assert {labels: (row.count, row.errors, row.estimated) for labels, row in requests.items()} == {
        A: (11 * times, 0, 10 * times),
        ACME: (times, times, 0),
        E: (times, 0, 0),
    }
    assert requests[A].status == {200: 11 * times}
    assert sums(requests[A]) == {"duration_ms": (11 * times, 42.5 * times)}
    duration = requests[A].measures["duration_ms"]
    assert (duration.minimum, duration.maximum, duration.quantile(1.0)) == (3.0, 12.5, 12.5)
    assert sums(requests[E]) == {}
    models = by_labels(pane, "model")
    assert sums(models["ctr", "7"]) == {
        "latency_ms": (2 * times, 17.0 * times),
        "confidence": (times, 0.5 * times),
        "prediction": (2 * times, 1.0 * times),
    }
    assert sums(models["ctr", "8"]) == {"latency_ms": (times, 20.0 * times), "confidence": (times, 0.75 * times)}
    (system,) = pane.series("system")
    names = KINDS["system"].measure_names[:12]
    assert sums(system) == {name: (times, float(place * times)) for place, name in enumerate(names, 1)}
    custom = by_labels(pane, "custom")
    assert sums(custom["queue",]) == {"value": (times, -4.0 * times)}
    assert sums(custom["queue", "zone", "eu"]) == {"value": (times, 0.25 * times)}


def test_batches_are_read(version: str) -> None:
    """Labels, times, values and weights of every kind."""
    request, model, system, custom = map(decode_batch, kept_entries(version))
    assert request.labels == (A, ACME, E)
    assert request.status is not None
    assert request.status.tolist() == [200, 500, 200]
    assert request.weights is not None
    assert request.weights.tolist() == [1, 1, 1, 10]
    assert (request.times_ms - START_MS).tolist() == [0, 1, 2, 999]
    durations = columns(request)["duration_ms"]
    assert durations is not None
    assert math.isnan(durations[2])
    assert durations[:2] + durations[3:] == [12.5, 250.0, 3.0]
    assert model.labels == (("ctr", "7"), ("ctr", "8"))
    assert (columns(model)["latency_ms"], columns(model)["absolute_error"]) == ([8.0, 9.0, 20.0], None)
    assert columns(system)["gc_collections"] == [12.0]
    assert (system.labels, custom.labels) == (((INSTANCE, "process"),), (("queue",), ("queue", "zone", "eu")))
    assert columns(custom) == {"value": [-4.0, 0.25]}


def test_the_last_version_reads_our_batches(version: str) -> None:
    """They are the same bytes: an aggregator may be older than its producers while no kind has grown."""
    ours = [{name.encode(): bytes.fromhex(value) for name, value in entry.items()} for entry in batches(START_MS)]
    assert ours == kept_entries(version)


@pytest.mark.parametrize(
    ("step_ms", "held"),
    [
        (1_000, [(1_000, 0, 1), (2_000, 1, 2), (61_000, 0, 1)]),
        (10_000, [(0, 1, 3), (60_000, 0, 1)]),
        (60_000, [(0, 1, 3), (60_000, 0, 1)]),
    ],
)
def test_closed_panes_and_roll_ups_are_read(
    connection: Connection, keys: ShardKeys, step_ms: int, held: list[tuple[int, int, int]]
) -> None:
    """At every step, revised ones too."""
    panes = PaneStore(connection, keys, STEPS).read(SERVICE, step_ms, START_MS, CLOSED_TO_MS)
    assert [(pane.start_ms - START_MS, pane.revision) for pane in panes] == [held_pane[:2] for held_pane in held]
    for pane, (_, _, times) in zip(panes, held, strict=True):
        assert_holds_events(pane.pane, times)


def test_parts_of_open_panes_are_read(connection: Connection, keys: ShardKeys) -> None:
    """An alerter judges them before they are closed."""
    view = PaneStore(connection, keys, STEPS).read_live(SERVICE, CLOSED_TO_MS - 60_000, {})
    assert view is not None
    assert view.closed_through_ms == CLOSED_TO_MS
    assert_holds_events(view.opened[CLOSED_TO_MS], 1)
    assert [pane.start_ms for pane in view.closed] == [START_MS + 61_000]


def test_a_pane_that_was_read_packs_to_this_version(connection: Connection, keys: ShardKeys) -> None:
    """And holds the same: what is merged from old panes is no different from what is merged from new ones."""
    for part in as_list(connection.command("LRANGE", keys.parts(SERVICE, CLOSED_TO_MS), 0, -1)):
        old = Pane.unpack(unmarked(as_bytes(part)))
        new = Pane.unpack(old.pack())
        assert [new.series(kind) for kind in new.kinds] == [old.series(kind) for kind in old.kinds]
        assert new.pack() == old.pack()


def figure_rows(
    connection: Connection, keys: ShardKeys, kind: str, measure: str
) -> list[tuple[Labels, int, int, float]]:
    """Return labels, minute, events and sum of each figure of the hour."""
    store = FigureStore(connection, keys, SeriesNames())
    where = FigureRange(SERVICE, MINUTE, START_MS, START_MS + MINUTE.span_ms)
    series = [(), *store.series(where, kind)]
    figures, _ = store.read(where, KINDS[kind], KINDS[kind].measure_names.index(measure), series)
    minutes = ((figures.starts_ms - START_MS) // MINUTE.step_ms).tolist()
    rows = zip(figures.series.tolist(), minutes, figures.events.tolist(), figures.totals.tolist(), strict=True)
    return [(series[at], minute, events, total) for at, minute, events, total in rows]


def test_figures_are_read(connection: Connection, keys: ShardKeys) -> None:
    """Of each series, and of the kind as a whole."""
    assert figure_rows(connection, keys, "request", "duration_ms") == [
        ((), 0, 39, 877.5),
        ((), 1, 13, 292.5),
        (A, 0, 33, 127.5),
        (A, 1, 11, 42.5),
        (ACME, 0, 3, 750.0),
        (ACME, 1, 1, 250.0),
        (E, 0, 3, 0.0),
        (E, 1, 1, 0.0),
    ]
    assert figure_rows(connection, keys, "model", "prediction")[:2] == [((), 0, 9, 3.0), ((), 1, 3, 1.0)]
    assert figure_rows(connection, keys, "system", "gc_collections")[0] == ((), 0, 3, 36.0)


def test_what_was_left_open_is_closed(connection: Connection, keys: ShardKeys) -> None:
    """Parts, stored panes and blocks of figures that the last version began: revised, rolled up and added to."""
    closer = Closer(connection, keys, AggregatorSettings(), STEPS, WorkerCounters())
    closer.advance(START_MS + 3_600_000)
    store = PaneStore(connection, keys, STEPS)
    seconds, minutes, hours = (
        [
            (pane.start_ms - START_MS, pane.revision, pane.pane)
            for pane in store.read(SERVICE, step_ms, START_MS, end_ms)
        ]
        for step_ms, end_ms in (
            (1_000, START_MS + 180_000),
            (60_000, START_MS + 180_000),
            (3_600_000, START_MS + 3_600_000),
        )
    )
    assert [pane[:2] for pane in seconds] == [(1_000, 0), (2_000, 1), (61_000, 1), (120_000, 0)]
    assert [pane[:2] for pane in minutes] == [(0, 1), (60_000, 1), (120_000, 0)]
    for (*_, pane), times in zip(minutes, (3, 2, 1), strict=True):
        assert_holds_events(pane, times)
    ((hour_start, _, hour),) = hours
    assert hour_start == 0
    assert_holds_events(hour, 6)
    rows = figure_rows(connection, keys, "request", "duration_ms")
    assert [row for row in rows if row[0] in ((), A)] == [
        ((), 0, 39, 877.5),
        ((), 1, 26, 585.0),
        ((), 2, 13, 292.5),
        (A, 0, 33, 127.5),
        (A, 1, 22, 85.0),
        (A, 2, 11, 42.5),
    ]


def test_alert_records_are_read_and_written_back(connection: Connection, keys: ShardKeys) -> None:
    """With the same values, so that an alerter of the last version reads them too: it ignores what is new."""
    fields = as_hash(connection.command("HGETALL", keys.state(SERVICE)))
    state = ServiceState.from_hash(fields)
    assert (state.closed_at_ms, state.unreadable) == (CLOSED_TO_MS, [])
    firing, pending = sorted(state.records.values(), key=lambda record: record.state)
    assert (firing.rule, firing.state, firing.severity) == ("slow", AlertState.FIRING, Severity.ERROR)
    assert (firing.labels, firing.value, firing.threshold) == ({"route": "/é"}, 0.1, 0.05)
    assert (firing.number, firing.fired_at_ms, firing.is_announced) == (2, START_MS + 5_000, True)
    assert firing.contributors == (Contributor({"version": "7"}, "errors", 3.0, 0.75),)
    assert (pending.rule, pending.state, pending.value) == ("errors", AlertState.PENDING, None)
    for record in (firing, pending):
        kept = json.loads(fields[f"alert:{record.alert_id}"])
        written = json.loads(record.to_json())
        assert {name: written[name] for name in kept} == kept


def test_entries_of_the_alerts_stream_are_read(connection: Connection, keys: ShardKeys) -> None:
    """They agree with the record."""
    ((_, raw),) = map(as_list, as_list(connection.command("XRANGE", keys.alerts, "-", "+")))
    fields = {name.encode(): value for name, value in as_hash(raw).items()}
    told = Transition.from_fields(fields)
    assert (told.before, told.after, told.rule) == (AlertState.PENDING, AlertState.FIRING, "slow")
    assert (told.notify, told.cooldown_ms, told.summary) == (True, 300_000, "/é is slow")
    ours = told.to_fields()
    assert {name: fields[name.encode()] for name in ours[::2]} == dict(
        zip(ours[::2], map(str.encode, ours[1::2]), strict=True)
    )
