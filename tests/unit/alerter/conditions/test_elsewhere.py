"""Functions that take a quantity from elsewhere: ``baseline``, ``change``, ``min_over``, ``max_over`` and ``other``."""

import math

import pytest

from barograph_alerter.conditions.bounds import Rest
from barograph_alerter.conditions.calls import Scope
from barograph_alerter.conditions.condition import Condition, parse_condition
from barograph_alerter.conditions.parser import ConditionError
from barograph_alerter.conditions.row import Look, RowOfWindows, SeriesRow, Sibling
from barograph_alerter.rules.lint import lint_rule
from barograph_alerter.windows.window import Window
from barograph_core.events.kinds import KINDS
from barograph_core.panes.pane import Pane
from tests.unit.alerter.build import requests, rule_of

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
SCOPE = Scope(KINDS["request"], MINUTE, ("route", "région"))
UNSIGNED = frozenset({"duration_ms"})


def condition(text: str) -> Condition:
    return parse_condition(text, SCOPE)


def row_of(
    now: Pane, earlier: dict[Look, Pane] | None = None, siblings: dict[Sibling, Pane] | None = None
) -> SeriesRow:
    """Return the row of the service with what is given for the further windows and the other series."""

    def in_window(pane: Pane, span_ms: int) -> SeriesRow:
        return Window(pane, span_ms).rows("request", ()).get((), SeriesRow.empty(span_ms))

    return RowOfWindows(
        in_window(now, MINUTE),
        {look: in_window(pane, look.span_ms) for look, pane in (earlier or {}).items()},
        {labels: in_window(pane, MINUTE) for labels, pane in (siblings or {}).items()},
    )


@pytest.mark.parametrize(
    ("text", "looks"),
    [
        ('error_rate > baseline("1h").error_rate', [Look(HOUR, MINUTE)]),
        ('error_rate > baseline("1m").error_rate', [Look(MINUTE, MINUTE)]),
        ('error_rate > baseline("1d").error_rate', [Look(MINUTE, DAY)]),
        ('error_rate > baseline("24h").error_rate', [Look(MINUTE, DAY)]),
        ('error_rate > baseline("7d").error_rate', [Look(MINUTE, 7 * DAY)]),
        ('change("5m").count > 3', [Look(MINUTE, 5 * MINUTE)]),
        ('min_over("3m").rate > 3', [Look(MINUTE, MINUTE), Look(MINUTE, 2 * MINUTE)]),
        ('other(route="/b").count > 3', []),
        ("count > 3", []),
    ],
)
def test_a_function_says_which_windows_it_looks_at(text: str, looks: list[Look]) -> None:
    """A baseline ends where the rule's window begins; one of whole days is the same span so many days before."""
    assert sorted(condition(text).looks()) == looks


@pytest.mark.parametrize(
    ("text", "now", "then", "expected"),
    [
        ('change("5m").count > 3', 9, 5, True),
        ('change("5m").count > 3', 9, 6, False),
        ('change("5m").count < -3', 1, 6, True),
        ('change("5m").count > 3', 9, 0, True),
        ('change("5m").duration_ms.avg >= 0', 9, 5, True),
        ('change("5m").duration_ms.avg >= 0', 9, 0, None),
        ('change("5m").duration_ms.avg >= 0', 0, 5, None),
        ('change("5m").status[200] == 4', 9, 5, True),
    ],
)
def test_a_change_is_what_is_now_less_what_was_then(text: str, now: int, then: int, expected: bool | None) -> None:
    """Missing when either is. Of no events the count is 0, and averages are missing."""
    row = row_of(requests(ok=now), {Look(MINUTE, 5 * MINUTE): requests(ok=then)})
    assert condition(text).holds(row) is expected


