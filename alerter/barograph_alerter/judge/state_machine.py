"""How a verdict changes one alert: ``record, fact -> record, move``. Nothing here reads a clock or a stream.

As in Prometheus: ``for`` is inclusive, ``keep_firing_for`` strict, one clear verdict deletes a pending
alert, and the identity is made of labels, not of the value. In addition: missing data is neither a breach nor clear;
only closed panes delete or resolve an alert, and with an instance missing only when what was seen has been clear for
``no_data_for``. Time without data, with an instance missing or that no one judged counts for no hold.
"""

from dataclasses import replace
from typing import Any, Final

from barograph_alerter.judge.fact import Fact, Identity, Move, Transitioned
from barograph_alerter.rules.rule import Rule
from barograph_core.alerts import reason
from barograph_core.alerts.by_hand import MUTED_BY_HAND_MS
from barograph_core.alerts.change import CooldownMode
from barograph_core.alerts.record import AlertRecord, AlertState


def advance(rule: Rule, identity: Identity, record: AlertRecord | None, fact: Fact, now_ms: int) -> Transitioned:
    """Return the alert after ``fact``.

    Args:
        rule: Its rule as it is today.
        identity: The alert.
        record: Its state, ``None`` when inactive.
        fact: The verdict. One on an open pane changes nothing if the rule needs closed panes.
        now_ms: Wall time, for the record only.
    """
    if not fact.is_closed and not (fact.breach is True and rule.is_provisional):
        return Transitioned(record)
    if record is None:
        return _from_inactive(rule, identity, fact, now_ms)
    if fact.is_closed:
        if fact.window_end_ms < record.breached_to_ms:
            # The breach began with a later pane, which was still open.
            return Transitioned(record)
        record = _past_gap(record, fact)
    if record.is_muted:
        return _from_muted(rule, identity, record, fact, now_ms)
    if record.state is AlertState.PENDING:
        return _from_pending(rule, identity, record, fact, now_ms)
    return _from_firing(rule, record, fact, now_ms)


def goes_on(record: AlertRecord) -> bool:
    """Say whether the alert fires without a sign of recovery, so that a breach in an open pane says nothing new."""
    return (
        record.state is AlertState.FIRING
        and record.clear_since_ms is None
        and record.seen_clear_since_ms is None
        and record.no_data_since_ms is None
        and record.judged_to_ms is None
        and not (record.lack or record.is_muted or record.is_no_data)
    )


def remind(record: AlertRecord, now_ms: int) -> Transitioned:
    """Return the reminder of a firing that was not announced to every channel.

    The server applies it once a channel that was muted is free. Its reply says whether any is still muted.

    Raises:
        ValueError: The alert is not firing, or was announced.
    """
    if record.state is not AlertState.FIRING or record.is_announced:
        raise ValueError(f"alert {record.alert_id!r} needs no reminder")
    reminded = replace(record, number=record.number + 1, changed_at_ms=now_ms)
    return Transitioned(reminded, Move(AlertState.FIRING, reminded, "recall"))


def remove(record: AlertRecord, now_ms: int) -> Transitioned:
    """End an alert whose rule is gone, or has other labels in ``by``."""
    if not record.is_active:
        return Transitioned(None)
    return _end(record, now_ms, reason.RULE_REMOVED)


def _from_inactive(rule: Rule, identity: Identity, fact: Fact, now_ms: int) -> Transitioned:
    is_silent = fact.breach is None and fact.is_closed and rule.no_data == "alert"
    if fact.breach is not True and not is_silent:
        return Transitioned(None)
    record = AlertRecord(
        alert_id=identity.alert_id,
        rule=rule.name,
        service=identity.service,
        labels=identity.labels,
        severity=rule.severity,
        state=AlertState.INACTIVE,
        # Not the moment: after a failover it fires again at another one, and must be the same episode.
        episode_ms=fact.window_end_ms,
        begun_ms=fact.at_ms,
        changed_at_ms=now_ms,
        breached_to_ms=fact.window_end_ms,
        no_data_since_ms=fact.at_ms if is_silent else None,
        is_no_data=is_silent,
        lack=fact.lack if is_silent else "",
    )
    hold_ms = rule.no_data_for_ms if is_silent else rule.for_ms
    if not is_silent and hold_ms:
        record = replace(record, hold_ms=hold_ms)
    return _fire(rule, record, fact, now_ms) if hold_ms == 0 else _wait(rule, record, fact, now_ms)


