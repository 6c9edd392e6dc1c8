"""Rules with levels: one alert whose severity moves."""

from dataclasses import replace

import pytest

from barograph_alerter.judge.evaluation import EvaluationErrors, evaluate
from barograph_alerter.judge.plan import RulePlan
from barograph_alerter.judge.verdict import EvaluationTime
from barograph_alerter.rules.publishing import published_rules
from barograph_alerter.rules.rule import Rule
from barograph_alerter.windows.window import Window
from barograph_core.alerts.acknowledgement import Acknowledgement
from barograph_core.alerts.published_rules import PublishedRules
from barograph_core.alerts.record import AlertRecord, AlertState, Severity
from barograph_core.alerts.state import ServiceState
from barograph_core.panes.pane import Pane
from tests.unit.alerter.build import NOW, problems_of, requests, rules_of

LEVELS = '{ severity = "critical", when = "errors > 9", for = "2s" }, { severity = "warning", when = "errors > 3" }'


def rule_of(levels: str = LEVELS, *more: str) -> Rule:
    text = "\n".join(["[[rule]]", 'name = "r"', 'on = "request"', 'window = "10s"', f"levels = [{levels}]", *more])
    return rules_of(text)[0]


class Judged:
    """One alert judged each second: the errors of each second's window, ``None`` for an open pane without a verdict."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.state = ServiceState()
        self.at_ms = NOW

    def see(self, *errors: int, is_closed: bool = True, missing: int = 0, gap_s: int = 0) -> list[str]:
        """Judge a window with so many errors a second later each, and return the transitions in short."""
        seen: list[str] = []
        self.at_ms += gap_s * 1_000
        for count in errors:
            self.at_ms += 1_000
            pane = requests(errors=count) if count else Pane.EMPTY
            moment = EvaluationTime(self.at_ms, self.at_ms, is_closed=is_closed, missing=missing)
            changes = evaluate(
                "ranker",
                RulePlan([self.rule]),
                self.state,
                lambda look, pane=pane: Window(pane, look.span_ms),  # type: ignore[misc]
                moment,
                now_ms=self.at_ms,
                errors=EvaluationErrors(),
            )
            for entry in (change.transition for change in changes if change.transition):
                word = {True: "told", False: "quiet", None: "announced"}[entry.notify]
                seen.append(" ".join(filter(None, (entry.after.value, entry.severity.value, word, entry.reason))))
        return seen

    @property
    def record(self) -> AlertRecord:
        (record,) = self.state.records.values()
        return record


def test_the_severity_of_an_alert_rises_and_falls() -> None:
    """A rise is announced, a fall is written. Each level has its own hold, and there is one alert and one episode."""
    alert = Judged(rule_of())
    assert alert.see(5, 5) == ["firing warning announced"]
    assert alert.see(10, 10) == []
    assert alert.see(10) == ["firing critical announced"]
    episode_ms = alert.record.episode_ms
    assert alert.see(5) == ["firing warning quiet severity_fell"]
    assert alert.record.episode_ms == episode_ms
    assert alert.see(0) == ["resolved warning told"]


def test_a_level_without_hold_fires_at_once_at_its_own_severity() -> None:
    alert = Judged(rule_of(LEVELS.replace(', for = "2s"', "")))
    assert alert.see(12) == ["firing critical announced"]
    assert alert.see(0) == ["resolved critical told"]


def test_a_hold_that_is_broken_begins_anew() -> None:
    alert = Judged(rule_of())
    assert alert.see(5, 10, 10, 5, 10, 10) == ["firing warning announced"]
    assert alert.see(10) == ["firing critical announced"]


def test_all_levels_with_holds_make_it_pending_first() -> None:
    """At the severity of the highest that holds."""
    alert = Judged(rule_of(LEVELS.replace('"errors > 3"', '"errors > 3", for = "1s"')))
    assert alert.see(10) == ["pending critical quiet pending"]
    assert alert.see(10) == ["firing warning announced"]
    assert alert.see(10) == ["firing critical announced"]


def test_time_that_nobody_judged_counts_for_no_level() -> None:
    """As for the hold of any rule."""
    alert = Judged(rule_of())
    assert alert.see(10) == ["firing warning announced"]
    assert alert.see(10, gap_s=60) == []
    assert alert.see(10) == ["firing critical announced"]


def test_an_open_pane_raises_and_never_lowers() -> None:
    alert = Judged(rule_of(LEVELS.replace(', for = "2s"', "")))
    assert alert.see(5) == ["firing warning announced"]
    assert alert.see(12, is_closed=False) == ["firing critical announced"]
    assert alert.see(5, 5, is_closed=False) == []
    assert alert.see(5) == ["firing warning quiet severity_fell"]


def test_a_pane_that_lacks_an_instance_lowers_nothing() -> None:
    """Its errors may be those that are not seen."""
    alert = Judged(rule_of(LEVELS.replace(', for = "2s"', "")))
    assert alert.see(12) == ["firing critical announced"]
    assert alert.see(5, 5, missing=1) == []
    assert alert.see(5) == ["firing warning quiet severity_fell"]


def test_recovery_keeps_the_severity() -> None:
    """An alert that waits for its end is what it was."""
    alert = Judged(rule_of(LEVELS.replace(', for = "2s"', ""), 'keep_firing_for = "2s"'))
    assert alert.see(12, 0, 0) == ["firing critical announced"]
    assert alert.see(0) == ["resolved critical told"]


def test_an_alert_shows_the_condition_of_its_severity() -> None:
    alert = Judged(rule_of(LEVELS.replace(', for = "2s"', "")))
    alert.see(5)
    assert (alert.record.threshold, alert.record.summary) == (3.0, "ranker: errors > 3, now 5")
    alert.see(12)
    assert (alert.record.threshold, alert.record.summary) == (9.0, "ranker: errors > 9, now 12")


def test_without_cooldown_each_rise_is_told() -> None:
    alert = Judged(rule_of(LEVELS.replace(', for = "2s"', ""), 'cooldown = "0s"'))
    assert alert.see(5, 12) == ["firing warning told", "firing critical told"]


def test_a_steady_alert_costs_no_write() -> None:
    """Its record stays as it is."""
    alert = Judged(rule_of())
    alert.see(10, 10, 10)
    before = alert.record
    alert.see(10, 10)
    assert alert.record == before


def test_the_holds_of_levels_outlive_the_alerter() -> None:
    """They stand in the record, which earlier versions wrote without them."""
    alert = Judged(rule_of())
    alert.see(5, 10, 10)
    record = alert.record
    assert record.level_since_ms == {Severity.WARNING: NOW + 1_000, Severity.CRITICAL: NOW + 2_000}
    assert AlertRecord.from_json(record.to_json()) == record
    plain = replace(record, level_since_ms={}, levels_judged_ms=None)
    assert "level" not in plain.to_json()
    assert AlertRecord.from_json(plain.to_json()) == plain


def test_levels_are_published() -> None:
    published = published_rules([rule_of()], 1)
    (rule,) = PublishedRules.from_json(published.to_json()).rules
    assert rule == published.rules[0]
    assert [(level.severity, level.when, level.for_ms) for level in rule.levels] == [
        (Severity.WARNING, "errors > 3", 0),
        (Severity.CRITICAL, "errors > 9", 2_000),
    ]
    assert (rule.severity, rule.when) == (Severity.WARNING, "(errors > 3) or (errors > 9)")
    assert [(bound.threshold, bound.is_leading) for bound in rule.fires] == [(3.0, True), (9.0, True)]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            'levels = [{ severity = "warning", when = "errors > 3" }]\nwhen = "errors > 1"',
            ["rule[1].when: stands in each of 'levels' where a rule has them: move it there"],
        ),
        (
            'levels = [{ severity = "warning", when = "errors > 3" }]\nseverity = "error"\nfor = "1s"',
            [
                "rule[1].severity: stands in each of 'levels' where a rule has them: move it there",
                "rule[1].for: stands in each of 'levels' where a rule has them: move it there",
            ],
        ),
        ("levels = []", ["rule[1].levels: is empty: name two or more, or write 'when' and 'severity'"]),
        (
            "levels = 1",
            ['rule[1].levels: must be a list of tables such as [{ name = "one" }, { name = "two" }], not 1'],
        ),
        (
            'levels = [{ when = "errors > 3" }, { severity = "error", wen = "errors > 3" }]',
            [
                "rule[1].levels[1].severity: is missing: levels differ by it",
                "rule[1].levels[2].when: is missing",
                "rule[1].levels[2].wen: is not a key of this entry of levels; did you mean 'when'?",
            ],
        ),
        (
            'levels = [{ severity = "error", when = "error > 3" }, { severity = "error", when = "errors > 9" }]',
            [
                "rule[1].levels[2].severity: 'error' is that of another level already",
                "rule[1].levels[1].when: column 1: unknown name 'error'; did you mean 'errors'?",
            ],
        ),
    ],
)
def test_mistakes_in_levels_are_named(lines: str, expected: list[str]) -> None:
    found = problems_of(f'[[rule]]\nname = "r"\non = "request"\n{lines}')
    assert [f"{problem.key}: {problem.message}" for problem in found] == expected


def test_a_rise_ends_the_acknowledgement() -> None:
    """It was given for something less severe."""
    alert = Judged(rule_of(LEVELS.replace(', for = "2s"', "")))
    alert.see(5)
    taken = replace(alert.record, ack=Acknowledgement(actor="ann", at_ms=NOW))
    alert.state.records = {taken.alert_id: taken}
    assert alert.see(12) == ["firing critical announced"]
    assert alert.record.ack is None


def test_a_muted_alert_fires_again_at_a_higher_severity() -> None:
    """Somebody resolved the lower one."""
    alert = Judged(rule_of(LEVELS.replace(', for = "2s"', "")))
    alert.see(5)
    muted = replace(alert.record, state=AlertState.RESOLVED, is_muted=True)
    alert.state.records = {muted.alert_id: muted}
    assert alert.see(5) == []
    assert alert.see(12) == ["firing critical announced"]
