"""Counts the firings of an alert, and turns those of one that flaps into updates of one incident. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from barograph_alerter.rules.rule import Rule
from barograph_alerter.rules.summary import MAX_SUMMARY
from barograph_core.alerts import reason
from barograph_core.alerts.change import Change
from barograph_core.alerts.flapping.flaps import Flapping, Flaps
from barograph_core.alerts.record import AlertRecord, AlertState
from barograph_core.alerts.state import ServiceState
from barograph_core.alerts.transition import Transition
from barograph_core.text.durations import format_duration

# How far apart updates are of a rule without a cooldown: one for each flap would be what flapping is to prevent.
_UPDATE_EVERY_MS: Final = 300_000


def mark_flaps(rule: Rule, state: ServiceState, changes: Sequence[Change], end_ms: int, now_ms: int) -> list[Change]:
    """Return ``changes`` of alerts of ``rule`` with what flapping makes of them.

    The firing that begins flapping is told to every channel. The later ones are updates, which a channel sends once a
    cooldown at most, or at once where the severity is higher than what it told; no one is reminded. Ends are written
    and not sent until the alert is calm (``ending.py``).

    Args:
        rule: Their rule; one that does not count flaps changes nothing.
        state: The alerts before ``changes``.
        changes: Of one moment.
        end_ms: End of the newest pane of the moment.
        now_ms: Wall time.
    """
    policy = rule.flapping
    if policy is None:
        return list(changes)
    return [_marked(rule, policy, state, change, end_ms, now_ms) for change in changes]


def _marked(rule: Rule, policy: Flapping, state: ServiceState, change: Change, end_ms: int, now_ms: int) -> Change:
    entry, held = change.transition, state.flaps.get(change.alert_id)
    if entry is None or entry.before is entry.after:
        return change
    if entry.after is AlertState.FIRING and change.record is not None:
        before = held or Flaps(rule=rule.name)
        flaps = before.after_firing(end_ms, policy)
        if before.is_flapping:
            return _update(rule, policy, change, entry, change.record, before, flaps, now_ms)
        if len(flaps.fired_ms) >= policy.firings:
            return _begin(rule, policy, change, entry, change.record, flaps)
        return replace(change, flaps=flaps)
    ended = state.records.get(change.alert_id)
    if entry.after is AlertState.RESOLVED and held is not None and held.is_flapping and ended is not None:
        last = replace(
            ended,
            state=AlertState.RESOLVED,
            number=ended.number + 1,
            changed_at_ms=now_ms,
            value=entry.value,
            threshold=entry.threshold,
            summary=entry.summary,
            contributors=(),
        )
        quiet = replace(entry, notify=False, reason=reason.FLAPPING)
        return replace(change, transition=quiet, cooldown="none", flaps=replace(held, last=last))
    return change


def _begin(
    rule: Rule, policy: Flapping, change: Change, entry: Transition, record: AlertRecord, flaps: Flaps
) -> Change:
    """Return the firing with which the alert begins to flap: every channel is told of it, whatever its cooldown."""
    told = _in_incident(rule, policy, record, flaps, record.episode_ms)
    return replace(
        change,
        record=told,
        transition=replace(_entry_of(told, entry), notify=None, reason=reason.FLAPPING, flag="flapping"),
        cooldown="override",
        flaps=replace(flaps, incident_ms=record.episode_ms),
    )


def _update(
    rule: Rule,
    policy: Flapping,
    change: Change,
    entry: Transition,
    record: AlertRecord,
    before: Flaps,
    flaps: Flaps,
    now_ms: int,
) -> Change:
    """Return a firing of an alert that flaps already."""
    told = _in_incident(rule, policy, record, flaps, before.incident_ms)
    ack = None if before.last is None else before.last.ack
    is_looked_after = ack is not None and not ack.has_expired(now_ms)
    if before.last is not None and is_looked_after and told.severity.rank <= before.last.severity.rank:
        # Somebody looks after it, and it is no worse: the acknowledgement lasts as long as the incident.
        told = replace(told, ack=ack)
        quiet = replace(_entry_of(told, entry), notify=False, reason=reason.ACKNOWLEDGED)
        return replace(change, record=told, transition=quiet, cooldown="none", flaps=flaps)
    update = replace(_entry_of(told, entry), notify=None, reason=reason.FLAPPING)
    return replace(change, record=told, transition=update, cooldown="announce", flaps=flaps)


def _in_incident(
    rule: Rule, policy: Flapping, record: AlertRecord, flaps: Flaps, incident_ms: int | None
) -> AlertRecord:
    """Return the record of a firing that belongs to the incident that began with an earlier one."""
    often = f"fired {len(flaps.fired_ms)} times in {format_duration(policy.within_ms)}"
    return replace(
        record,
        is_flapping=True,
        incident_ms=incident_ms,
        # No reminder: what a channel does not hear now it hears when the alert is calm.
        is_announced=True,
        cooldown_ms=rule.cooldown_ms or _UPDATE_EVERY_MS,
        summary=f"flapping, {often}: {record.summary}"[:MAX_SUMMARY],
    )


def _entry_of(record: AlertRecord, entry: Transition) -> Transition:
    return replace(entry, summary=record.summary, incident_ms=record.incident_ms, cooldown_ms=record.cooldown_ms)