def _from_pending(rule: Rule, identity: Identity, record: AlertRecord, fact: Fact, now_ms: int) -> Transitioned:
    if fact.breach is True:
        if record.is_no_data:
            # Data is back and the condition holds: a new breach, with its own ``for``.
            begun = _from_inactive(rule, identity, fact, now_ms)
            move = begun.move if rule.for_ms == 0 else None
            return Transitioned(begun.record, move and replace(move, before=record.state))
        record = _with(_breached(record, fact), no_data_since_ms=None, lack="")
        begun_ms = record.episode_ms if record.begun_ms is None else record.begun_ms
        hold_ms = rule.for_ms if record.hold_ms is None else min(rule.for_ms, record.hold_ms)
        is_due = fact.at_ms - begun_ms - record.unjudged_ms >= hold_ms
        return _fire(rule, record, fact, now_ms) if is_due else Transitioned(record)
    if fact.breach is False:
        # A pending alert ends with its breach: ``resolve_when`` is for alerts that were announced.
        return _end(record, now_ms, "") if fact.missing == 0 else Transitioned(_held_still(record, fact))
    record = _held_still(record, fact)
    record = replace(record, no_data_since_ms=_since(record.no_data_since_ms, fact), lack=fact.lack)
    if not _has_lacked_data(rule, record, fact):
        return Transitioned(record)
    if rule.no_data == "alert":
        return _fire(rule, replace(record, is_no_data=True), fact, now_ms)
    # Even with "keep" a pending alert ends: ``for`` must not count time without data.
    return _end(record, now_ms, reason.NO_DATA) if fact.missing == 0 else Transitioned(record)


def _from_firing(rule: Rule, record: AlertRecord, fact: Fact, now_ms: int) -> Transitioned:
    if fact.breach is True:
        record = _with(_breached(record, fact), **_NO_RECOVERY)
        if record.is_no_data:
            return _tell_breach(rule, record, fact, now_ms)
        return _grow(rule, record, now_ms)
    if fact.value is not None:
        record = _with(record, value=fact.value, threshold=fact.threshold)
    if fact.lacks_data:
        return _without_data(rule, record, fact, now_ms)
    is_over_no_data = record.is_no_data and fact.breach is False
    if fact.clear is not True and not is_over_no_data:
        return Transitioned(_with(record, **_NO_RECOVERY))
    record = replace(
        record,
        seen_clear_since_ms=_since(record.seen_clear_since_ms, fact),
        no_data_since_ms=None,
        lack="",
        judged_to_ms=fact.window_end_ms,
    )
    if fact.missing:
        # Visible data is clear but an instance is missing: the recovery timer stands still.
        record = replace(record, clear_since_ms=_moved(record.clear_since_ms, fact.step_ms))
        is_due = _lasts(record.seen_clear_since_ms, fact, rule.no_data_for_ms)
        return _end(record, now_ms, reason.RECOVERED_PARTLY) if is_due else Transitioned(record)
    record = replace(record, clear_since_ms=_since(record.clear_since_ms, fact))
    is_due = _lasts(record.clear_since_ms, fact, rule.keep_firing_for_ms + record.late_ms)
    return _end(record, now_ms, "") if is_due else Transitioned(record)


