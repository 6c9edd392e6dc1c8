"""The console computes the quantities of conditions as alerters do."""

from hypothesis import given, settings
from hypothesis import strategies as st

from barograph_alerter.conditions.functions import PLAIN, STATISTICS, parse_quantity
from barograph_alerter.conditions.functions import Quantity as Judged
from barograph_console.detail.quantities import Quantity
from barograph_core.events.kinds import KINDS
from barograph_core.objectives.event_test import EventTest
from barograph_core.panes.pane import Pane
from tests.batches import Event, decoded, panes_by_start

MEASURES = ("latency_ms", "absolute_error")
STATISTIC = st.sampled_from([*STATISTICS, "p50", "p95", "p99_9", "p100"])
NUMBER = st.none() | st.floats(0, 1e6)


def prediction(latency_ms: float | None, error: float | None, failed: float | None) -> Event:
    return Event(("ctr", "7"), 0, (latency_ms, None, None, error, failed))


def request(duration_ms: float, status: int) -> Event:
    return Event(("/a", "GET", status), 0, (duration_ms,))


PREDICTION = st.builds(prediction, NUMBER, NUMBER, st.none() | st.sampled_from([0.0, 1.0]))
REQUEST = st.builds(request, st.floats(0, 1e6), st.sampled_from([200, 404, 500]))


def pane_of(kind: str, events: list[Event]) -> Pane:
    return Pane.merge(list(panes_by_start([decoded(kind, events)], 1_000).values())) if events else Pane.EMPTY


@settings(max_examples=60, deadline=None)
@given(st.lists(PREDICTION, max_size=12), st.sampled_from(MEASURES), STATISTIC)
def test_a_statistic_of_a_measure_is_the_alerters(events: list[Event], measure: str, statistic: str) -> None:
    """Of no values too."""
    judged, shown = parse_quantity(measure, statistic), Quantity.parse(f"{measure}.{statistic}", KINDS["model"])
    assert judged is not None
    assert shown is not None
    compare(judged, shown, "model", events)


@settings(max_examples=60, deadline=None)
@given(st.lists(REQUEST, max_size=12), st.sampled_from(sorted(PLAIN)))
def test_a_number_of_events_is_the_alerters(events: list[Event], name: str) -> None:
    """Counts, rates, errors, their share, a status, and the share that passes a test."""
    request_kind = KINDS["request"]
    code = 404 if name == "status" else None
    test = EventTest.parse("duration_ms < 300", request_kind) if name == "share" else None
    judged = Judged(name, code=code, test=test)
    shown = Quantity.parse(judged.key, request_kind)
    assert shown is not None
    compare(judged, shown, "request", events)


def test_every_kind_is_read() -> None:
    """The names above are those that exist."""
    assert set(MEASURES) <= set(KINDS["model"].measure_names)


def compare(judged: Judged, shown: Quantity, kind: str, events: list[Event]) -> None:
    rows = pane_of(kind, events).group(kind)
    row = rows[0] if rows else None
    if row is None:
        # An alerter judges a series without events as one with a count of 0.
        assert shown.value(None, 10_000) in (None, 0.0)
    else:
        assert shown.value(row, 10_000) == judged.function.value(judged, row, 10_000)
