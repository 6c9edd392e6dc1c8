"""Which events pass a test, counted from what a pane keeps of them."""

import random

import pytest

from barograph_core.events.encode import LabelSet
from barograph_core.events.kinds import KINDS
from barograph_core.objectives.event_test import EventTest, EventTestError, Passed, kind_of_subject
from barograph_core.panes.pane import Pane
from barograph_core.panes.summary import SeriesSummary
from tests.unit.alerter.build import pane_of, requests


def whole(pane: Pane, kind: str = "request") -> SeriesSummary:
    (row,) = pane.group(kind)
    return row


def durations(*values: float) -> SeriesSummary:
    return whole(pane_of("request", {("/a", "GET", 200): [(value,) for value in values]}))


def signed(*values: float) -> SeriesSummary:
    return whole(pane_of("custom", {("temperature",): [(value,) for value in values]}), "custom")


def parse(text: str, kind: str = "request") -> EventTest:
    return EventTest.parse(text, KINDS[kind])


@pytest.mark.parametrize(
    ("text", "passed"),
    [("errors == 0", 7), ("errors < 1", 7), ("errors != 0", 3), ("status < 500", 7), ("status == 500", 3)],
)
def test_errors_and_status_codes_are_counted_exactly(text: str, passed: int) -> None:
    """Nothing is in doubt."""
    assert parse(text).count(whole(requests(ok=7, errors=3))) == Passed(passed, 10, 0)


def test_model_events_that_do_not_say_whether_they_failed_are_not_counted() -> None:
    """The total is the events that can be tested."""
    events: dict[LabelSet, list[tuple[float | None, ...]]] = {
        ("ctr", "7"): [(1.0, None, None, None, 0.0), (1.0, None, None, None, 1.0), (1.0, None, None, None, None)]
    }
    assert parse("errors == 0", "model").count(whole(pane_of("model", events), "model")) == Passed(1, 2)


@pytest.mark.parametrize("bound", [100, 150, 200, 250, 300, 400, 500, 1_000, 2_000, 0.5])
def test_a_bound_that_is_the_edge_of_a_bin_is_exact(bound: float) -> None:
    """Those are the bounds that people write: a value on it, one just below and one just above are told apart."""
    test = parse(f"duration_ms < {bound}")
    assert (test.is_exact, test.counted_at) == (True, bound)
    assert test.count(durations(bound * 0.9999999, bound, bound * 1.0000001)) == Passed(1, 3, 0)
    assert test.negated.count(durations(bound * 0.9999999, bound, bound * 1.0000001)) == Passed(2, 3, 0)


@pytest.mark.parametrize(("bound", "counted_at"), [(750.0, 752.0), (747.0, 744.0), (0.9, 0.8984375), (99.9, 100.0)])
def test_another_bound_is_counted_at_the_nearest_edge(bound: float, counted_at: float) -> None:
    """It is off by less than the sketch is, and the events in the bin of the bound are in doubt."""
    test = parse(f"duration_ms < {bound}")
    assert (test.is_exact, test.counted_at) == (False, counted_at)
    assert abs(counted_at - bound) / bound <= 1 / 128
    found = test.count(durations(counted_at * 0.999, counted_at * 1.001))
    assert (found.passed, found.total, found.in_doubt) == (1, 2, 1)


@pytest.mark.parametrize("symbol", ["<", "<=", ">", ">="])
@pytest.mark.parametrize("seed", range(5))
def test_events_off_by_more_than_those_in_doubt_are_never_miscounted(symbol: str, seed: int) -> None:
    """The count differs from an exact one by no more than it says."""
    rolled = random.Random(seed)
    values = [rolled.lognormvariate(5, 1) for _ in range(500)]
    bound = rolled.uniform(20, 900)
    compare = {"<": float.__lt__, "<=": float.__le__, ">": float.__gt__, ">=": float.__ge__}[symbol]
    found = parse(f"duration_ms {symbol} {bound!r}").count(durations(*values))
    assert abs(found.passed - sum(compare(value, bound) for value in values)) <= found.in_doubt
    assert found.total == 500


