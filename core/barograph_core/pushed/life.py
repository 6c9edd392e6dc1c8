"""How a pushed alert begins, goes on and ends. Pure.

It fires from its first push until a push says that it is over, or until no one has pushed it again in time. Both ends
are transitions, so that what fires afterwards is another episode. A push of what fires already writes no entry.
"""

from dataclasses import replace
from typing import Final

from barograph_core.alerts.by_hand import MUTED_BY_HAND_MS
from barograph_core.alerts.change import Change
from barograph_core.alerts.reason import NOT_PUSHED_AGAIN
from barograph_core.alerts.record import AlertRecord, AlertState
from barograph_core.alerts.state import ServiceState
from barograph_core.alerts.transition import transition_of
from barograph_core.pushed.pushed_alert import PushedAlert

# How far the clock of another program may be behind. Where it is further, the end of a shorter episode is not believed,
# and the episode ends when no one has pushed it again in time.
_MOST_SKEW_MS: Final = 10_000


def after_push(record: AlertRecord | None, pushed: PushedAlert, now_ms: int) -> Change | None:
    """Return what a push changes; ``None`` for nothing.

    Args:
        record: The alert as it is; ``None`` while it is inactive.
        pushed: What the other program says.
        now_ms: Wall time.
    """
    is_over = pushed.ends_ms <= now_ms
    if record is None:
        return None if is_over else _begun(pushed, now_ms)
    if is_over and _is_of_earlier(record, pushed):
        return None
    after = _as_told(record, pushed)
    if is_over:
        return _ended(after, now_ms, "")
    if record.is_muted and now_ms - record.changed_at_ms >= MUTED_BY_HAND_MS:
        # As for our own rules: the mute is for a breach that a person knows.
        return _begun(pushed, now_ms)
    return None if after == record else Change(alert_id=record.alert_id, record=after)


def _is_of_earlier(record: AlertRecord, pushed: PushedAlert) -> bool:
    """Say whether an end is that of an episode before this one.

    Prometheus repeats an end for fifteen minutes. Of two that watch the same, the one for which it is over would end
    each minute what the other one says again. An end without a beginning is the word of somebody who means this one.
    """
    begun_ms = max(record.fired_at_ms or 0, record.episode_ms - _MOST_SKEW_MS)
    return pushed.starts_ms < pushed.ends_ms < begun_ms


def end_lapsed(state: ServiceState, now_ms: int) -> list[Change]:
    """Return the ends of the pushed alerts that no one has pushed again in time, and apply them to ``state``."""
    changes = [
        _ended(record, now_ms, NOT_PUSHED_AGAIN)
        for record in state.records.values()
        if record.ends_ms is not None and record.ends_ms <= now_ms
    ]
    for change in changes:
        state.apply(change)
    return changes


def _begun(pushed: PushedAlert, now_ms: int) -> Change:
    record = AlertRecord(
        alert_id=pushed.alert_id,
        rule=pushed.rule,
        service=pushed.service,
        labels=pushed.labels,
        severity=pushed.severity,
        state=AlertState.FIRING,
        # Not when it began: two programs that watch the same may say so of one episode and of the next.
        episode_ms=now_ms,
        changed_at_ms=now_ms,
        breached_to_ms=now_ms,
        number=1,
        fired_at_ms=min(pushed.starts_ms, now_ms),
        # It has no cooldown: the other program decides how long an alert holds before it is pushed.
        is_announced=True,
    )
    record = _as_told(record, pushed)
    entry = transition_of(record, before=AlertState.INACTIVE, at_ms=now_ms, notify=True)
    return Change(alert_id=record.alert_id, record=record, transition=entry)


def _as_told(record: AlertRecord, pushed: PushedAlert) -> AlertRecord:
    return replace(
        record,
        ends_ms=pushed.ends_ms,
        annotations=pushed.annotations,
        source_url=pushed.source_url,
        summary=pushed.summary,
        runbook=pushed.runbook,
    )


def _ended(record: AlertRecord, now_ms: int, reason: str) -> Change:
    """Return the end of an episode; of one that a person has ended, nothing is left to tell."""
    if not record.is_active:
        return Change(alert_id=record.alert_id, record=None)
    ended = replace(record, state=AlertState.RESOLVED, number=record.number + 1, changed_at_ms=now_ms)
    entry = transition_of(ended, before=record.state, at_ms=now_ms, notify=True, reason=reason)
    return Change(alert_id=record.alert_id, record=None, transition=entry)
