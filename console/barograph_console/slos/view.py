"""Objectives as rows of an answer. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from barograph_console.serving.numbers import finite, significant
from barograph_console.slos.models import SloAlert, SloRow, Slos, SloWindows
from barograph_core.alerts.record import AlertRecord, AlertState
from barograph_core.objectives.budget import budget_text, period_text
from barograph_core.objectives.status import BurnStatus, SloStatus
from barograph_core.text.ages import format_age

# Limit of an answer; the least budgets are shown.
MOST_ROWS: Final = 1_000
# Share of the period that counts as all of it: a service may be quiet for a while in the beginning.
_WHOLE: Final = 0.95


def slos_document(statuses: Sequence[SloStatus], records: Iterable[AlertRecord], now_ms: int) -> Slos:
    """Return the answer: the least budget first, of equal ones by name.

    Args:
        statuses: How each objective stands.
        records: Alerts of the services.
        now_ms: The present.
    """
    held: dict[tuple[str, str], list[AlertRecord]] = {}
    for record in records:
        if record.is_active:
            held.setdefault((record.rule, record.service), []).append(record)
    ordered = sorted(statuses, key=lambda one: (one.left, one.rule.name, one.service, tuple(one.labels.values())))
    rows = [_row(one, held.get((one.rule.name, one.service), ())) for one in ordered[:MOST_ROWS]]
    return Slos(at_ms=now_ms, slos=rows, total=len(ordered))


def _row(status: SloStatus, records: Sequence[AlertRecord]) -> SloRow:
    good, spent = status.objective.good, status.spent
    return SloRow(
        name=status.rule.name,
        service=status.service,
        labels=dict(status.labels),
        on=status.rule.on,
        good=str(good),
        objective=status.objective.target,
        period_ms=status.objective.period_ms,
        end_ms=status.end_ms,
        step_ms=status.step_ms,
        events=spent.total,
        bad=spent.total - spent.passed,
        in_doubt=spent.in_doubt,
        counted_at=good.counted_at,
        is_exact=good.is_exact,
        good_ratio=round(spent.passed / spent.total, 9) if spent.total else None,
        budget_left_ratio=significant(status.left) or 0.0,
        burn_rate=_known(status.burn_rate),
        exhausted_in_ms=status.exhausted_in_ms,
        text=_text(status),
        covered_from_ms=status.covered_from_ms,
        covered_ratio=significant(status.covered_ms / status.objective.period_ms) or 0.0,
        windows=[_windows(one) for one in status.windows],
        burn_down=[_known(one) for one in status.burn_down],
        alert=next((_alert(one) for one in records if _is_about(one, status.labels)), None),
    )


def _text(status: SloStatus) -> str:
    """Return what is left and for how long, and how little of the period that says where a service is young."""
    if not status.spent.total:
        return f"no event within {period_text(status.objective.period_ms)}"
    text = budget_text(status.objective, status.left, status.burn_rate)
    if status.covered_ms >= _WHOLE * status.objective.period_ms:
        return text
    return f"{text}; counted for {format_age(status.covered_ms)} so far"


def _windows(burn: BurnStatus) -> SloWindows:
    pair = burn.pair
    return SloWindows(
        severity=pair.severity.value,
        burn_rate=finite(pair.burn_rate) or 0.0,
        long_ms=pair.long_ms,
        short_ms=pair.short_ms,
        long_step_ms=burn.long_step_ms,
        short_step_ms=burn.short_step_ms,
        long_burn_rate=_known(burn.long_rate),
        short_burn_rate=_known(burn.short_rate),
        short_events=burn.short_events,
        min_events=burn.min_events,
        is_burning=burn.is_burning,
    )


def _known(value: float | None) -> float | None:
    return None if value is None else significant(value)


def _is_about(record: AlertRecord, labels: Mapping[str, str]) -> bool:
    return labels.items() <= record.labels.items()


def _alert(record: AlertRecord) -> SloAlert:
    return SloAlert(
        id=record.alert_id,
        state="firing" if record.state is AlertState.FIRING else "pending",
        severity=record.severity.value,
    )