def test_a_baseline_is_the_same_quantity_of_another_window() -> None:
    row = row_of(requests(ok=80, errors=20), {Look(HOUR, MINUTE): requests(ok=95, errors=5)})
    assert condition('error_rate > 3 * baseline("1h").error_rate').holds(row) is True
    assert condition('error_rate > 5 * baseline("1h").error_rate').holds(row) is False
    value, threshold = condition('error_rate > 3 * baseline("1h").error_rate').value_and_threshold(row)
    assert (value, threshold) == (0.2, 0.05 * 3)
    # A rate is one a second, whatever the length of the window.
    assert condition('59.9 < rate / baseline("1h").rate < 60.1').holds(row) is True


@pytest.mark.parametrize(
    ("text", "counts", "expected"),
    [
        ('min_over("3m").count > 3', (5, 4, 9), True),
        ('min_over("3m").count > 3', (5, 3, 9), False),
        ('max_over("3m").count > 8', (5, 3, 9), True),
        ('max_over("3m").count > 8', (9, 3, 5), True),
        ('max_over("3m").duration_ms.avg == 10', (0, 1, 0), True),
        ('max_over("3m").duration_ms.avg == 10', (0, 0, 0), None),
    ],
)
def test_the_extreme_of_windows_that_follow_each_other(
    text: str, counts: tuple[int, int, int], expected: bool | None
) -> None:
    """The rule's own and those before it; windows without data are left out."""
    now, before, first = (requests(ok=count) for count in counts)
    row = row_of(now, {Look(MINUTE, MINUTE): before, Look(MINUTE, 2 * MINUTE): first})
    assert condition(text).holds(row) is expected


@pytest.mark.parametrize("name", ['route="/b"', 'label["route"] == "/b"'])
def test_another_series_is_named_by_the_labels_in_which_it_differs(name: str) -> None:
    found = condition(f"count > 2 * other({name}).count")
    assert found.siblings() == {(("route", "/b"),)}
    row = row_of(requests(ok=9), siblings={(("route", "/b"),): requests(ok=4)})
    assert found.holds(row) is True


def test_a_label_of_any_letters_is_named_in_brackets() -> None:
    assert condition('other(label["région"] == "ouest", route="/b").count > 2').siblings() == {
        (("route", "/b"), ("région", "ouest"))
    }


