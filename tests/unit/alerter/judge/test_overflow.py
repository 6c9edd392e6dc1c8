"""The limit of a rule's alerts."""

from barograph_alerter.conditions.row import Look
from barograph_alerter.judge.evaluation import EvaluationErrors, end_unknown, evaluate
from barograph_alerter.judge.plan import RulePlan
from barograph_alerter.judge.verdict import EvaluationTime
from barograph_alerter.rules.rule import Rule
from barograph_alerter.windows.window import Window
from barograph_core.alerts.record import AlertState
from barograph_core.alerts.state import ServiceState
from barograph_core.panes.pane import Pane
from tests.unit.alerter.build import NOW, problems_of, requests, rule_of

LIMITED = rule_of("errors > 3", by='["route"]', max_alerts="3")


class Judged:
    """A service judged each second."""

    def __init__(self) -> None:
        self.state = ServiceState()
        self.at_ms = NOW

    def see(self, failing: str, rule: Rule = LIMITED, *, is_closed: bool = True) -> list[str]:
        """Judge a window in which the routes of these letters fail; return rule, labels and state of transitions."""
        self.at_ms += 1_000
        pane = Pane.merge([requests(errors=9, route=route) for route in failing] or [requests(ok=9, route="a")])
        moment = EvaluationTime(self.at_ms, self.at_ms, is_closed=is_closed)
        errors = EvaluationErrors()

        def windows(look: Look) -> Window:
            return Window(pane, look.span_ms)

        changes = evaluate("shop", RulePlan([rule]), self.state, windows, moment, now_ms=self.at_ms, errors=errors)
        changes += end_unknown(RulePlan([rule]), self.state, self.at_ms)
        assert errors.evaluations == 0
        return [
            f"{next(iter(entry.labels.values()))} {entry.after.value}"
            for entry in (change.transition for change in changes)
            if entry
        ]

    @property
    def summary(self) -> str:
        return next(one.summary for one in self.state.records.values() if one.rule == "rule_overflow")


def test_beyond_the_limit_no_alert_begins_and_one_says_how_many() -> None:
    judged = Judged()
    assert judged.see("abcde") == ["a firing", "b firing", "c firing", "r firing"]
    assert judged.summary == "r: 2 further alerts are refused: max_alerts is 3"
    assert judged.see("abcdefg") == []
    assert judged.summary == "r: 4 further alerts are refused: max_alerts is 3"


def test_existing_alerts_stay_and_places_that_become_free_are_taken() -> None:
    """The overflow alert ends when nothing is refused any more."""
    judged = Judged()
    judged.see("cdefg")
    assert judged.see("acdefg") == []
    assert judged.see("aefg") == ["c resolved", "d resolved"]
    assert judged.see("aefg") == ["a firing", "f firing"]
    assert judged.see("aef") == ["r resolved"]


def test_an_open_pane_can_begin_an_overflow_and_not_end_it() -> None:
    judged = Judged()
    assert judged.see("abcd", is_closed=False) == ["a firing", "b firing", "c firing", "r firing"]
    assert judged.see("a", is_closed=False) == []
    assert [one.state for one in judged.state.records.values()] == [AlertState.FIRING] * 4


def test_without_a_limit_every_alert_begins_and_an_old_overflow_ends() -> None:
    """The limit was taken out of the rule."""
    judged = Judged()
    judged.see("abcde")
    unlimited = rule_of("errors > 3", by='["route"]')
    assert judged.see("abcde", unlimited) == ["d firing", "e firing", "r resolved"]


def test_a_lower_limit_ends_nothing() -> None:
    judged = Judged()
    judged.see("abc")
    assert judged.see("abc", rule_of("errors > 3", by='["route"]', max_alerts="1")) == []
    assert judged.see("abcd", rule_of("errors > 3", by='["route"]', max_alerts="1")) == ["r firing"]


def test_a_limit_without_label_sets_and_a_rule_of_that_name_are_refused() -> None:
    text = '[[rule]]\nname = "rule_overflow"\non = "request"\nwhen = "errors > 3"\nmax_alerts = 5'
    assert [problem.key for problem in problems_of(text)] == ["rule[1].name", "rule[1].max_alerts"]
    assert problems_of(text.replace("= 5", "= 0"))[1].message == "must be a whole number from 1 to 100000, not 0"
