"""What a moment with very many alerts leaves out."""

from dataclasses import replace
from typing import Final

from barograph_alerter.conditions.row import Look
from barograph_alerter.judge.evaluation import EvaluationErrors, evaluate
from barograph_alerter.judge.plan import RulePlan
from barograph_alerter.judge.verdict import MOST_VALUES_AT_ONCE, EvaluationTime
from barograph_alerter.windows.window import Window
from barograph_core.alerts.state import ServiceState
from barograph_core.panes.pane import Pane
from tests.unit.alerter.build import NOW, pane_of, rule_of

RULE: Final = rule_of("errors > 2", by='["route"]')
STEP_MS: Final = 1_000


def pane(routes: int, errors: int) -> Pane:
    return pane_of("request", {(f"/{number}", "GET", 500): [(10.0,)] * errors for number in range(routes)})


def judge(state: ServiceState, of: Pane, number: int, *, is_closed: bool = True) -> int:
    """Judge the moment of that number, and return how many changes it makes."""
    end_ms = NOW + number * STEP_MS
    moment = EvaluationTime(end_ms, end_ms, is_closed=is_closed, step_ms=STEP_MS, arrived_ms=float(end_ms))

    def window_of(look: Look) -> Window:
        return Window(of, look.span_ms)

    return len(evaluate("ranker", RulePlan([RULE]), state, window_of, moment, now_ms=end_ms, errors=EvaluationErrors()))


def test_the_value_of_a_firing_alert_is_that_of_the_moment() -> None:
    """Where alerts are as many as people read."""
    state = ServiceState()
    assert judge(state, pane(1, 9), 0) == 1
    assert judge(state, pane(1, 8), 1) == 1
    assert [record.value for record in state.records.values()] == [8.0]


def test_values_of_very_many_alerts_are_written_in_turns() -> None:
    """Each within ten moments, and no moment writes more than about a tenth."""
    state, routes = ServiceState(), MOST_VALUES_AT_ONCE + 40
    assert judge(state, pane(routes, 4), 0) == routes
    changes = [judge(state, pane(routes, 3), number) for number in range(1, 11)]
    assert sum(changes) == routes
    assert max(changes) < routes // 4
    assert {record.value for record in state.records.values()} == {3.0}


def test_an_open_pane_says_nothing_new_of_an_alert_that_goes_on() -> None:
    """One that had begun to recover is told of the breach."""
    state = ServiceState()
    judge(state, pane(1, 9), 0)
    assert judge(state, pane(1, 8), 1, is_closed=False) == 0
    (record,) = state.records.values()
    state.records[record.alert_id] = replace(record, clear_since_ms=NOW, seen_clear_since_ms=NOW)
    assert judge(state, pane(1, 8), 1, is_closed=False) == 1
    assert state.records[record.alert_id].clear_since_ms is None