EACH = [
    *[("request", text) for text in ("errors == 0", "status >= 300", "status != 200", "duration_ms < 300")],
    *[("request", text) for text in ("duration_ms <= 300.5", "duration_ms > 0", "duration_ms <= 0")],
    *[("custom", text) for text in ("value < -3", "value > -2.97", "value >= 0", "value <= 7.3")],
    *[("model", text) for text in ("errors != 0", "confidence > 0.3", "absolute_error <= 2")],
]


@pytest.mark.parametrize(("kind", "text"), EACH)
def test_all_series_of_a_table_are_counted_as_each_alone(kind: str, text: str) -> None:
    """A budget of weeks is thousands of panes of hundreds of series."""
    rolled = random.Random(7)
    events: dict[LabelSet, list[tuple[float | None, ...]]] = {}
    for number in range(300):
        name = f"s{number % 17:02}"
        value = rolled.choice([0.0, -3.0, 7.3, 300.0, rolled.uniform(-9, 9), rolled.uniform(0, 900)])
        if kind == "request":
            events.setdefault((name, "GET", rolled.choice([200, 404, 500])), []).append((abs(value),))
        elif kind == "custom":
            events.setdefault((name,), []).append((value,))
        else:
            flag = rolled.choice([None, 0.0, 1.0])
            some = rolled.choice([None, abs(value)])
            events.setdefault((name, "1"), []).append((1.0, rolled.choice([None, 0.1, 0.4]), None, some, flag))
    pane, test = pane_of(kind, events), parse(text, kind)
    table = pane.table(kind)
    assert table is not None
    found = [Passed(*line) for line in test.count_each(table).tolist()]
    assert found == [test.count(row) for row in table.series_summaries()]
    assert sum(one.passed for one in found) not in (0, sum(one.total for one in found))


@pytest.mark.parametrize(
    ("text", "passed", "in_doubt"),
    [
        ("value < 0", 2, 0),
        ("value <= 0", 3, 0),
        ("value >= -2", 3, 1),
        ("value <= -2", 2, 0),
        ("value > -2", 2, 0),
        ("value < -2", 1, 1),
        ("value < 2", 3, 0),
    ],
)
def test_values_below_zero_lie_in_bins_too(text: str, passed: int, in_doubt: int) -> None:
    """A bin of negative values has the other end: there ``<=`` is what is exact."""
    test = parse(text, "custom")
    found = test.count(signed(-4.0, -2.0, 0.0, 2.0))
    assert (found.total, found.in_doubt) == (4, in_doubt)
    if not in_doubt:
        assert found.passed == passed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("the fast ones", "is no comparison of one event"),
        ("duration_ms.p95 < 300", "is no comparison of one event"),
        ("duration_ms < 300 and status < 500", "is no comparison of one event"),
        ("duration_ms < fast", "is no comparison of one event"),
        ("duration_ms = 300", "is no comparison of one event"),
        ("duration < 300", "have no 'duration'; did you mean 'duration_ms'?"),
        ("duration_ms == 300", "compare with < <= > or >="),
        ("duration_ms < 0", "is never below 0"),
        ("duration_ms >= -5", "is never below 0"),
        ("errors < 2", "is the same for events that failed and that did not"),
        ("errors >= 0", "is the same for events that failed and that did not"),
        ("duration_ms < 1e999", "the number is too large"),
    ],
)
def test_what_is_no_test_is_refused_with_the_mend(text: str, message: str) -> None:
    """A comparison that says nothing about an event would be an objective that is always or never met."""
    with pytest.raises(EventTestError, match=message.replace("?", r"\?")):
        parse(text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [("errors == 0", "request"), ("duration_ms < 1", "request"), ("latency_ms < 1", "model"), ("value > 1", "custom")],
)
def test_the_kind_follows_from_what_is_compared(text: str, kind: str) -> None:
    """``on`` need not be written where only one kind has the measure."""
    found = kind_of_subject(text)
    assert found is not None
    assert found.name == kind
    assert kind_of_subject("nonsense < 1") is None
