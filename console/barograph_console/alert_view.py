"""Alerts and their history as the API shows them. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence

from barograph_console.models import Alert, AlertSummary, ContributorRow, HistoryEntry
from barograph_console.points import finite
from barograph_console.ports import AlertEntry, EpisodeCounts
from barograph_core.alerts import AlertRecord, AlertState, Contributor, Severity


def alert_row(record: AlertRecord) -> Alert:
    """Return one alert as the API shows it."""
    return Alert(
        id=record.alert_id,
        rule=record.rule,
        severity=record.severity.value,
        state=record.state.value,
        service=record.service,
        labels=dict(record.labels),
        started_at_ms=record.episode_ms,
        changed_at_ms=record.changed_at_ms,
        fired_at_ms=record.fired_at_ms,
        value=_number(record.value),
        threshold=_number(record.threshold),
        summary=record.summary,
        runbook=record.runbook,
        contributors=_contributors(record.contributors),
    )


def active_rows(records: Iterable[AlertRecord]) -> list[Alert]:
    """Return what is pending or firing: firing first, the worst first, then the oldest first."""
    active = [record for record in records if record.is_active]
    active.sort(
        key=lambda record: (
            record.state is not AlertState.FIRING,
            -record.severity.rank,
            record.episode_ms,
            record.alert_id,
        )
    )
    return [alert_row(record) for record in active]


def history_row(entry: AlertEntry) -> HistoryEntry:
    """Return one entry of the alerts stream as the API shows it."""
    transition = entry.transition
    return HistoryEntry(
        entry_id=str(entry.id),
        transition=transition.transition,
        alert_id=transition.alert_id,
        rule=transition.rule,
        severity=transition.severity.value,
        service=transition.service,
        labels=dict(transition.labels),
        before=transition.before.value,
        after=transition.after.value,
        at_ms=transition.at_ms,
        episode_ms=transition.episode_ms,
        value=_number(transition.value),
        threshold=_number(transition.threshold),
        summary=transition.summary,
        runbook=transition.runbook,
        contributors=_contributors(transition.contributors),
        notify=bool(transition.notify),
        reason=transition.reason,
        actor=transition.actor,
    )


def summarise(at_ms: int, records: Iterable[AlertRecord], counts: EpisodeCounts) -> AlertSummary:
    """Return how many alerts are active, by state and severity, and how many came and went."""
    active = [record for record in records if record.is_active]
    firing = Counter(record.severity for record in active if record.state is AlertState.FIRING)
    return AlertSummary(
        at_ms=at_ms,
        active=len(active),
        firing=firing.total(),
        pending=len(active) - firing.total(),
        firing_by_severity={severity.value: firing[severity] for severity in Severity},
        fired_24h=counts.fired,
        resolved_24h=counts.resolved,
        is_capped=counts.is_capped,
    )


def _number(value: float | None) -> float | None:
    return None if value is None else finite(value)


def _contributors(contributors: Sequence[Contributor]) -> list[ContributorRow]:
    return [
        ContributorRow(
            labels=dict(one.labels),
            of=one.of,
            amount=finite(one.amount) or 0.0,
            share_ratio=finite(one.share_ratio) or 0.0,
        )
        for one in contributors
    ]
