"""Ends flapping when an alert is calm, with one notice, and forgets firings that no longer count. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from barograph_alerter.rules.rule import Rule
from barograph_alerter.rules.summary import MAX_SUMMARY
from barograph_core.alerts import reason
from barograph_core.alerts.change import Change, CooldownMode
from barograph_core.alerts.flapping.flaps import Flaps
from barograph_core.alerts.record import AlertRecord, AlertState
from barograph_core.alerts.state import ServiceState
from barograph_core.alerts.transition import Flag, transition_of

_FLAG: Final[Flag] = "flapping_ended"


def end_flaps(rules: Sequence[Rule], state: ServiceState, end_ms: int, now_ms: int, *, knows_all: bool) -> list[Change]:
    """Return the changes by which alerts stop to flap at a closed pane, and apply them to ``state``.

    An alert that is clear then is told as resolved, one that fires as firing steadily. Flapping of a rule that is gone,
    or no longer counts flaps, ends at once; that of an alert resolved by hand has been told.

    Args:
        rules: Those in force for the service.
        state: Its alerts and their firings.
        end_ms: End of the pane.
        now_ms: Wall time.
        knows_all: Whether a rule that is not among ``rules`` is gone.
    """
    if not state.flaps:
        return []
    known = {rule.name: rule for rule in rules}
    changes: list[Change] = []
    for alert, flaps in state.flaps.items():
        rule = known.get(flaps.rule)
        if rule is None and not knows_all:
            continue
        if rule is not None and _is_quiet(rule, flaps, end_ms):
            continue
        change = _after(alert, flaps, known, state.records.get(alert), end_ms, now_ms)
        if change is not None:
            changes.append(change)
    for change in changes:
        state.apply(change)
    return changes


def _is_quiet(rule: Rule, flaps: Flaps, end_ms: int) -> bool:
    """Say whether an alert does not flap and has fired lately: of thousands nearly all, and nothing changes of them."""
    if flaps.is_flapping or rule.flapping is None or not flaps.fired_ms:
        return False
    return end_ms - flaps.fired_ms[-1] < rule.flapping.within_ms


def next_calm_ms(rule: Rule, flaps: Flaps) -> int:
    """Return the end of the pane at which ``flaps`` change by themselves, if nothing fires until then."""
    policy = rule.flapping
    if policy is None or not flaps.fired_ms:
        return 0
    place = -1 - policy.calm if flaps.is_flapping else -1
    return flaps.fired_ms[max(place, -len(flaps.fired_ms))] + policy.within_ms


def _after(
    alert: str, flaps: Flaps, known: Mapping[str, Rule], record: AlertRecord | None, end_ms: int, now_ms: int
) -> Change | None:
    rule = known.get(flaps.rule)
    policy = None if rule is None else rule.flapping
    left = () if policy is None else flaps.recent(end_ms, policy)
    if not flaps.is_flapping:
        return None if left else Change(alert_id=alert, record=record, flaps=None)
    if record is not None and record.is_muted:
        return Change(alert_id=alert, record=record, flaps=None)
    if policy is not None and len(left) > policy.calm:
        return None
    kept = replace(flaps, fired_ms=left, incident_ms=None, last=None) if left else None
    why = reason.RULE_REMOVED if rule is None else reason.FLAPPING_ENDED
    if record is not None and record.state is AlertState.FIRING:
        return _steady(record, kept, now_ms)
    if flaps.last is None:
        return Change(alert_id=alert, record=record, flaps=kept)
    return _calm(flaps.last, record, kept, why, now_ms)


def _steady(record: AlertRecord, kept: Flaps | None, now_ms: int) -> Change:
    """Return the change of an alert that fires and no longer flaps: every channel is told that it lasts."""
    steady = replace(
        record,
        is_flapping=False,
        is_announced=True,
        number=record.number + 1,
        changed_at_ms=now_ms,
        summary=_plain(record.summary),
    )
    is_quiet = record.ack is not None and not record.ack.has_expired(now_ms)
    entry = transition_of(
        steady,
        before=AlertState.FIRING,
        at_ms=now_ms,
        notify=False if is_quiet else None,
        reason=reason.FLAPPING_ENDED,
        # Somebody looks after it and no one is told: the reason alone says what has changed.
        flag="" if is_quiet else _FLAG,
    )
    mode: CooldownMode = "none" if is_quiet else "override"
    return Change(alert_id=record.alert_id, record=steady, transition=entry, cooldown=mode, flaps=kept)


def _calm(last: AlertRecord, record: AlertRecord | None, kept: Flaps | None, why: str, now_ms: int) -> Change:
    """Return the change of an alert that is clear and no longer flaps: channels that told of it tell its end."""
    ended = replace(last, is_flapping=False, number=last.number + 1, summary=_plain(last.summary))
    entry = transition_of(ended, before=AlertState.INACTIVE, at_ms=now_ms, notify=True, reason=why, flag=_FLAG)
    return Change(alert_id=last.alert_id, record=record, transition=entry, flaps=kept)


def _plain(summary: str) -> str:
    """Return the summary without what ``marking`` has put before it."""
    begin, separator, rest = summary.partition(": ")
    text = rest if separator and begin.startswith("flapping, ") else summary
    return f"no longer flapping: {text}"[:MAX_SUMMARY]
