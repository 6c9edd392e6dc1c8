"""What became of the alerts of each rule over a span of time. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from barograph_console.alerts.episodes import Episode, episodes_of
from barograph_core.alerts.record import AlertState, Severity
from barograph_core.alerts.transition import Transition

# Longest alert that was gone before anyone could have done something.
BRIEF_MS: Final = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleReport:
    """One rule over a span of time. Spans are in ms, and ``None`` where there was none of the kind.

    Attributes:
        severity: The worst that it had.
        episodes: How many of its alerts began to fire.
        told: How many entries channels were allowed to send: firings, reminders and ends.
        acked: How many episodes a person acknowledged.
        by_hand: How many episodes a person ended.
        firing: How many had not ended at the end of the span.
        ack_ms: The median from the firing to the acknowledgement.
        resolve_ms: The median from the firing to the end.
        brief_ratio: Share of the episodes that were gone within a minute without an acknowledgement, 0 to 1.
        busiest: The service with the most episodes.
    """

    rule: str
    severity: str
    episodes: int
    told: int
    acked: int
    by_hand: int
    firing: int
    ack_ms: float | None
    resolve_ms: float | None
    brief_ratio: float | None
    busiest: str


def report_rules(transitions: Sequence[Transition], since_ms: int) -> list[RuleReport]:
    """Return the rules whose alerts fired, or that channels told people of; those that told most come first.

    Args:
        transitions: The entries of the span, the oldest first.
        since_ms: Begin of the span: an episode that began to fire before it is not counted.
    """
    services = {transition.alert_id: transition.service for transition in transitions}
    told = Counter(transition.rule for transition in transitions if transition.notify)
    fired: dict[str, list[Episode]] = {rule: [] for rule in told}
    for episode in _fired(transitions, since_ms):
        fired.setdefault(episode.rule, []).append(episode)
    reports = [_report(rule, found, told[rule], services) for rule, found in fired.items() if found or told[rule]]
    worst = {one.rule: Severity(one.severity).rank for one in reports}
    return sorted(reports, key=lambda one: (-one.told, -one.episodes, -worst[one.rule], one.rule))


def _fired(transitions: Sequence[Transition], since_ms: int) -> Iterable[Episode]:
    begun = {
        (transition.alert_id, transition.episode_ms)
        for transition in transitions
        if transition.before is not AlertState.FIRING and transition.after is AlertState.FIRING
    }
    for episode in episodes_of(transitions):
        if (episode.alert_id, episode.episode_ms) in begun and (episode.firing_ms or 0) >= since_ms:
            yield episode


def _report(rule: str, episodes: Sequence[Episode], told: int, services: dict[str, str]) -> RuleReport:
    acks = [one.ack_ms - one.firing_ms for one in episodes if one.ack_ms is not None and one.firing_ms is not None]
    ends = [one.end_ms - one.firing_ms for one in episodes if one.end_ms is not None and one.firing_ms is not None]
    brief = sum(
        one.ack_ms is None
        and one.end_ms is not None
        and one.firing_ms is not None
        and one.end_ms - one.firing_ms <= BRIEF_MS
        for one in episodes
    )
    busiest = Counter(services[one.alert_id] for one in episodes).most_common(1)
    severities = [Severity(one.severity) for one in episodes] or [Severity.INFO]
    return RuleReport(
        rule=rule,
        severity=max(severities, key=lambda one: one.rank).value,
        episodes=len(episodes),
        told=told,
        acked=len(acks),
        by_hand=sum(bool(one.actor) for one in episodes),
        firing=sum(one.end_ms is None for one in episodes),
        ack_ms=median(acks) if acks else None,
        resolve_ms=median(ends) if ends else None,
        brief_ratio=brief / len(episodes) if episodes else None,
        busiest=busiest[0][0] if busiest else "",
    )
