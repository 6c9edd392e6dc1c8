"""What burns alerts, compared with an independent count of the events of each five minutes."""

import random
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import pytest

from barograph_alerter.rules.defaults import effective_rules
from barograph_alerter.rules.rule import Rule
from barograph_alerter.trial.recording import Recorded, Recording, Region
from barograph_alerter.trial.replay import Course, replay
from barograph_core.errors import Problem
from barograph_core.panes.pane import Pane
from barograph_core.settings.config_file import parse_config
from tests.unit.alerter.build import NOW, requests

STEP_MS = 300_000
BEGIN = NOW - NOW % 86_400_000
# Total and bad events of each five minutes.
Steps = Sequence[tuple[int, int]]
# Burn rate, steps of the long and the short window, severity: as in the workbook, written out once more.
PAIRS = [(14.4, 12, 1, "critical"), (6.0, 72, 6, "critical"), (1.0, 864, 72, "warning")]
TEXT = '[[slo]]\nname = "availability"\nservice = "ranker"\ngood = "{good}"\nobjective = 0.99\nmin_events = 20\n'


def slo_rule(good: str = "errors == 0") -> Rule:
    problems: list[Problem] = []
    (rule,) = effective_rules(parse_config(TEXT.format(good=good), Path("b.toml")), problems, with_defaults=False)
    assert problems == []
    return rule


@lru_cache(10_000)
def pane_of_step(total: int, bad: int) -> Pane:
    return requests(ok=total - bad, errors=bad)


@lru_cache(10_000)
def slow_pane_of_step(total: int, bad: int) -> Pane:
    return Pane.merge([requests(ok=total - bad, duration_ms=100.0), requests(ok=bad, duration_ms=900.0)])


def course_of(steps: Steps, rule: Rule) -> Course:
    make = pane_of_step if rule.slo is not None and not rule.slo.objective.good.is_of_measure else slow_pane_of_step
    recorded = [
        Recorded(BEGIN + at * STEP_MS, STEP_MS, make(total, bad)) for at, (total, bad) in enumerate(steps) if total
    ]
    region = Region(STEP_MS, BEGIN, BEGIN + len(steps) * STEP_MS)
    (course,) = replay([rule], Recording("ranker", recorded, [region]))
    return course


def changes_of(course: Course) -> list[tuple[int, str]]:
    """Return step and severity of each change: empty when the alert ended."""
    return [
        (
            (one.at_ms - BEGIN) // STEP_MS,
            one.entry.severity.value if one.entry.after.value == "firing" else "",
        )
        for one in course.happened
    ]


def expected_changes(steps: Steps, *, allowed: float = 0.01, least: int = 20) -> list[tuple[int, str]]:
    """Count everything anew at each step, and say what the alert must be."""
    totals, bads = [0], [0]
    for total, bad in steps:
        totals.append(totals[-1] + total)
        bads.append(bads[-1] + bad)

    def counted(end: int, span: int) -> tuple[int, int]:
        begin = max(0, end - span)
        return totals[end] - totals[begin], bads[end] - bads[begin]

    found: list[tuple[int, str]] = []
    now = ""
    for end in range(1, len(steps) + 1):
        holds: set[str] = set()
        is_over = True
        for burn, long, short, severity in PAIRS:
            windows = [counted(end, span) for span in (long, short)]
            burns = [None if not total else bad / total > burn * allowed for total, bad in windows]
            if all(burns) and windows[1][0] >= least:
                holds.add(severity)
            is_over = is_over and False in burns
        worst = next((one for one in ("critical", "warning") if one in holds), "")
        then = worst or ("" if is_over else now)
        if then != now:
            found.append((end, then))
            now = then
    return found


def steady(steps: int, total: int, bad: int = 0) -> list[tuple[int, int]]:
    return [(total, bad)] * steps


PATTERNS = {
    # 2 % bad is a burn rate of 2: no page, a ticket once hours of it weigh on three days.
    "slow burn": [*steady(200, 100), *steady(250, 100, 2), *steady(90, 100)],
    # 30 % bad is a burn rate of 30: a page within half an hour.
    "fast burn": [*steady(870, 100), *steady(8, 100, 30), *steady(90, 100)],
    # 8 % bad is a burn rate of 8: too slow for the first pair, enough for the second.
    "steady burn": [*steady(870, 100), *steady(60, 100, 8), *steady(90, 100)],
    "outage": [*steady(24, 100), *steady(2, 100, 100), *steady(200, 100)],
    # Nobody comes after the errors: no recovery is seen until somebody does.
    "no traffic": [*steady(24, 100), *steady(4, 100, 50), *steady(100, 0), *steady(80, 100)],
    # Three of four fail, but two or three events in a window are too few.
    "a few events": [*steady(20, 0), *([(2, 2), (0, 0), (1, 0)] * 2), *steady(90, 0)],
    "back and forth": [*steady(12, 100), *((steady(2, 100, 40) + steady(18, 100)) * 6), *steady(80, 100)],
}


