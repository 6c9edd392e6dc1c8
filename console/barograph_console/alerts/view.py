"""Alerts and their history as the API shows them. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from barograph_console.alerts.models import (
    Acknowledgement,
    Alert,
    AlertSummary,
    ContributorRow,
    DeliveryRow,
    HistoryEntry,
    SilenceChangeRow,
)
from barograph_console.alerts.silence_rows import silenced_by
from barograph_console.serving.numbers import finite
from barograph_console.store.ports import AlertEntry, EpisodeCounts, SilenceChange
from barograph_core.alerts.condition_text import condition_text, leading_value
from barograph_core.alerts.published_rules import PublishedRule, PublishedRules
from barograph_core.alerts.record import AlertRecord, AlertState, Contributor, Severity
from barograph_core.alerts.transition import Transition
from barograph_core.pipeline.deliveries import Delivery
from barograph_core.silences.silence import Silence


def alert_row(record: AlertRecord, rules: PublishedRules | None, silences: Sequence[Silence] = ()) -> Alert:
    """Return one alert as the API shows it, with what is known of its rule; ``silences`` are the active ones."""
    rule = None if rules is None else rules.find(record.rule)
    return Alert(
        **_facts(record),
        state=record.state.value,
        changed_at_ms=record.changed_at_ms,
        fired_at_ms=record.fired_at_ms,
        ack=_acknowledgement(record),
        silenced_by=silenced_by(record, silences),
        inhibited_by=list(record.inhibited_by),
        is_flapping=record.is_flapping,
        **_hold(record, rule),
        unit=_unit(rule),
        ends_at_ms=record.ends_ms,
        why="" if rule is None or record.is_no_data else condition_text(rule, leading_value(rule, record.value)),
    )


def transition_row(transition: Transition, rules: PublishedRules | None) -> Alert:
    """Return an alert that is inactive now, as its last entry tells of it."""
    rule = None if rules is None else rules.find(transition.rule)
    return Alert(
        **_facts(transition),
        state=transition.after.value,
        changed_at_ms=transition.at_ms,
        fired_at_ms=None,
        unit=_unit(rule),
        why="" if rule is None else condition_text(rule, leading_value(rule, transition.value)),
    )


def active_rows(
    records: Iterable[AlertRecord], rules: PublishedRules | None, silences: Sequence[Silence] = ()
) -> list[Alert]:
    """Return what is pending or firing: firing first, the worst first, then the oldest first."""
    return [alert_row(record, rules, silences) for record in worst_first(records)]


def worst_first(records: Iterable[AlertRecord]) -> list[AlertRecord]:
    """Return what is pending or firing: firing first, the worst first, then the oldest first."""
    active = [record for record in records if record.is_active]
    return sorted(
        active,
        key=lambda record: (
            record.state is not AlertState.FIRING,
            -record.severity.rank,
            record.episode_ms,
            record.alert_id,
        ),
    )


def history_row(entry: AlertEntry) -> HistoryEntry:
    """Return one entry of the alerts stream as the API shows it."""
    transition = entry.transition
    facts = _facts(transition)
    return HistoryEntry(
        entry_id=str(entry.id),
        transition=transition.transition,
        alert_id=facts.pop("id"),
        episode_ms=facts.pop("started_at_ms"),
        **facts,
        before=transition.before.value,
        after=transition.after.value,
        at_ms=transition.at_ms,
        notify=bool(transition.notify),
        actor=transition.actor,
        missing=list(transition.missing),
        flag=transition.flag,
        note=transition.note,
        until_ms=transition.until_ms,
    )


def silence_change_row(change: SilenceChange) -> SilenceChangeRow:
    """Return one change of a silence as the API shows it."""
    entry = change.entry
    return SilenceChangeRow(
        entry_id=str(change.id),
        at_ms=entry.at_ms,
        change=entry.change,
        silence_id=entry.silence_id,
        matchers=[str(matcher) for matcher in entry.matchers],
        starts_at_ms=entry.starts_ms,
        ends_at_ms=entry.ends_ms,
        actor=entry.actor,
        note=entry.note,
        reason=entry.reason,
    )


def delivery_row(delivery: Delivery) -> DeliveryRow:
    """Return one attempt to send as the API shows it."""
    return DeliveryRow(
        entry_id=str(delivery.id),
        at_ms=delivery.at_ms,
        transition=delivery.transition,
        channel=delivery.channel,
        attempt=delivery.attempt,
        result=delivery.result,
        reason=delivery.reason,
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


def _facts(told: AlertRecord | Transition) -> dict[str, Any]:
    """Return what a record and an entry both say of an alert."""
    return {
        "id": told.alert_id,
        "rule": told.rule,
        "severity": told.severity.value,
        "service": told.service,
        "labels": dict(told.labels),
        "started_at_ms": told.episode_ms,
        "value": _number(told.value),
        "threshold": _number(told.threshold),
        "summary": told.summary,
        "runbook": told.runbook,
        "reason": told.reason,
        "contributors": _contributors(told.contributors),
    }


def _acknowledgement(record: AlertRecord) -> Acknowledgement | None:
    ack = record.ack
    if ack is None:
        return None
    return Acknowledgement(actor=ack.actor, at_ms=ack.at_ms, until_ms=ack.until_ms, note=ack.note)


def _hold(record: AlertRecord, rule: PublishedRule | None) -> dict[str, Any]:
    """Return since when a pending alert is held, and for how long; nothing of another one."""
    if record.state is not AlertState.PENDING:
        return {}
    if record.is_no_data:
        return {"pending_since_ms": record.no_data_since_ms, "for_ms": None if rule is None else rule.no_data_for_ms}
    if rule is not None and rule.levels:
        # The level that is due next.
        since = record.level_since_ms
        held = [(since[one.severity], one.for_ms) for one in rule.levels if one.severity in since]
        since_ms, for_ms = min(held, key=sum, default=(None, None))
        return {"pending_since_ms": since_ms, "for_ms": for_ms}
    begun_ms = record.episode_ms if record.begun_ms is None else record.begun_ms
    holds_ms = [] if rule is None else [rule.for_ms]
    # As the alerter does: a hold that was made longer meanwhile counts from the next episode on.
    holds_ms += [] if record.hold_ms is None else [record.hold_ms]
    return {"pending_since_ms": begun_ms + record.unjudged_ms, "for_ms": min(holds_ms, default=None)}


def _unit(rule: PublishedRule | None) -> str:
    leading = None if rule is None else rule.leading
    return "" if leading is None else leading.unit


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
