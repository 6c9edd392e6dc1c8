"""Judges past moments again when late events have revised their panes: for firing only."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from barograph_alerter.judge.evaluation import EvaluationErrors, evaluate
from barograph_alerter.judge.flapping.marking import mark_flaps
from barograph_alerter.judge.plan import RulePlan
from barograph_alerter.judge.verdict import EvaluationTime, WindowOf
from barograph_alerter.rules.rule import Rule
from barograph_alerter.rules.summary import MAX_SUMMARY
from barograph_core.alerts.change import Change
from barograph_core.alerts.reason import LATE
from barograph_core.alerts.record import AlertState
from barograph_core.alerts.state import ServiceState

# Limit of the moments that one revision can bring back for a rule, the newest ones.
_MAX_MOMENTS: Final = 120


def judge_late(
    service: str,
    rules: Sequence[Rule],
    state: ServiceState,
    windows_at: Callable[[int], WindowOf],
    revised: Sequence[int],
    *,
    step_ms: int,
    closed_at_ms: int,
    now_ms: int,
    errors: EvaluationErrors,
) -> list[Change]:
    """Return the changes that revised panes call for, and apply them to ``state``.

    What was judged without these events fires late rather than never. It recovers no sooner than further events that
    are as late could come. Past verdicts stay as they are otherwise: nothing resolves here.

    Args:
        service: The service.
        rules: Those in force for it.
        state: Its alerts. Those that are pending or fire by themselves are left alone.
        windows_at: Gives the windows of a moment.
        revised: Starts of the panes that were revised.
        step_ms: Length of a pane.
        closed_at_ms: End of the newest pane that was judged.
        now_ms: Wall time.
        errors: Is counted up.
    """
    changes: list[Change] = []
    for rule in rules:
        # Where the window still holds half of what came late, its next verdict has it anyway.
        starts = [start for start in revised if closed_at_ms - start > rule.window_ms // 2]
        if rule.late != "fire" or not starts:
            continue
        last_ms = min(max(starts) + rule.window_ms, closed_at_ms)
        ends = range(min(starts) + step_ms, last_ms + 1, step_ms)[-_MAX_MOMENTS:]
        for alert, (end_ms, change) in _firings(service, rule, ends, windows_at, step_ms, now_ms, errors).items():
            late = _late_change(state, alert, change, closed_at_ms - end_ms)
            if late is not None:
                (late,) = mark_flaps(rule, state, [late], end_ms, now_ms)
                state.apply(late)
                changes.append(late)
    return changes


def _firings(
    service: str,
    rule: Rule,
    ends: Sequence[int],
    windows_at: Callable[[int], WindowOf],
    step_ms: int,
    now_ms: int,
    errors: EvaluationErrors,
) -> dict[str, tuple[int, Change]]:
    """Return alert -> moment and change of its last firing, as if no moment had been judged before."""
    # What is judged as if nothing had been judged before does not count as flapping.
    rule = replace(rule, flapping=None)
    scratch, plan = ServiceState(), RulePlan([rule])
    found: dict[str, tuple[int, Change]] = {}
    for end_ms in ends:
        moment = EvaluationTime(end_ms, end_ms, is_closed=True, step_ms=step_ms)
        for change in evaluate(service, plan, scratch, windows_at(end_ms), moment, now_ms=now_ms, errors=errors):
            if change.transition is not None and change.transition.after is AlertState.FIRING:
                found[change.alert_id] = (end_ms, change)
    return found


def _late_change(state: ServiceState, alert: str, change: Change, late_ms: int) -> Change | None:
    record, held = change.record, state.records.get(alert)
    if record is None or change.transition is None or record.is_no_data:
        return None
    if held is None:
        summary = f"late: {record.summary}"[:MAX_SUMMARY]
        return replace(
            change,
            record=replace(record, summary=summary, late_ms=max(1, late_ms)),
            transition=replace(change.transition, before=AlertState.INACTIVE, summary=summary, reason=LATE),
        )
    if not held.late_ms or held.state is not AlertState.FIRING:
        return None
    again = replace(held, clear_since_ms=None, seen_clear_since_ms=None, late_ms=max(held.late_ms, late_ms))
    return None if again == held else Change(alert_id=alert, record=again)
