"""Judges all rules on one service at one moment. Pure: panes and records in, changes out."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from barograph_alerter.contributors import contributors
from barograph_alerter.rules import Rule
from barograph_alerter.service_state import ServiceState
from barograph_alerter.state_machine import Fact, Identity, Move, Outcome, remove, step
from barograph_alerter.templates import facts_of
from barograph_alerter.windows import SeriesRow, Window
from barograph_core.alert_changes import Change
from barograph_core.alerts import AlertRecord, AlertState, alert_id
from barograph_core.errors import StreamUnavailableError
from barograph_core.transitions import Transition, transition_of

log = logging.getLogger(__name__)

WindowOf = Callable[[int], Window]


@dataclass(frozen=True, slots=True)
class Moment:
    """What is judged.

    Attributes:
        end_ms: End of the newest pane.
        at_ms: Event time of the verdict: the end of a closed pane, at most now for an open one.
        is_closed: Whether the newest pane is closed.
        missing: Instances whose events it may lack.
    """

    end_ms: int
    at_ms: int
    is_closed: bool
    missing: int = 0


@dataclass(slots=True)
class Tally:
    """Counters of what went wrong."""

    evaluation_errors: int = 0
    summary_errors: int = 0


def evaluate(
    service: str,
    rules: Sequence[Rule],
    state: ServiceState,
    window_of: WindowOf,
    moment: Moment,
    *,
    now_ms: int,
    tally: Tally,
) -> list[Change]:
    """Return what ``moment`` changes, and apply it to ``state``.

    Args:
        service: Whose panes these are.
        rules: Those in force for it.
        state: Its alerts.
        window_of: Span in ms -> the window that ends with the moment's pane.
        moment: See there.
        now_ms: Wall time.
        tally: Counts errors. A rule that cannot be judged leaves its alerts as they are.
    """
    changes: list[Change] = []
    for rule in rules:
        if not moment.is_closed and not rule.is_provisional:
            continue
        try:
            judged = list(_judge(service, rule, state, window_of(rule.window_ms), moment, now_ms, tally))
        except StreamUnavailableError:
            # No rule's fault: the moment is judged again when the server is back.
            raise
        except Exception:
            # One rule's fault must neither stop the others nor resolve anything.
            tally.evaluation_errors += 1
            log.exception("rule.failed", extra={"rule": rule.name, "service": service})
            continue
        changes += judged
    if moment.is_closed:
        changes += _orphans(rules, state, now_ms)
    for change in changes:
        state.apply(change)
    return changes


def _judge(
    service: str, rule: Rule, state: ServiceState, window: Window, moment: Moment, now_ms: int, tally: Tally
) -> Iterator[Change]:
    records = {_values(rule, record): record for record in state.of_rule(rule.name) if _fits(rule, record)}
    rows = window.rows(rule.on.name, rule.by, rule.where)
    absent: list[tuple[str, ...]] = [values for values in records if values not in rows]
    if not rule.by and not rows and () not in records:
        # The service as a whole always exists: that it had no events is a fact.
        absent.append(())
    for values in (*rows, *absent):
        row = rows.get(values) or SeriesRow.empty(rule.window_ms)
        record = records.get(values)
        breach = rule.breach_in(row)
        if record is None and (breach is False or (breach is None and rule.no_data != "alert")):
            # By far the most common case; it need not cost more than the condition.
            continue
        labels = dict(zip(rule.by, values, strict=True))
        identity = Identity(record.alert_id if record else alert_id(rule.name, service, labels), service, labels)
        outcome = step(rule, identity, record, _fact(rule, row, moment, breach), now_ms)
        if outcome.move is None and outcome.record == record:
            continue
        yield _told(rule, identity.alert_id, outcome, row, window, now_ms, tally)


def _values(rule: Rule, record: AlertRecord) -> tuple[str, ...]:
    return tuple(record.labels[name] for name in rule.by)


def _fits(rule: Rule, record: AlertRecord) -> bool:
    return set(record.labels) == set(rule.by)


def _fact(rule: Rule, row: SeriesRow, moment: Moment, breach: bool | None) -> Fact:
    clear = None if breach is None else not breach
    if rule.resolve_when is not None:
        clear = rule.resolve_when.holds(row)
    value, threshold = rule.when.value_and_threshold(row)
    return Fact(
        at_ms=moment.at_ms,
        window_end_ms=moment.end_ms,
        is_closed=moment.is_closed,
        missing=moment.missing,
        breach=breach,
        clear=clear,
        value=value,
        threshold=threshold,
    )


def _told(
    rule: Rule, alert: str, outcome: Outcome, row: SeriesRow, window: Window, now_ms: int, tally: Tally
) -> Change:
    """Put a move into words, for the record and for the entry alike."""
    move = outcome.move
    if move is None:
        return Change(alert_id=alert, record=outcome.record)
    record = move.record
    facts = facts_of(
        rule.on,
        row,
        {**rule.where, **record.labels},
        rule=rule.name,
        service=record.service,
        severity=record.severity.value,
        value=record.value,
        threshold=record.threshold,
        window_ms=rule.window_ms,
        condition=rule.when.text,
    )
    summary, has_rendered = rule.summary.render(facts)
    tally.summary_errors += not has_rendered
    told = replace(record, summary=summary)
    if record.state is AlertState.FIRING:
        told = replace(told, contributors=contributors(rule, window, record.labels, record.threshold))
    kept = told if outcome.record is not None else None
    return change_of(Outcome(kept, replace(move, record=told)), now_ms)


def change_of(outcome: Outcome, now_ms: int) -> Change:
    """Return the change that writes ``outcome``, which has a move."""
    move = outcome.move
    if move is None:
        raise ValueError("an outcome without a move tells nothing")
    return Change(
        alert_id=move.record.alert_id,
        record=outcome.record,
        transition=_entry(move, now_ms),
        cooldown=move.cooldown,
    )


def _entry(move: Move, now_ms: int) -> Transition:
    return transition_of(move.record, before=move.before, at_ms=now_ms, notify=move.notify, reason=move.reason)


def _orphans(rules: Sequence[Rule], state: ServiceState, now_ms: int) -> Iterator[Change]:
    """End alerts whose rule is gone from this service, or tells alerts apart by other labels now."""
    known = {rule.name: rule for rule in rules}
    for record in list(state.records.values()):
        rule = known.get(record.rule)
        if rule is None or not _fits(rule, record):
            outcome = remove(record, now_ms)
            if outcome.move is None:
                yield Change(alert_id=record.alert_id, record=None)
            else:
                yield change_of(outcome, now_ms)
