"""What a review of the time on call asks for, out of entries that are written down by hand."""

from dataclasses import replace
from typing import Any

from barograph_cli.report.rules import RuleReport, report_rules
from barograph_core.alerts.record import AlertState, Severity
from barograph_core.alerts.transition import Transition
from tests.unit.notifier.samples import FIRING, INACTIVE, PENDING, RESOLVED, transition

MINUTE = 60_000


def at(ms: int, after: AlertState, *, before: AlertState | None = None, flag: str = "", **facts: Any) -> Transition:
    actor = facts.pop("actor", "")
    made = transition(after, before=before, **facts)
    return replace(made, at_ms=ms, flag=flag, actor=actor, notify=made.notify and not flag)


def episode(start_ms: int, end_ms: int | None, *, ack_ms: int | None = None, **facts: Any) -> list[Transition]:
    """Return the entries of an episode that began to fire at ``start_ms``."""
    facts = {"episode_ms": start_ms, **facts}
    actor = facts.pop("actor", "")
    entries = [at(start_ms, FIRING, **facts)]
    if ack_ms is not None:
        entries.append(at(ack_ms, FIRING, before=FIRING, flag="acknowledged", actor="mira", **facts))
    if end_ms is not None:
        entries.append(at(end_ms, RESOLVED, actor=actor, **facts))
    return entries


def one(*episodes: list[Transition], since_ms: int = 0) -> RuleReport:
    entries = sorted((entry for entries in episodes for entry in entries), key=lambda entry: entry.at_ms)
    (report,) = report_rules(entries, since_ms)
    return report


def test_a_rule_is_summed_up_by_medians_and_shares() -> None:
    found = one(
        episode(1_000, 1_000 + 10 * MINUTE, ack_ms=1_000 + 2 * MINUTE),
        episode(2_000, 2_000 + 30 * MINUTE, ack_ms=2_000 + 4 * MINUTE, severity=Severity.CRITICAL),
        episode(3_000, 3_000 + 20 * MINUTE, actor="tom"),
        episode(4_000, 4_000 + MINUTE, service="search", alert="a2"),
        episode(5_000, None),
    )
    assert found == RuleReport(
        rule="high-error-rate",
        severity="critical",
        episodes=5,
        told=9,
        acked=2,
        by_hand=1,
        firing=1,
        ack_ms=3 * MINUTE,
        resolve_ms=15 * MINUTE,
        brief_ratio=0.2,
        busiest="ranker",
    )


def test_what_somebody_acknowledged_within_the_minute_was_not_for_nothing() -> None:
    assert one(episode(1_000, 31_000, ack_ms=11_000)).brief_ratio == 0.0
    assert one(episode(1_000, 31_000)).brief_ratio == 1.0


def test_what_never_fired_is_no_episode() -> None:
    pending = [at(1_000, PENDING, before=INACTIVE, notify=False), at(2_000, INACTIVE, before=PENDING, notify=False)]
    assert report_rules(pending, 0) == []


def test_an_episode_that_began_before_the_span_is_not_counted_but_what_was_told_of_it_is() -> None:
    found = one([at(90_000, RESOLVED, episode_ms=1_000)], since_ms=60_000)
    assert (found.episodes, found.told, found.brief_ratio, found.busiest) == (0, 1, None, "")


def test_rules_that_told_most_come_first() -> None:
    entries = [
        *episode(1_000, 2_000, rule="quiet"),
        *episode(3_000, 4_000, rule="loud"),
        *episode(5_000, 6_000, rule="loud"),
    ]
    assert [report.rule for report in report_rules(entries, 0)] == ["loud", "quiet"]
