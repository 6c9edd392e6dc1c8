"""Judges all rules on one service at one moment. Pure: panes and records in, changes out."""

import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from barograph_alerter.conditions.row import SeriesRow
from barograph_alerter.judge.contributors import contributors
from barograph_alerter.judge.fact import Fact, Identity, Move, Transitioned
from barograph_alerter.judge.flapping.marking import mark_flaps
from barograph_alerter.judge.levels import advance_levels
from barograph_alerter.judge.overflow import Places, advance_overflow, is_overflow_of, overflow_identity
from barograph_alerter.judge.plan import RulePlan
from barograph_alerter.judge.state_machine import advance, remove
from barograph_alerter.judge.verdict import (
    MOST_VALUES_AT_ONCE,
    EvaluationTime,
    WindowOf,
    can_wait,
    fact_of,
    goes_on_alike,
    row_of_windows,
    striking,
    verdict_on,
)
from barograph_alerter.rules.facts import facts_of
from barograph_alerter.rules.rule import Rule, fixed_values
from barograph_alerter.rules.slo.slo import Slo
from barograph_alerter.rules.summary import MAX_SUMMARY
from barograph_alerter.windows.rows import Values
from barograph_alerter.windows.window import Window
from barograph_core.alerts import reason
from barograph_core.alerts.change import Change
from barograph_core.alerts.record import AlertRecord, AlertState, alert_id
from barograph_core.alerts.state import ServiceState
from barograph_core.alerts.transition import Transition, transition_of
from barograph_core.errors import StreamUnavailableError, WindowNotWholeError
from barograph_core.panes.summary import SeriesSummary

log = logging.getLogger(__name__)

_LACK_WORDS: Final = {
    reason.PRODUCERS_DEAD: "producers dead",
    reason.LAGGING: "producers lagging or dead",
    reason.NO_TRAFFIC: "no traffic",
    "": "no data",
}


@dataclass(frozen=True, slots=True)
class _Sight:
    """What a rule sees at one moment: its own window, and the others."""

    window: Window
    window_of: WindowOf


@dataclass(slots=True)
class EvaluationErrors:
    """Numbers of rules that could not be judged, and of summaries that could not be rendered.

    Attributes:
        overturned: Breaches seen in open panes that their closed panes do not have.
        blind: Rule -> why its window could not be judged, for rules whose window is not whole.
    """

    evaluations: int = 0
    summaries: int = 0
    overturned: int = 0
    blind: dict[str, str] = field(default_factory=dict[str, str])


def evaluate(
    service: str,
    plan: RulePlan,
    state: ServiceState,
    window_of: WindowOf,
    moment: EvaluationTime,
    *,
    now_ms: int,
    errors: EvaluationErrors,
) -> list[Change]:
    """Return the changes of alerts at ``moment``, and apply them to ``state``.

    Args:
        service: The service that is judged.
        plan: The rules in force for it.
        state: Its alerts.
        window_of: Gives the windows of the moment.
        moment: The time that is judged.
        now_ms: Wall time.
        errors: Is counted up. A rule that cannot be judged leaves its alerts as they are.
    """
    changes: list[Change] = []
    records: dict[str, list[AlertRecord]] = {}
    for record in state.records.values():
        records.setdefault(record.rule, []).append(record)
    for rule in plan.due(window_of, records, is_closed=moment.is_closed):
        if not moment.is_due(rule):
            continue
        try:
            held = records.get(rule.name, ())
            places, seen_at = Places(rule, len(held)), moment.of(rule)
            own = {values: record for record in held if (values := plan.values_of(rule, record)) is not None}
            judged = list(_judge(service, rule, own, window_of, seen_at, now_ms, errors, places))
            judged = mark_flaps(rule, state, judged, moment.end_ms, now_ms)
            if rule.max_alerts:
                judged += _overflow(service, rule, state, places.refused, seen_at, now_ms)
        except StreamUnavailableError:
            # Not the fault of a rule: the moment is judged again when the server is back.
            raise
        except WindowNotWholeError as error:
            errors.evaluations += 1
            errors.blind[rule.name] = str(error)
            continue
        except Exception:
            # A faulty rule must neither stop the others nor resolve anything.
            errors.evaluations += 1
            log.exception("rule.failed", extra={"rule": rule.name, "service": service})
            continue
        changes += judged
    for change in changes:
        state.apply(change)
    return changes


