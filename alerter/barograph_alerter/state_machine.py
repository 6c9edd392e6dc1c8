"""What a verdict makes of one alert: ``record, fact -> record, move``. Nothing here reads a clock or a stream.

As in Prometheus: ``for`` is inclusive, ``keep_firing_for`` strict, one clear verdict deletes a pending
alert, and the identity is made of labels, not of the value. Beyond it: what is missing is neither a breach nor clear,
only closed panes delete or resolve, and none that lack an instance do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from barograph_alerter.rules import Rule
from barograph_core.alert_changes import CooldownMode
from barograph_core.alerts import AlertRecord, AlertState

REASON_PENDING: Final = "pending"
REASON_NO_DATA: Final = "no_data"
REASON_RULE_REMOVED: Final = "rule_removed"


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells alerts apart."""

    alert_id: str
    service: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """The verdict of one rule on one series at one moment of event time.

    Attributes:
        at_ms: The moment; holds are measured between moments.
        window_end_ms: End of the newest pane looked at.
        is_closed: Whether all its panes are closed. If not, only a breach says anything.
        missing: Instances whose events may be missing from the newest pane.
        breach: Whether ``when`` holds; ``None`` for want of data.
        clear: Whether the alert may end: ``resolve_when`` holds, or without one ``when`` does not.
    """

    at_ms: int
    window_end_ms: int
    is_closed: bool
    breach: bool | None
    clear: bool | None
    missing: int = 0
    value: float | None = None
    threshold: float | None = None

    @property
    def is_clear(self) -> bool:
        """Say whether it can be trusted that the breach is over."""
        return self.is_closed and self.missing == 0 and self.clear is True and self.breach is not True

    @property
    def lacks_data(self) -> bool:
        """Say whether a closed window did not hold what the condition asks for."""
        return self.is_closed and self.breach is not True and self.clear is None


