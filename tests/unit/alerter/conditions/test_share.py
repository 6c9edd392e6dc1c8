"""``share`` and ``over``: which part of the events pass a test, and the same quantity of a longer window."""

import math

import pytest

from barograph_alerter.conditions.bounds import Rest
from barograph_alerter.conditions.calls import Scope
from barograph_alerter.conditions.condition import Condition, parse_condition
from barograph_alerter.conditions.parser import ConditionError
from barograph_alerter.conditions.row import Look, RowOfWindows, SeriesRow
from barograph_alerter.judge.contributors import contributors
from barograph_alerter.rules.publishing import published_rules
from barograph_alerter.windows.window import Window
from barograph_core.events.kinds import KINDS
from barograph_core.panes.pane import Pane
from tests.unit.alerter.build import requests, rule_of

MINUTE, HOUR = 60_000, 3_600_000
SCOPE = Scope(KINDS["request"], MINUTE, ())
SLOW = 'share["duration_ms >= 300"] > 0.2'


def condition(text: str) -> Condition:
    return parse_condition(text, SCOPE)


def row_of(now: Pane, hour: Pane = Pane.EMPTY) -> SeriesRow:
    def in_window(pane: Pane, span_ms: int) -> SeriesRow:
        return Window(pane, span_ms).rows("request", ()).get((), SeriesRow.empty(span_ms))

    return RowOfWindows(in_window(now, MINUTE), {Look(HOUR): in_window(hour, HOUR)}, {})


def mixed(fast: int, slow: int) -> Pane:
    return Pane.merge([requests(ok=fast, duration_ms=100.0), requests(ok=slow, duration_ms=400.0)])


@pytest.mark.parametrize(
    ("fast", "slow", "expected"), [(7, 3, True), (8, 2, False), (0, 1, True), (1, 0, False), (0, 0, None)]
)
def test_a_share_is_of_the_events_that_can_be_tested(fast: int, slow: int, expected: bool | None) -> None:
    """Of none it is missing."""
    assert condition(SLOW).holds(row_of(mixed(fast, slow))) is expected


@pytest.mark.parametrize(
    ("now", "hour", "expected"),
    [((0, 5), (70, 30), True), ((0, 5), (90, 10), False), ((5, 0), (70, 30), False), ((0, 0), (70, 30), None)],
)
def test_over_takes_a_quantity_of_a_window_that_ends_with_the_rules_own(
    now: tuple[int, int], hour: tuple[int, int], expected: bool | None
) -> None:
    """Both windows of a pair must burn."""
    both = condition(f'over("1h").{SLOW} and {SLOW}')
    assert both.looks() == {Look(HOUR)}
    assert both.holds(row_of(mixed(*now), mixed(*hour))) is expected
    assert condition('over("1m").count > 3').looks() == frozenset()


@pytest.mark.parametrize(
    ("events", "expected"), [(0.0, True), (3.0, None), (math.inf, None)], ids=["nothing", "some", "any number"]
)
def test_of_an_open_pane_a_share_holds_only_for_certain(events: float, expected: bool | None) -> None:
    """3 of 10 are slow; three more fast ones make it 3 of 13, one more than a fifth; six more do not."""
    rest = Rest(events, frozenset({"duration_ms"}))
    assert condition('share["duration_ms >= 300"] > 0.25').certainty(row_of(mixed(7, 3)), rest) is expected
    assert condition(SLOW).certainty(row_of(mixed(7, 3)), Rest(4.0, frozenset())) is True


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("share > 0.1", "'share' needs a test of one event"),
        ("share[3] > 0.1", "'share' takes a test in quotes"),
        ('share["fast"] > 0.1', "share: 'fast' is no comparison of one event"),
        ('share["latency_ms < 3"] > 0.1', "share: events of kind 'request' have no 'latency_ms'"),
        ('share["duration_ms < 300"] > 5', "share lies between 0 and 1: 5 % is 0.05"),
        ('over("1h") > 5', "needs a quantity of that window"),
        ("over(3).count > 5", 'takes whole seconds from 1s to 30d in quotes, as in over("1h")'),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, mistake: str) -> None:
    """With its place and what to write."""
    with pytest.raises(ConditionError) as caught:
        condition(text)
    assert mistake in str(caught.value)


def test_slow_requests_account_for_a_share() -> None:
    """A contributor is named by what is counted."""
    rule = rule_of(SLOW)
    pane = Pane.merge([mixed(7, 0), requests(ok=3, duration_ms=400.0, route="/slow")])
    (found,) = contributors(rule, Window(pane, MINUTE), {}, 0.2)
    assert (found.labels["route"], found.of, found.amount, found.share_ratio) == (
        "/slow",
        "duration_ms >= 300",
        3.0,
        1.0,
    )
    (bound,) = published_rules([rule], 0).rules[0].fires
    assert (bound.quantity, bound.threshold, bound.unit) == ('share["duration_ms >= 300"]', 0.2, "ratio")


@pytest.mark.parametrize(
    ("now", "hour", "shown"),
    [((9, 1), (95, 5), (0.05, 0.04)), ((5, 5), (98, 2), (0.5, 0.3)), ((9, 1), (99, 1), (0.1, 0.3))],
)
def test_of_alternatives_the_one_that_holds_gives_value_and_threshold(
    now: tuple[int, int], hour: tuple[int, int], shown: tuple[float, float]
) -> None:
    """Both are about the same quantity; where none holds, the first is shown."""
    either = condition(
        'share["duration_ms >= 300"] > 0.3 and count >= 5 or over("1h").share["duration_ms >= 300"] > 0.04'
    )
    assert either.value_and_threshold(row_of(mixed(*now), mixed(*hour))) == shown