def _without_data(rule: Rule, record: AlertRecord, fact: Fact, now_ms: int) -> Transitioned:
    """Return a firing alert after a window that lacked data: a recovery that has begun stands still."""
    record = replace(
        record,
        clear_since_ms=_moved(record.clear_since_ms, fact.step_ms),
        seen_clear_since_ms=_moved(record.seen_clear_since_ms, fact.step_ms),
        no_data_since_ms=_since(record.no_data_since_ms, fact),
        # What fires by its condition goes on because no one is left who could count it down.
        lack=fact.lack if record.is_no_data or fact.lack != reason.PRODUCERS_DEAD else reason.NO_EVENTS,
    )
    if fact.missing == 0 and rule.no_data == "resolve" and _has_lacked_data(rule, record, fact):
        return _end(record, now_ms, reason.NO_DATA)
    is_gone = rule.stale_after_ms > 0 and _lasts(record.no_data_since_ms, fact, rule.stale_after_ms)
    return _end(record, now_ms, reason.SERIES_GONE) if is_gone and rule.by else Transitioned(record)


def _from_muted(rule: Rule, identity: Identity, record: AlertRecord, fact: Fact, now_ms: int) -> Transitioned:
    """Unmute at the first clear verdict, or when data has been missing for ``no_data_for``.

    A mute by hand is for a breach that a person knows. After a day, or when the rule has become more severe, the same
    breach is a new episode.
    """
    is_over = now_ms - record.changed_at_ms >= MUTED_BY_HAND_MS or rule.severity.rank > record.severity.rank
    if is_over and fact.breach is True:
        return _from_inactive(rule, identity, fact, now_ms)
    if fact.is_clear:
        return Transitioned(None)
    if not fact.lacks_data:
        return Transitioned(replace(record, no_data_since_ms=None))
    record = replace(record, no_data_since_ms=_since(record.no_data_since_ms, fact))
    return Transitioned(None if fact.missing == 0 and _has_lacked_data(rule, record, fact) else record)


_NO_RECOVERY: Final[dict[str, Any]] = {
    "clear_since_ms": None,
    "seen_clear_since_ms": None,
    "no_data_since_ms": None,
    "lack": "",
    "judged_to_ms": None,
}


def _past_gap(record: AlertRecord, fact: Fact) -> AlertRecord:
    """Return the record after the panes between the last one judged and this one: they count for no hold."""
    if record.judged_to_ms is None:
        return replace(record, judged_to_ms=fact.window_end_ms) if record.state is AlertState.PENDING else record
    gap_ms = max(0, fact.window_end_ms - record.judged_to_ms - fact.step_ms)
    return replace(
        record,
        judged_to_ms=fact.window_end_ms,
        unjudged_ms=record.unjudged_ms + gap_ms,
        clear_since_ms=_moved(record.clear_since_ms, gap_ms),
        seen_clear_since_ms=_moved(record.seen_clear_since_ms, gap_ms),
        no_data_since_ms=_moved(record.no_data_since_ms, gap_ms),
    )


def _held_still(record: AlertRecord, fact: Fact) -> AlertRecord:
    """Return a pending record after a pane that shows no breach, and not that it is over: it counts for no hold."""
    return replace(record, unjudged_ms=record.unjudged_ms + fact.step_ms)


def _with(record: AlertRecord, **fields: Any) -> AlertRecord:
    """Return the record with these fields, itself where they are so already.

    Thousands of alerts that go on firing are judged a second, and to copy a record takes longer than all else of it.
    """
    is_so = all(getattr(record, name) == value for name, value in fields.items())
    return record if is_so else replace(record, **fields)


def _moved(since_ms: int | None, by_ms: int) -> int | None:
    return None if since_ms is None else since_ms + by_ms


def _lasts(since_ms: int | None, fact: Fact, least_ms: int) -> bool:
    return since_ms is not None and fact.at_ms - since_ms >= least_ms


def _since(since_ms: int | None, fact: Fact) -> int:
    return fact.at_ms if since_ms is None else since_ms


