"""The language of conditions."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph_alerter.conditions.bounds import Rest
from barograph_alerter.conditions.calls import Scope
from barograph_alerter.conditions.condition import parse_condition
from barograph_alerter.conditions.parser import ConditionError
from barograph_alerter.conditions.row import SeriesRow
from barograph_alerter.conditions.screen import Screen
from barograph_alerter.windows.window import Window
from barograph_core.events.encode import LabelSet
from barograph_core.events.kinds import KINDS
from barograph_core.panes.pane import Pane
from tests.unit.alerter.build import FixedRow, pane_of, requests


def holds(text: str, kind: str = "request", **numbers: float | None) -> bool | None:
    return parse_condition(text, Scope(KINDS[kind], 60_000)).holds(FixedRow(**numbers))


def mistakes(text: str, kind: str = "request") -> tuple[str, ...]:
    with pytest.raises(ConditionError) as caught:
        parse_condition(text, Scope(KINDS[kind], 60_000))
    return caught.value.mistakes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("count > 20", True),
        ("count > 21", False),
        ("count >= 21", True),
        ("count < 21", False),
        ("count <= 21", True),
        ("count == 21", True),
        ("count != 21", False),
        ("20 < count", True),
        ("20 < count < 30", True),
        ("20 < count < 21", False),
        ("errors / count > 0.2", True),
        ("errors * 2 + 1 - 3 == 8", True),
        ("-errors < -4", True),
        ("+errors == 5", True),
        ("errors > 3 and count > 20", True),
        ("errors > 9 or count > 20", True),
        ("not errors > 9", True),
        ("not (errors > 3 and count > 20)", False),
        ("errors > 3\n  and count > 20", True),
        ("status[429] >= 7", True),
        ("duration_ms.p99_9 > 100", True),
    ],
)
def test_a_condition_means_what_python_means(text: str, expected: bool) -> None:
    """Comparisons, chains, logic and arithmetic."""
    row = {"count": 21.0, "errors": 5.0, "status[429]": 7.0, "duration_ms.p99_9": 101.0}
    assert parse_condition(text, Scope(KINDS["request"], 60_000)).holds(FixedRow(**row)) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("error_rate > 0.05", None),
        ("not error_rate > 0.05", None),
        ("error_rate > 0.05 and count > 1", None),
        ("error_rate > 0.05 and count > 9", False),
        ("count > 9 and error_rate > 0.05", False),
        ("error_rate > 0.05 or count > 1", True),
        ("error_rate > 0.05 or count > 9", None),
        ("error_rate + 1 > 0", None),
        ("1 / (count - 5) > 0", None),
        ("1e308 * count > 0", None),
        ("0 < error_rate < 1", None),
        ("9 < count < error_rate", False),
    ],
)
def test_what_is_missing_is_neither_true_nor_false(text: str, expected: bool | None) -> None:
    """Three-valued logic (Kleene); also a division by zero and an overflow are missing."""
    assert holds(text, count=5.0) is expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("error_rat > 0.05", "column 1: unknown name 'error_rat'; did you mean 'error_rate'?"),
        (
            "count > 1 and durration_ms.p95 > 2",
            "column 15: unknown measure 'durration_ms'; did you mean 'duration_ms'?",
        ),
        ("duration_ms.p950 > 1", "column 1: unknown statistic 'p950' of 'duration_ms'; did you mean 'p95'?"),
        ("duration_ms.p100_1 > 1", "column 1: unknown statistic 'p100_1' of 'duration_ms'"),
        ("duration_ms > 1", "column 1: 'duration_ms' needs a statistic"),
        ("status > 1", "column 1: 'status' needs a code"),
        ("status[1000] > 1", "column 1: only 'status' takes [ ]"),
        ("status['429'] > 1", "column 1: only 'status' takes [ ]"),
        ("count[1] > 1", "column 1: only 'status' takes [ ]"),
        ("count", "column 1: is a number; a condition compares it"),
        ("count + 1", "column 1: is a number; a condition compares it"),
        ("(count > 1) + 1 > 0", "column 2: is true or false, where a number is needed"),
        ("count > 1 > 0 in [1]", "column 18: "),
        ("count is 1", "column 10: compare with one of > >= < <= == !="),
        ("count ** 2 > 1", "column 1: only + - * / are known"),
        ("count > True", "column 9: True is not a number"),
        ("count > '1'", "column 9: '1' is not a number"),
        ("count > 1e999", "column 9: the number is too large"),
        ("count > 1" + "0" * 400, "column 9: the number is too large"),
        ("count > 1 / 0", "column 9: is not a finite number"),
        ("1 > 0", "column 1: compares numbers only"),
        ("error_rate > 5", "column 1: error_rate lies between 0 and 1: 5 % is 0.05"),
        ("count > 20 and 5 <= error_rate", "column 16: error_rate lies between 0 and 1"),
        ("error_rate > -0.1", "column 1: error_rate lies between 0 and 1"),
        ("count" + ".a" * 480 + " > 1", "column 1: "),
        ("count" + "()" * 400 + " > 1", "column 1: only a name can be called"),
        ("count > 1 # and errors > 3", "column 11: a condition takes no comment"),
        ("  ", "column 1: the condition is empty"),
        ("  (count > 1", "column 3: '(' was never closed"),
        ("count > 1) or (errors > 1", "column 10: unmatched ')'"),
        ("baselines('1h').count > 1", "column 1: unknown name 'baselines'; did you mean 'baseline'?"),
        ("count > max(1, 2)", "column 9: unknown name 'max'"),
        ("().__class__.__bases__ > 1", "column 1: "),
        ("[x for x in count] > 1", "column 1: "),
        ("(lambda: 1) > 1", "column 2: "),
        ("count > 1 if errors > 1 else count > 2", "column 1: "),
        ("(n := 3) > count", "column 2: "),
        ("not " * 200 + "count > 1", "nested deeper than"),
        ("-" * 300 + "count > 1", "nested deeper than"),
        ("(" * 300 + "count > 1" + ")" * 300, "column 201: "),
        ("count > 1 or " * 100 + "count > 1", "longer than 1000 characters"),
        ("é > 1 and counts > 1", "column 11: unknown name 'counts'"),
        ("count > 1\x00", "column 1: "),
    ],
)
def test_a_mistake_is_named_with_its_column(text: str, message: str) -> None:
    """Nothing but the short list gets through, and people are told what to write."""
    found = mistakes(text)
    assert any(message in mistake for mistake in found), found


def test_every_mistake_of_a_condition_is_named() -> None:
    """Nobody has to mend them one by one."""
    assert len(mistakes("error_rat > 1 and cnt > 2 or durations.p95 > 3")) == 3


@pytest.mark.parametrize("name", ["errors", "error_rate", "status[500]"])
@pytest.mark.parametrize("kind", ["system", "custom"])
def test_only_requests_have_a_status(name: str, kind: str) -> None:
    """Other kinds have no errors to count, except predictions."""
    assert f"events of kind {kind!r} have no status" in mistakes(f"{name} > 1", kind)[0]


def test_predictions_have_errors_and_no_status() -> None:
    assert holds("errors > 1 and error_rate > 0.05", "model", errors=2, error_rate=0.1)
    assert "events of kind 'model' have no status" in mistakes("status[500] > 1", "model")[0]


TEN = requests(ok=8, errors=2, duration_ms=100.0)
UNSIGNED = frozenset({"duration_ms"})


@pytest.mark.parametrize(
    ("text", "rest", "expected"),
    [
        ("count > 5", math.inf, True),
        ("5 <= count", math.inf, True),
        ("errors >= 2 and status[500] > 1", math.inf, True),
        ("errors >= 9 or duration_ms.sum > 900", math.inf, True),
        ("duration_ms.count > 3", math.inf, True),
        ("duration_ms.max > 50", math.inf, True),
        ("errors - 1 > 0", math.inf, True),
        ("count < 5", math.inf, False),
        ("not count > 5", math.inf, False),
        ("count == 10", math.inf, None),
        ("count == 10", 0, True),
        ("count != 10", 0, False),
        ("count == 5", math.inf, False),
        ("5 < count < 19", math.inf, None),
        ("5 < count < 19", 8, True),
        ("error_rate > 0.1", math.inf, None),
        ("error_rate > 0.1", 9, True),
        ("error_rate > 0.1", 10, None),
        ("error_rate > 0.5", 9, None),
        ("error_rate > 0.7", 9, False),
        ("error_rate < 0.6", 9, True),
        ("errors / count > 0.1", 5, True),
        ("errors / (count - 12) > 0.1", 5, None),
        ("duration_ms.avg > 50", 9, True),
        ("duration_ms.avg > 50", 10, None),
        ("duration_ms.avg < 200", 1, None),
        ("duration_ms.p50 > 50", 4, True),
        ("duration_ms.p50 > 50", 10, None),
        ("duration_ms.p95 < 150", 0, True),
        ("duration_ms.p95 < 150", 2, None),
        ("duration_ms.p50 < 150", 9, True),
        ("duration_ms.min < 150", math.inf, True),
        ("duration_ms.stddev >= 0", math.inf, True),
        ("duration_ms.stddev < 1", 1, None),
        ("rate > 4", math.inf, True),
        ("rate < 6", 1, True),
        ("rate < 6", 4, None),
        ("status[503] > 0", 0, False),
    ],
)
def test_what_holds_whatever_still_comes(text: str, rest: float, expected: bool | None) -> None:
    """True or false for certain, or open: 10 events in 2 s, 2 of them failed, 100 ms each, and ``rest`` may come."""
    row = Window(TEN, 2_000).rows("request", ())[()]
    assert parse_condition(text, Scope(KINDS["request"], 60_000)).certainty(row, Rest(rest, UNSIGNED)) is expected


@given(
    st.lists(st.tuples(st.sampled_from([200, 500]), st.floats(0, 1_000)), min_size=1, max_size=30),
    st.lists(st.tuples(st.sampled_from([200, 500]), st.floats(0, 1_000)), max_size=30),
    st.sampled_from(
        [
            *("error_rate > 0.3", "error_rate < 0.5", "count > 20", "errors < 5", "duration_ms.avg > 300"),
            *("duration_ms.p50 > 400", "duration_ms.p95 < 900", "duration_ms.min > 10", "duration_ms.sum < 9000"),
            *("errors / count > 0.4 and count >= 10", "not duration_ms.max < 500", "errors + count * 2 > 40"),
        ]
    ),
)
@settings(deadline=None)
def test_what_is_certain_is_what_comes_true(
    now: list[tuple[int, float]], later: list[tuple[int, float]], text: str
) -> None:
    """Whatever comes, up to as many events as may come, no verdict that was certain is contradicted."""

    def row_of(events: list[tuple[int, float]]) -> SeriesRow:
        series: dict[LabelSet, list[tuple[float | None, ...]]] = {}
        for status, duration in events:
            series.setdefault(("/a", "GET", status), []).append((duration,))
        return Window(pane_of("request", series), 1_000).rows("request", ())[()]

    condition = parse_condition(text, Scope(KINDS["request"], 60_000))
    certain = condition.certainty(row_of(now), Rest(len(later), UNSIGNED))
    assert certain is None or certain is condition.holds(row_of([*now, *later]))


@given(
    st.lists(st.lists(st.tuples(st.sampled_from([200, 500]), st.floats(0, 1_000)), max_size=6), min_size=1, max_size=6),
    st.sampled_from(
        [
            *("error_rate > 0.5", "error_rate >= 0.5", "errors < 1", "errors <= 1", "count == 3", "count != 3"),
            *("4 < count", "duration_ms.p95 > 500 and count >= 3", "errors > 2 or duration_ms.avg < 200"),
            *("not errors > 0", "errors / count > 0.5", "duration_ms.max > errors", "status[500] > 1 and errors < 3"),
        ]
    ),
)
@settings(deadline=None)
def test_what_holds_nowhere_is_seen_by_the_extremes(routes: list[list[tuple[int, float]]], text: str) -> None:
    """Rows are left out only where the condition is true of none."""
    series: dict[LabelSet, list[tuple[float | None, ...]]] = {}
    for number, events in enumerate(routes):
        for status, duration in events:
            series.setdefault((f"/{number}", "GET", status), []).append((duration,))
    window = Window(pane_of("request", series) if series else Pane.EMPTY, 1_000)
    condition = parse_condition(text, Scope(KINDS["request"], 60_000))
    by = ("route",)
    is_somewhere = any(condition.holds(row) is True for row in dict(window.rows("request", by)).values())
    rows = window.rows("request", by)
    screen = Screen([condition.truth])
    assert screen.may_hold(rows)[0] or not is_somewhere
    places = screen.rows(0, rows)
    seen = list(rows) if places is None else rows.labels_at(places.tolist())
    assert {values for values, row in rows.items() if condition.holds(row) is True} <= set(seen)


def test_a_glance_tells_that_no_row_is_in_breach() -> None:
    """And so most rules cost one look, however many series there are."""
    window = Window(Pane.merge([requests(ok=5, route="/a"), requests(ok=4, errors=1, route="/b")]), 1_000)
    rows = window.rows("request", ("route",))
    for text, expected in (("errors > 1", False), ("errors >= 1", True), ("error_rate > 0.5 and count > 1", False)):
        truth = parse_condition(text, Scope(KINDS["request"], 60_000)).truth
        assert Screen([truth]).may_hold(rows).tolist() == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("error_rate > 0.05 and count >= 20", (0.5, 0.05)),
        ("count >= 20 and error_rate > 0.05", (0.5, 0.05)),
        ("0.05 < error_rate", (0.5, 0.05)),
        ("count >= 20", (30.0, 20.0)),
        ("error_rate * 100 > 5", (50.0, 5.0)),
        ("error_rate > rate", (0.5, 3.0)),
        ("duration_ms.p95 > 7", (None, 7.0)),
    ],
)
def test_an_alert_shows_the_comparison_that_is_no_guard(text: str, expected: tuple[float | None, float | None]) -> None:
    """The measured side is the value, the other the threshold."""
    row = FixedRow(count=30.0, error_rate=0.5, rate=3.0)
    assert parse_condition(text, Scope(KINDS["request"], 60_000)).value_and_threshold(row) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("errors < 5", True), ("5 > errors", True), ("errors > 5", False), ("5 < errors", False), ("errors == 5", False)],
)
def test_a_condition_knows_on_which_side_of_its_threshold_the_breach_lies(text: str, expected: bool) -> None:
    """However it is written."""
    assert parse_condition(text, Scope(KINDS["request"], 60_000)).is_below is expected