@pytest.mark.parametrize(
    ("text", "rest", "open_ms", "expected"),
    [
        ('count > baseline("1m").count', math.inf, 1_000, True),
        ('count > 4 * baseline("1m").count', math.inf, 1_000, None),
        ('count > 4 * baseline("1m").count', 1, 1_000, False),
        ('count < 4 * baseline("1m").count', 1, 1_000, True),
        # Nothing is closed since before the baseline's end: events may come into both.
        ('count > baseline("1m").count', 5, 120_000, None),
        ('count > baseline("1m").count', 0, 120_000, True),
        ('change("1m").count > 2', math.inf, 1_000, True),
        ('min_over("2m").count > 3', math.inf, 1_000, True),
        ('min_over("2m").count > 5', math.inf, 1_000, False),
        ('max_over("2m").count > 12', 4, 1_000, None),
        ('max_over("2m").count > 12', 2, 1_000, False),
        ('count > other(route="/b").count', math.inf, 1_000, None),
        ('count > other(route="/b").count', 0, 0, True),
    ],
)
def test_what_holds_whatever_still_comes(text: str, rest: float, open_ms: int, expected: bool | None) -> None:
    """Ten requests now and five in the minute before, which is closed unless everything since is open."""
    row = row_of(
        requests(ok=10), {Look(MINUTE, MINUTE): requests(ok=5)}, {(("route", "/b"),): requests(ok=1, route="/b")}
    )
    assert condition(text).certainty(row, Rest(rest, UNSIGNED, open_ms)) is expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('basline("1h").count > 1', "column 1: unknown name 'basline'; did you mean 'baseline'?"),
        ('count > baseline("1h")', "column 9: needs a quantity of that window or series: add one, as in '.count'"),
        ("baseline > 1", "column 1: 'baseline' takes arguments, as in 'baseline(\"1h\").count'"),
        ("baseline.count > 1", "column 1: unknown measure 'baseline'"),
        ('baseline("1h").cont > 1', "column 1: unknown name 'cont'; did you mean 'count'?"),
        ('baseline("1h").duration_ms > 1', "column 1: 'duration_ms' needs a statistic"),
        ('baseline("1h").duration_ms.p1000 > 1', "column 1: unknown statistic 'p1000'"),
        ('baseline("1h").status > 1', "column 1: 'status' needs a code"),
        ('baseline("1h").status[1000] > 1', "column 1: only 'status' takes [ ]"),
        ('baseline("1h").a.b.c > 1', "column 1: 'a.b.c' has no place in a condition"),
        ('baseline("1h").baseline("1h").count > 1', "column 1: only a name can be called"),
        ('count > 1 and baseline("1 h").count > 1', "column 15: baseline: '1 h' is not a duration"),
        ("baseline(3600).count > 1", "column 1: baseline: takes whole seconds from 1s to 30d in quotes, as in base"),
        ("baseline().count > 1", 'column 1: baseline: takes one duration in quotes, as in baseline("1h")'),
        ('baseline("1h", "2h").count > 1', "column 1: baseline: takes one duration"),
        ('baseline(span="1h").count > 1', "column 1: baseline: takes one duration"),
        ('baseline("25h").rate > 1', 'looks at up to a day before the window, or whole days back: "12h", "1d", "7d"'),
        ('change("500ms").count > 1', "column 1: change: takes whole seconds from 1s to 30d"),
        ('change("31d").count > 1', "column 1: change: takes whole seconds from 1s to 30d"),
        ('min_over("90s").count > 1', "min_over: 1m30s must hold 2 to 60 whole windows of the rule, of 1m each"),
        ('max_over("1m").count > 1', "max_over: 1m must hold 2 to 60 whole windows of the rule, of 1m each"),
        ('max_over("61m").count > 1', "max_over: 1h1m must hold 2 to 60 whole windows"),
        ("other().count > 1", "other: names each label in which the other series differs once"),
        ('other(label["route"] == "/b", route="/a").count > 1', "other: names each label in which the other series"),
        ('other(rout="/a").count > 1', "other: 'rout' is no label of 'by' or 'where', by which the rule's series"),
        ("other(route=6).count > 1", 'other: takes label values in quotes, as in other(version="6")'),
        ('other("6").count > 1', 'other: takes labels, as in other(version="6")'),
        ('other(label["route"] != "6").count > 1', 'other: takes labels, as in other(version="6")'),
        ('other(région="6").count > 1', 'other: takes a name of other letters as in other(label["région"] == "eu")'),
        ('other(**{"route": "6"}).count > 1', "other: takes a name of other letters as in"),
    ],
)
def test_a_mistake_is_named_with_its_column(text: str, message: str) -> None:
    with pytest.raises(ConditionError) as caught:
        condition(text)
    assert any(message in mistake for mistake in caught.value.mistakes), caught.value.mistakes


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ('count > 2 * baseline("1h").count', "compares what 10s add up to with what 1h do: compare rates"),
        ('baseline("1m").duration_ms.sum < duration_ms.sum', "compares what 10s add up to with what 1m do"),
        ('change("5m").error_rate > 1.5', "can never hold"),
        ('min_over("1m").error_rate >= 0', "always holds"),
        ('count > 2 * baseline("10s").count', ""),
        ('count > 2 * baseline("1d").count', ""),
        ('rate > 2 * baseline("1h").rate', ""),
        ('errors / count > 2 * baseline("1h").errors / baseline("1h").count', ""),
        ('errors > 3 and baseline("1h").errors > 100', ""),
        ('change("5m").error_rate > 0.5', ""),
    ],
)
def test_what_cannot_be_meant_is_named(when: str, message: str) -> None:
    """Counts of windows of different lengths are not comparable."""
    found = [text for _, text in lint_rule(rule_of(when, window='"10s"'))]
    assert (found == []) if not message else (len(found) == 1 and message in found[0]), found