@pytest.mark.parametrize("name", PATTERNS)
def test_alerts_come_go_and_change_as_an_independent_count_says(name: str) -> None:
    """Each change at its very step, with its severity."""
    steps = PATTERNS[name]
    found = changes_of(course_of(steps, slo_rule()))
    assert found == expected_changes(steps)


def test_the_patterns_do_what_they_are_for() -> None:
    """The independent count itself, in plain figures."""
    found = {name: expected_changes(steps) for name, steps in PATTERNS.items()}
    # 2 n / (200 + n) exceeds 1 % after the 200th step of it; 36 good steps of 72 bring the window of 6 h down to 1 %.
    assert found["slow burn"] == [(401, "warning"), (486, "")]
    # 0.3 n / 12 exceeds 14.4 % with the 6th step.
    assert found["fast burn"] == [(876, "critical"), (879, "")]
    # 0.08 n / 72 exceeds 6 % with the 55th step; that of 30 minutes is below it again with the second that is good.
    assert found["steady burn"] == [(925, "critical"), (932, "")]
    assert found["a few events"] == []
    # The last step with events is the 28th: 30 minutes later too few come to page, and it ends with the 129th.
    assert found["no traffic"] == [(25, "warning"), (28, "critical"), (34, "warning"), (129, "")]


@pytest.mark.parametrize("seed", range(3))
def test_any_traffic_is_judged_as_an_independent_count_says(seed: int) -> None:
    """Hours of incidents, gaps and quiet at random."""
    rolled = random.Random(seed)
    steps: list[tuple[int, int]] = []
    while len(steps) < 300:
        total = rolled.choice([0, 3, 40, 200])
        bad = round(total * rolled.choice([0, 0, 0, 0.01, 0.03, 0.1, 0.5, 1]))
        steps += steady(rolled.randint(1, 30), total, bad)
    assert changes_of(course_of(steps, slo_rule())) == expected_changes(steps)


@pytest.mark.parametrize("name", ["fast burn", "steady burn", "back and forth"])
def test_slow_requests_burn_a_budget_as_errors_do(name: str) -> None:
    """An objective on durations counts those beyond its bound."""
    steps = PATTERNS[name]
    assert changes_of(course_of(steps, slo_rule("duration_ms < 300"))) == expected_changes(steps)


def test_a_summary_says_burn_rate_what_is_left_and_how_long_that_lasts() -> None:
    """With the figures of the pair that alerts, and of the whole period."""
    steps = [*steady(900, 100), *steady(3, 100, 100)]
    course = course_of(steps, slo_rule())
    first = course.happened[0].entry
    # 2 of 12 steps were bad: 16.7 %. Of 902 steps' events 1 % may be bad, and 2 steps' were.
    assert (first.value, first.threshold) == (2 / 12, 0.144)
    assert first.summary == (
        "ranker burns its budget 16.7 times as fast as allowed: 77.8 % of the budget for 30 days is left, "
        "gone in 33 h 37 min at this rate"
    )


def test_a_budget_that_is_spent_is_said_to_be_spent_and_the_alert_still_ends() -> None:
    """Whether the burning goes on decides, not what is left."""
    steps = [*steady(100, 100), *steady(12, 100, 50), *steady(120, 100)]
    course = course_of(steps, slo_rule())
    assert course.happened[0].entry.after.value == "firing"
    assert course.happened[-1].entry.after.value == "resolved"
    assert "the budget for 30 days is spent and" in course.happened[-1].entry.summary


def test_the_pair_that_alerts_gives_value_and_threshold() -> None:
    """The second pair alerts where the first does not: its figures are shown, not those of the first."""
    course = course_of(PATTERNS["steady burn"], slo_rule())
    first = course.happened[0].entry
    assert (first.severity.value, first.threshold) == ("critical", 0.06)
    assert first.value is not None
    assert first.value > 0.06