def _judge(
    service: str,
    rule: Rule,
    records: Mapping[Values, AlertRecord],
    window_of: WindowOf,
    moment: EvaluationTime,
    now_ms: int,
    errors: EvaluationErrors,
    places: Places,
) -> Iterator[Change]:
    is_crowded = len(records) > MOST_VALUES_AT_ONCE
    window = window_of(rule.windows[0])
    rows = window.rows(rule.on.name, rule.by, rule.where)
    absent: list[Values] = [values for values in records if values not in rows]
    if not rule.by and not rows and () not in records:
        # The service as a whole always exists, so that it had no events counts as data.
        absent.append(())
    expected = _expected(rule, window_of, moment)
    absent += [values for values in expected if values not in rows and values not in records]
    absent += [values for values in _earlier(rule, window_of) if values not in rows and values not in absent]
    sight = _Sight(window, window_of)
    for values in (*striking(rule, rows, records, is_closed=moment.is_closed), *absent):
        row = rows.get(values) or SeriesRow.empty(rule.window_ms)
        if rule.looks_elsewhere:
            row = row_of_windows(rule, values, row, window_of)
        record = records.get(values)
        breach = verdict_on(rule, rule.when, values, row, moment)
        is_deserted = moment.is_deserted and window.pane.is_empty
        if breach is False and (is_deserted or (values in expected and values not in rows)):
            # A service without producers counts no errors, nor does a label set that should be there: no recovery.
            breach = None
        if _is_unmoved(rule, record, breach, moment, is_crowded=is_crowded):
            continue
        if record is None and values in rows and _is_new(rule, values, window_of):
            continue
        own = dict(zip(rule.by, values, strict=True))
        # Those of ``by`` alone are its identity: the others may be added to a rule while its alert fires.
        labels = {**rule.fixed_labels, **own}
        identity = Identity(record.alert_id if record else alert_id(rule.name, service, own), service, labels)
        fact = fact_of(rule, row, moment, breach)
        if is_deserted:
            fact = replace(fact, clear=None)
        elif moment.is_closed and record is not None and breach is False and record.breached_to_ms == moment.end_ms:
            errors.overturned += 1
        outcome = _advanced(rule, identity, record, fact, values, row, moment, now_ms)
        if record is None and outcome.record is not None and not places.takes():
            continue
        can_be_left = outcome.record == record or (is_crowded and can_wait(record, outcome, moment.number))
        if outcome.move is None and can_be_left:
            continue
        if outcome.move is not None and outcome.move.record.labels != labels:
            outcome = replace(outcome, move=replace(outcome.move, record=replace(outcome.move.record, labels=labels)))
        yield _change(rule, identity.alert_id, outcome, row, sight, now_ms, errors)


def _is_unmoved(
    rule: Rule, record: AlertRecord | None, breach: bool | None, moment: EvaluationTime, *, is_crowded: bool
) -> bool:
    """Say whether a verdict changes nothing, so that nothing need be done beyond it: by far the most common case."""
    if record is None:
        return breach is False or (breach is None and rule.no_data != "alert")
    return is_crowded and goes_on_alike(rule, record, breach, moment)


def _expected(rule: Rule, window_of: WindowOf, moment: EvaluationTime) -> Collection[Values]:
    """Return the label sets that should have data: they alert without it."""
    if not moment.is_closed:
        return ()
    if rule.expected is None:
        return rule.listed
    return window_of(rule.expected).rows(rule.on.name, rule.by, rule.where)


def _is_new(rule: Rule, values: Values, window_of: WindowOf) -> bool:
    """Say whether a label set has had data for less than the time after which it may alert."""
    if rule.established is None:
        return False
    return values not in window_of(rule.established).rows(rule.on.name, rule.by, rule.where)


def _earlier(rule: Rule, window_of: WindowOf) -> Iterator[Values]:
    """Yield the label sets that have events in an earlier window that the rule looks at: none now is a fall to 0."""
    for look in rule.windows[1:]:
        yield from window_of(look).rows(rule.on.name, rule.by, rule.where)


def _advanced(
    rule: Rule,
    identity: Identity,
    record: AlertRecord | None,
    fact: Fact,
    values: Values,
    row: SeriesRow,
    moment: EvaluationTime,
    now_ms: int,
) -> Transitioned:
    """Return the alert after ``fact``."""
    if not rule.levels:
        return advance(rule, identity, record, fact, now_ms)
    holds = [verdict_on(rule, level.when, values, row, moment) for level in rule.levels]
    return advance_levels(rule, identity, record, fact, holds, row, now_ms)