def _has_lacked_data(rule: Rule, record: AlertRecord, fact: Fact) -> bool:
    return _lasts(record.no_data_since_ms, fact, rule.no_data_for_ms)


def _breached(record: AlertRecord, fact: Fact) -> AlertRecord:
    """Note a breach. The value of an open pane is left out, because it would cost a write at every change."""
    return _with(record, value=fact.value, threshold=fact.threshold) if fact.is_closed else record


def _entered(rule: Rule, record: AlertRecord, state: AlertState, now_ms: int) -> AlertRecord:
    return replace(
        record,
        state=state,
        severity=rule.severity,
        cooldown_ms=rule.cooldown_ms,
        runbook=rule.runbook,
        number=record.number + 1,
        changed_at_ms=now_ms,
    )


def _wait(rule: Rule, record: AlertRecord, fact: Fact, now_ms: int) -> Transitioned:
    waiting = _entered(rule, record, AlertState.PENDING, now_ms)
    waiting = replace(waiting, value=fact.value, threshold=fact.threshold)
    return Transitioned(waiting, Move(record.state, waiting, "none", notify=False, reason=reason.PENDING))


def _fire(rule: Rule, record: AlertRecord, fact: Fact, now_ms: int) -> Transitioned:
    firing = replace(
        _entered(rule, record, AlertState.FIRING, now_ms),
        fired_at_ms=now_ms,
        value=fact.value,
        threshold=fact.threshold,
        # Without a cooldown no channel is ever quiet.
        is_announced=rule.cooldown_ms == 0,
    )
    return Transitioned(firing, _announce(record.state, firing, "announce"))


def _tell_breach(rule: Rule, record: AlertRecord, fact: Fact, now_ms: int) -> Transitioned:
    """Tell that an alert for lack of data is one of the condition now: the data is back, and bad."""
    told = replace(
        _entered(rule, record, AlertState.FIRING, now_ms),
        is_no_data=False,
        lack="",
        is_announced=True,
        value=fact.value,
        threshold=fact.threshold,
    )
    return Transitioned(told, _announce(AlertState.FIRING, told, "override"))


def _grow(rule: Rule, record: AlertRecord, now_ms: int) -> Transitioned:
    """Notify again when the rule has become more severe while the alert fires.

    Notify for the first time when the rule's cooldown is no longer the one that held the firing back.
    """
    is_freed = not record.is_announced and rule.cooldown_ms != record.cooldown_ms
    if rule.severity.rank <= record.severity.rank and not is_freed:
        # A lower severity counts from the next transition only. Otherwise two alerters with different
        # configurations, as during an upgrade, would lower and raise it each second.
        return Transitioned(_with(record, cooldown_ms=rule.cooldown_ms))
    grown = replace(_entered(rule, record, AlertState.FIRING, now_ms), is_announced=True)
    move = _announce(AlertState.FIRING, grown, "override")
    if grown.ack is None or grown.severity.rank <= record.severity.rank:
        return Transitioned(grown, move)
    # It was acknowledged as something less severe.
    grown = replace(grown, ack=None)
    return Transitioned(grown, replace(move, record=grown, flag="unacknowledged"))


def _announce(before: AlertState, firing: AlertRecord, cooldown: CooldownMode) -> Move:
    if firing.cooldown_ms == 0:
        return Move(before, firing, "none", notify=True, reason=firing.reason)
    return Move(before, firing, cooldown, reason=firing.reason)


def _end(record: AlertRecord, now_ms: int, why: str) -> Transitioned:
    """Return the end of an episode: resolved after firing, otherwise inactive without a notification."""
    was_firing = record.state is AlertState.FIRING
    state = AlertState.RESOLVED if was_firing else AlertState.INACTIVE
    ended = replace(record, state=state, number=record.number + 1, changed_at_ms=now_ms)
    why = why if was_firing else why or reason.PENDING
    return Transitioned(None, Move(record.state, ended, "none", notify=was_firing, reason=why))
