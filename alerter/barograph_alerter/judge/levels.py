"""An alert with levels: each has its own condition and hold, and the alert has the severity of the highest that is due.

The life of the alert is that of any other: it begins when any level is due, and ends when none holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal

from barograph_alerter.conditions.row import Row
from barograph_alerter.judge.fact import Fact, Identity, Move, Transitioned
from barograph_alerter.judge.state_machine import advance
from barograph_alerter.rules.rule import Level, Rule
from barograph_core.alerts.reason import SEVERITY_FELL
from barograph_core.alerts.record import AlertRecord, AlertState, Severity
from barograph_core.alerts.transition import Flag

# Longer than any hold: no level is due.
_NEVER_MS: Final = 2**62


def advance_levels(
    rule: Rule,
    identity: Identity,
    record: AlertRecord | None,
    fact: Fact,
    holds: Sequence[bool | None],
    row: Row,
    now_ms: int,
) -> Transitioned:
    """Return the alert after ``fact``.

    A rise is announced, to each channel once a cooldown at most. A fall is written and not sent: of what is less severe
    no one need be woken. It waits for a closed pane without missing instances, as a resolution does.

    Args:
        rule: A rule with levels.
        identity: The alert.
        record: Its state, ``None`` when inactive.
        fact: The verdict on any of the levels.
        holds: For each level whether its condition holds, ``None`` if data is missing or may still come.
        row: What the conditions were judged on.
        now_ms: Wall time, for the record only.
    """
    if record is not None and fact.is_closed and fact.window_end_ms < record.breached_to_ms:
        # The breach began with a later pane, which was still open.
        return Transitioned(record)
    since = _since(rule.levels, record, fact, holds)
    due = [level for level in rule.levels if _lasts(since, level, fact)]
    shown = max(due or [one for one in rule.levels if one.severity in since] or rule.levels[:1], key=_rank)
    is_firing = record is not None and record.state is AlertState.FIRING
    severity = record.severity if record is not None and is_firing else shown.severity
    value, threshold = shown.when.value_and_threshold(row)
    fact = replace(fact, value=value, threshold=threshold)
    alone = replace(rule, severity=severity, for_ms=0 if due else _NEVER_MS)
    outcome = advance(alone, identity, record, fact, now_ms)
    if outcome.record is None:
        return outcome
    is_waiting = any(level.severity in since and level not in due for level in rule.levels)
    judged_ms = fact.window_end_ms if fact.is_closed else outcome.record.levels_judged_ms
    kept = replace(
        outcome.record, level_since_ms=since, levels_judged_ms=judged_ms if is_waiting else None, hold_ms=None
    )
    if outcome.move is not None:
        return Transitioned(kept, replace(outcome.move, record=kept))
    if is_firing and due and shown.severity.rank > severity.rank:
        return _risen(kept, shown.severity, now_ms)
    above = [level.severity for level in rule.levels if level.severity.rank > shown.severity.rank]
    if is_firing and due and shown.severity.rank < severity.rank and since.keys().isdisjoint(above):
        return _fallen(kept, shown.severity, now_ms)
    return Transitioned(kept)


def _rank(level: Level) -> int:
    return level.severity.rank


def _since(
    levels: Sequence[Level], record: AlertRecord | None, fact: Fact, holds: Sequence[bool | None]
) -> dict[Severity, int]:
    """Return since when each level holds. Time that no one judged, or without data, counts for no hold."""
    held = {} if record is None else dict(record.level_since_ms)
    judged_ms = None if record is None else record.levels_judged_ms
    gap_ms = 0
    if judged_ms is not None and fact.is_closed:
        gap_ms = max(0, fact.window_end_ms - judged_ms - fact.step_ms)
    since: dict[Severity, int] = {}
    for level, is_held in zip(levels, holds, strict=True):
        begun_ms = held.get(level.severity)
        if is_held:
            since[level.severity] = fact.at_ms if begun_ms is None else begun_ms + gap_ms
        elif begun_ms is not None and (is_held is None or not _shows_end(fact, begun_ms)):
            since[level.severity] = begun_ms + gap_ms + (fact.step_ms if fact.is_closed else 0)
    return since


def _shows_end(fact: Fact, begun_ms: int) -> bool:
    """Say whether what does not hold is over: a closed pane shows it that lacks nothing and is not from before."""
    return fact.is_closed and not fact.missing and begun_ms <= fact.window_end_ms


def _lasts(since: Mapping[Severity, int], level: Level, fact: Fact) -> bool:
    return level.severity in since and fact.at_ms - since[level.severity] >= level.for_ms


def _risen(record: AlertRecord, severity: Severity, now_ms: int) -> Transitioned:
    told = replace(_moved(record, severity, now_ms), is_announced=record.cooldown_ms == 0, ack=None)
    # It was acknowledged as something less severe.
    flag: Flag | Literal[""] = "" if record.ack is None else "unacknowledged"
    if record.cooldown_ms == 0:
        return Transitioned(told, Move(AlertState.FIRING, told, "none", notify=True, flag=flag))
    return Transitioned(told, Move(AlertState.FIRING, told, "announce", flag=flag))


def _fallen(record: AlertRecord, severity: Severity, now_ms: int) -> Transitioned:
    fallen = _moved(record, severity, now_ms)
    return Transitioned(fallen, Move(AlertState.FIRING, fallen, "none", notify=False, reason=SEVERITY_FELL))


def _moved(record: AlertRecord, severity: Severity, now_ms: int) -> AlertRecord:
    return replace(record, severity=severity, number=record.number + 1, changed_at_ms=now_ms)