def _overflow(
    service: str, rule: Rule, state: ServiceState, refused: int, moment: EvaluationTime, now_ms: int
) -> list[Change]:
    """Return the change of the alert about refused ones, if there is one."""
    identity = overflow_identity(rule, service)
    record = state.records.get(identity.alert_id)
    if record is None and not refused:
        return []
    fact = Fact(
        at_ms=moment.at_ms,
        window_end_ms=moment.end_ms,
        step_ms=moment.step_ms,
        is_closed=moment.is_closed,
        missing=moment.missing,
        breach=None,
        clear=None,
    )
    outcome = advance_overflow(rule, identity, record, refused, fact, now_ms)
    if outcome.move is not None:
        return [change_of(outcome, now_ms)]
    return [] if outcome.record == record else [Change(alert_id=identity.alert_id, record=outcome.record)]


def _change(
    rule: Rule,
    alert: str,
    outcome: Transitioned,
    row: SeriesRow,
    sight: _Sight,
    now_ms: int,
    errors: EvaluationErrors,
) -> Change:
    """Return the change, with the summary in the record and in the entry."""
    move, record = outcome.move, outcome.record
    if move is None:
        if record is not None and record.state is AlertState.FIRING and (record.ack or not record.is_announced):
            # A reminder or the end of its acknowledgement will repeat it, and should tell of the present.
            record = _described(rule, record, row, sight, errors)
        return Change(alert_id=alert, record=record)
    described = _described(rule, move.record, row, sight, errors)
    kept = described if record is not None else None
    return change_of(Transitioned(kept, replace(move, record=described)), now_ms)


def _described(rule: Rule, record: AlertRecord, row: SeriesRow, sight: _Sight, errors: EvaluationErrors) -> AlertRecord:
    """Return the record with its summary, and while it fires with what accounts for it."""
    facts = facts_of(
        rule.on,
        row,
        {**fixed_values(rule.where), **record.labels},
        rule=rule.name,
        service=record.service,
        severity=record.severity.value,
        value=record.value,
        threshold=record.threshold,
        window_ms=rule.window_ms,
        condition=rule.condition_of(record.severity).text,
    )
    if rule.slo is not None:
        facts |= rule.slo.facts(_spent(rule, rule.slo, record, sight.window_of), record.value)
    summary, has_rendered = rule.summary.render(facts)
    errors.summaries += not has_rendered
    if record.is_no_data and record.state is not AlertState.RESOLVED:
        summary = f"{_LACK_WORDS[record.lack]}: {summary}"[:MAX_SUMMARY]
    record = replace(record, summary=summary)
    if record.state is AlertState.FIRING:
        record = replace(record, contributors=contributors(rule, sight.window, record.labels, record.threshold))
    return record


def _spent(rule: Rule, slo: Slo, record: AlertRecord, window_of: WindowOf) -> SeriesSummary | None:
    """Return the events of the period of an alert's objective; ``None`` where not all of them are known."""
    try:
        rows = window_of(slo.look).rows(rule.on.name, rule.by, rule.where)
    except WindowNotWholeError:
        return None
    return (rows.get(tuple(record.labels[name] for name in rule.by)) or SeriesRow.empty(slo.look.span_ms)).series


def change_of(outcome: Transitioned, now_ms: int) -> Change:
    """Return the change that writes ``outcome``, which has a move."""
    move = outcome.move
    if move is None:
        raise ValueError("an outcome without a move is no change")
    return Change(
        alert_id=move.record.alert_id,
        record=outcome.record,
        transition=_entry(move, now_ms),
        cooldown=move.cooldown,
    )


def _entry(move: Move, now_ms: int) -> Transition:
    return transition_of(
        move.record, before=move.before, at_ms=now_ms, notify=move.notify, reason=move.reason, flag=move.flag
    )


def end_unknown(plan: RulePlan, state: ServiceState, now_ms: int) -> list[Change]:
    """End alerts whose rule no longer applies to this service, or now has other labels in ``by``.

    Args:
        plan: All rules that are in force for the service.
        state: Its alerts; the changes are applied to it.
        now_ms: Wall time.
    """
    changes: list[Change] = []
    for record in list(state.records.values()):
        rule = plan.by_name.get(record.rule)
        if record.is_pushed or is_overflow_of(record, plan.by_name):
            continue
        if rule is None or plan.values_of(rule, record) is None:
            outcome = remove(record, now_ms)
            is_quiet = outcome.move is None
            changes.append(Change(alert_id=record.alert_id, record=None) if is_quiet else change_of(outcome, now_ms))
    for change in changes:
        state.apply(change)
    return changes