@dataclass(frozen=True, slots=True)
class Move:
    """A transition to be told.

    Attributes:
        before: The state left.
        record: The alert as of the state entered; resolved and inactive ones are not kept.
        cooldown: How the cooldown key decides on the notification.
        notify: As told when ``cooldown`` is ``none``.
        reason: Likewise.
    """

    before: AlertState
    record: AlertRecord
    cooldown: CooldownMode
    notify: bool | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of an alert.

    Attributes:
        record: To be kept; ``None`` when the alert is inactive (again).
        move: The transition, if there is one.
    """

    record: AlertRecord | None
    move: Move | None = None


def step(rule: Rule, identity: Identity, record: AlertRecord | None, fact: Fact, now_ms: int) -> Outcome:
    """Return what ``fact`` makes of the alert.

    Args:
        rule: Its rule as it is today.
        identity: Which alert.
        record: Its state, ``None`` when inactive.
        fact: The verdict. Provisional ones of rules that need closed panes change nothing.
        now_ms: Wall time, for the record only.
    """
    if not fact.is_closed and not (fact.breach is True and rule.is_provisional):
        return Outcome(record)
    if record is None:
        return _from_inactive(rule, identity, fact, now_ms)
    if fact.is_closed and fact.window_end_ms < record.breached_to_ms:
        # A provisional breach was seen in a later pane than this one: its silence is no news.
        return Outcome(record)
    if record.is_muted:
        return _from_muted(rule, record, fact)
    if record.state is AlertState.PENDING:
        return _from_pending(rule, identity, record, fact, now_ms)
    return _from_firing(rule, record, fact, now_ms)


def remind(record: AlertRecord, now_ms: int) -> Outcome:
    """Return the reminder of a firing nobody was told of; it counts only once the cooldown has lapsed.

    Raises:
        ValueError: The alert is not firing, or was announced.
    """
    if record.state is not AlertState.FIRING or record.is_announced:
        raise ValueError(f"alert {record.alert_id!r} needs no reminder")
    reminded = replace(record, number=record.number + 1, is_announced=True, changed_at_ms=now_ms)
    return Outcome(reminded, Move(AlertState.FIRING, reminded, "remind"))


def remove(record: AlertRecord, now_ms: int) -> Outcome:
    """End an alert whose rule is gone, or no longer tells alerts apart by its labels."""
    if not record.is_active:
        return Outcome(None)
    return _end(record, now_ms, REASON_RULE_REMOVED)


def _from_inactive(rule: Rule, identity: Identity, fact: Fact, now_ms: int) -> Outcome:
    is_silent = fact.breach is None and fact.is_closed and rule.no_data == "alert"
    if fact.breach is not True and not is_silent:
        return Outcome(None)
    record = AlertRecord(
        alert_id=identity.alert_id,
        rule=rule.name,
        service=identity.service,
        labels=identity.labels,
        severity=rule.severity,
        state=AlertState.INACTIVE,
        episode_ms=fact.at_ms,
        changed_at_ms=now_ms,
        breached_to_ms=fact.window_end_ms,
        no_data_since_ms=fact.at_ms if is_silent else None,
        is_no_data=is_silent,
    )
    hold_ms = rule.no_data_for_ms if is_silent else rule.for_ms
    return _fire(rule, record, fact, now_ms) if hold_ms == 0 else _wait(rule, record, fact, now_ms)


def _from_pending(rule: Rule, identity: Identity, record: AlertRecord, fact: Fact, now_ms: int) -> Outcome:
    if fact.breach is True:
        if record.is_no_data:
            # The data are back and bad: a breach of its own, which has its own hold.
            begun = _from_inactive(rule, identity, fact, now_ms)
            move = begun.move if rule.for_ms == 0 else None
            return Outcome(begun.record, move and replace(move, before=record.state))
        record = replace(_breached(record, fact), no_data_since_ms=None)
        is_due = fact.at_ms - record.episode_ms >= rule.for_ms
        return _fire(rule, record, fact, now_ms) if is_due else Outcome(record)
    if fact.breach is False:
        # Pending ends with the breach itself: hysteresis is for alerts that people know of.
        return _end(record, now_ms, "") if fact.missing == 0 else Outcome(record)
    record = replace(record, no_data_since_ms=_since(record.no_data_since_ms, fact))
    if not _has_lacked_data(rule, record, fact):
        return Outcome(record)
    if rule.no_data == "alert":
        return _fire(rule, replace(record, is_no_data=True), fact, now_ms)
    # Even "keep" lets go here: the hold must not count a time nobody saw.
    return _end(record, now_ms, REASON_NO_DATA) if fact.missing == 0 else Outcome(record)


def _from_firing(rule: Rule, record: AlertRecord, fact: Fact, now_ms: int) -> Outcome:
    if fact.breach is True:
        record = replace(_breached(record, fact), clear_since_ms=None, no_data_since_ms=None, is_no_data=False)
        return _grow(rule, record, now_ms)
    if fact.value is not None:
        record = replace(record, value=fact.value, threshold=fact.threshold)
    if fact.is_clear or (record.is_no_data and fact.breach is False and fact.missing == 0):
        record = replace(record, clear_since_ms=_since(record.clear_since_ms, fact), no_data_since_ms=None)
        is_due = fact.at_ms - (record.clear_since_ms or 0) >= rule.keep_firing_for_ms
        return _end(record, now_ms, "") if is_due else Outcome(record)
    if fact.clear is True:
        # Clear as far as one sees, but an instance has not spoken: recovery neither proceeds nor starts anew.
        return Outcome(record)
    if not fact.lacks_data:
        return Outcome(replace(record, clear_since_ms=None, no_data_since_ms=None))
    record = replace(record, clear_since_ms=None, no_data_since_ms=_since(record.no_data_since_ms, fact))
    is_over = rule.no_data == "resolve" and fact.missing == 0 and _has_lacked_data(rule, record, fact)
    return _end(record, now_ms, REASON_NO_DATA) if is_over else Outcome(record)


def _from_muted(rule: Rule, record: AlertRecord, fact: Fact) -> Outcome:
    """Unmute at the first clear verdict, or when data have lacked for long: the mute was for what was seen."""
    if fact.is_clear:
        return Outcome(None)
    if not fact.lacks_data:
        return Outcome(replace(record, no_data_since_ms=None))
    record = replace(record, no_data_since_ms=_since(record.no_data_since_ms, fact))
    return Outcome(None if fact.missing == 0 and _has_lacked_data(rule, record, fact) else record)


def _since(since_ms: int | None, fact: Fact) -> int:
    return fact.at_ms if since_ms is None else since_ms


def _has_lacked_data(rule: Rule, record: AlertRecord, fact: Fact) -> bool:
    return record.no_data_since_ms is not None and fact.at_ms - record.no_data_since_ms >= rule.no_data_for_ms


def _breached(record: AlertRecord, fact: Fact) -> AlertRecord:
    """Note a breach. Provisional values are not worth a write each; that the newest pane breaches is."""
    record = replace(record, breached_to_ms=max(record.breached_to_ms, fact.window_end_ms))
    return replace(record, value=fact.value, threshold=fact.threshold) if fact.is_closed else record


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


def _wait(rule: Rule, record: AlertRecord, fact: Fact, now_ms: int) -> Outcome:
    waiting = _entered(rule, record, AlertState.PENDING, now_ms)
    waiting = replace(waiting, value=fact.value, threshold=fact.threshold)
    return Outcome(waiting, Move(record.state, waiting, "none", notify=False, reason=REASON_PENDING))


def _fire(rule: Rule, record: AlertRecord, fact: Fact, now_ms: int) -> Outcome:
    firing = replace(
        _entered(rule, record, AlertState.FIRING, now_ms),
        fired_at_ms=now_ms,
        value=fact.value,
        threshold=fact.threshold,
        # Without a cooldown there is no key to ask, and nothing that could hold the notification back.
        is_announced=rule.cooldown_ms == 0,
    )
    return Outcome(firing, _announce(record.state, firing, "claim"))


def _grow(rule: Rule, record: AlertRecord, now_ms: int) -> Outcome:
    """Tell people again when the rule has become more severe while the alert fires.

    Tell them for the first time when the cooldown that held the firing back is not the rule's any more.
    """
    is_freed = not record.is_announced and rule.cooldown_ms != record.cooldown_ms
    if rule.severity.rank <= record.severity.rank and not is_freed:
        # A severity that fell counts from the next transition: two alerters of different configurations,
        # as in the middle of an upgrade, would have it rise each second otherwise.
        return Outcome(replace(record, cooldown_ms=rule.cooldown_ms))
    grown = replace(_entered(rule, record, AlertState.FIRING, now_ms), is_announced=True)
    return Outcome(grown, _announce(AlertState.FIRING, grown, "break"))


def _announce(before: AlertState, firing: AlertRecord, cooldown: CooldownMode) -> Move:
    if firing.cooldown_ms == 0:
        return Move(before, firing, "none", notify=True)
    return Move(before, firing, cooldown)


def _end(record: AlertRecord, now_ms: int, reason: str) -> Outcome:
    """Return the end of an episode: resolved after firing, else just inactive again, which nobody was told of."""
    was_firing = record.state is AlertState.FIRING
    state = AlertState.RESOLVED if was_firing else AlertState.INACTIVE
    ended = replace(record, state=state, number=record.number + 1, changed_at_ms=now_ms)
    told = reason if was_firing else reason or REASON_PENDING
    return Outcome(None, Move(record.state, ended, "none", notify=was_firing, reason=told))
