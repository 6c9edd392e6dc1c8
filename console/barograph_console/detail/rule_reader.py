"""Reads what the rule of an alert looks at: its numbers in the window that breached, and its series over time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from barograph_console.detail.models import RuleSeries
from barograph_console.detail.quantities import Quantity
from barograph_console.figures.points import DEFAULT_QUANTILES, STATUS, Question
from barograph_console.figures.query_answer import QueryReader, TimeRange
from barograph_console.reading.panes import Reading
from barograph_console.reading.query_plan import QueryError
from barograph_console.reading.windows import WindowReader
from barograph_console.serving.numbers import finite, significant
from barograph_console.store.ports import PaneSource
from barograph_core.alerts.published_rules import Bound, PublishedRule
from barograph_core.events.kinds import KINDS
from barograph_core.events.labels import has_label
from barograph_core.store.cover import ceil_to, floor_to

# Points of a series: an alert of half an hour at 10 s, one of three hours at a minute.
_POINTS: Final = 180
_BEFORE_MS: Final = 600_000
_AFTER_MS: Final = 120_000
# A window is read in about as many panes, as an alerter does.
_PANES: Final = 60


@dataclass(frozen=True, slots=True)
class AlertSpan:
    """An alert, as far as its figures depend on it.

    Attributes:
        labels: Its labels.
        started_ms: When the breach began.
        breached_ms: End of the newest window that breached.
        ended_ms: When it ended; ``None`` while it lasts.
    """

    labels: Mapping[str, str]
    started_ms: int
    breached_ms: int
    ended_ms: int | None


class RuleReader:
    """Reads closed panes and the figures next to them."""

    def __init__(self, panes: PaneSource, queries: QueryReader) -> None:
        self._windows = WindowReader(panes)
        self._queries = queries

    def values(self, reading: Reading, rule: PublishedRule, alert: AlertSpan) -> dict[str, float]:
        """Return the values of the condition in the newest window that breached; none where that is not kept."""
        quantities = {bound.quantity: _quantity(rule, bound) for bound in rule.fires}
        wide_enough = [step.step_ms for step in reading.steps if step.step_ms * _PANES <= rule.window_ms]
        step_ms = max(wide_enough, default=reading.steps[0].step_ms)
        to_ms = floor_to(min(alert.breached_ms, reading.closed_ms), step_ms)
        where = _where(rule, alert)
        if where is None or to_ms <= rule.window_ms:
            return {}
        try:
            pane = self._windows.read(reading, to_ms=to_ms, window_ms=rule.window_ms)
        except QueryError:
            return {}
        rows = pane.group(rule.on, (), where)
        if pane.is_empty:
            return {}
        found = {
            name: quantity.value(rows[0] if rows else None, rule.window_ms)
            for name, quantity in quantities.items()
            if quantity is not None
        }
        known = {name: significant(value) for name, value in found.items() if value is not None}
        return {name: value for name, value in known.items() if value is not None}

    def series(self, reading: Reading, rule: PublishedRule, alert: AlertSpan) -> RuleSeries | None:
        """Return what decides over time, ``None`` where that has no series."""
        leading = rule.leading
        quantity = None if leading is None else _quantity(rule, leading)
        where = _where(rule, alert)
        if leading is None or quantity is None or not quantity.field or where is None:
            return None
        asked = _range(reading, rule, alert)
        if asked is None or asked.step_ms is None:
            return None
        try:
            answer = self._queries.answer(reading, asked, _question(quantity, rule.on, where))
        except QueryError:
            return None
        values: list[float | None] = [None] * ((asked.to_ms - asked.from_ms) // asked.step_ms)
        for series in answer.series:
            for at_ms, value in zip(series.columns["t"], series.columns[quantity.field], strict=True):
                place = (int(str(at_ms)) - asked.from_ms) // asked.step_ms
                if 0 <= place < len(values) and isinstance(value, (int, float)):
                    values[place] = finite(value * 1_000 / asked.step_ms if quantity.plain == "rate" else value)
        clears = next((bound for bound in rule.clears if bound.quantity == leading.quantity), None)
        return RuleSeries(
            from_ms=asked.from_ms,
            step_ms=asked.step_ms,
            figure=leading.quantity,
            unit=leading.unit,
            values=values,
            fires_above=_bound(leading, is_above=True),
            fires_below=_bound(leading, is_above=False),
            clears_above=_bound(clears, is_above=True),
            clears_below=_bound(clears, is_above=False),
        )


def _bound(bound: Bound | None, *, is_above: bool) -> float | None:
    if bound is None or bound.operator in ("==", "!=") or bound.is_above is not is_above:
        return None
    return finite(bound.threshold)


def _quantity(rule: PublishedRule, bound: Bound) -> Quantity | None:
    """Return what ``bound`` compares, ``None`` where events of the rule's kind have no such thing."""
    kind = KINDS.get(rule.on)
    quantity = None if kind is None else Quantity.parse(bound.quantity, kind)
    if kind is None or quantity is None:
        return None
    is_known = quantity.measure in kind.measure_names if quantity.measure else quantity.plain != "status"
    return quantity if is_known or (quantity.plain == "status" and kind.has_status) else None


def _where(rule: PublishedRule, alert: AlertSpan) -> dict[str, str] | None:
    """Return the labels of the events that the alert is about, ``None`` where its events cannot be told by labels.

    The kind may have no such label, or several values of one may be meant that are not on the alert.
    """
    kind = KINDS.get(rule.on)
    where = {**rule.where, **alert.labels}
    if not set(rule.where_patterns) <= set(where):
        return None
    return where if kind is not None and all(has_label(kind, name) for name in where) else None


def _question(quantity: Quantity, on: str, where: Mapping[str, str]) -> Question:
    kind = KINDS[on]
    quantiles = DEFAULT_QUANTILES
    if quantity.quantile is not None and quantity.statistic not in quantiles:
        quantiles = {quantity.statistic: quantity.quantile}
    of_status = {STATUS: str(quantity.code)} if quantity.plain == "status" else {}
    return Question(kind, quantity.measure or kind.measure_names[0], (), {**where, **of_status}, quantiles)


def _range(reading: Reading, rule: PublishedRule, alert: AlertSpan) -> TimeRange | None:
    """Return from when to when: from some time before the breach to some time after the end, at a stored step.

    The newest part, where an alert has lasted for longer than the coarsest step can show.
    """
    end_ms = reading.closed_ms if alert.ended_ms is None else min(reading.closed_ms, alert.ended_ms + _AFTER_MS)
    begin_ms = alert.started_ms - max(_BEFORE_MS, 2 * rule.window_ms)
    rollups = reading.steps[1:] or reading.steps
    kept = [step for step in rollups if begin_ms >= reading.now_ms - step.keep_ms] or rollups[-1:]
    step_ms = next((step.step_ms for step in kept if end_ms - begin_ms <= _POINTS * step.step_ms), kept[-1].step_ms)
    to_ms = ceil_to(end_ms, step_ms)
    from_ms = max(floor_to(begin_ms, step_ms), to_ms - _POINTS * step_ms, 0)
    return TimeRange(from_ms, to_ms, step_ms) if from_ms < to_ms else None
