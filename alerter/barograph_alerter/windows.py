"""Windows: which panes a rule looks at, and the numbers it finds there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from barograph_alerter.expression import Quantity
from barograph_core.pane import Pane
from barograph_core.steps import Step
from barograph_core.summary import SeriesSummary, Summary

# A window of 60 panes misjudges its length by 1/60 at most.
_PANES_PER_WINDOW: Final = 60
_NO_SERIES: Final = SeriesSummary((), 0, 0, {}, {})


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a window, read at one step: panes that begin in ``[from_ms, to_ms)``."""

    step_ms: int
    from_ms: int
    to_ms: int


def choose_step(window_ms: int, steps: Sequence[Step]) -> int | None:
    """Return the index of the step at which the oldest part of a window is read.

    The coarsest step of at most 1/60 of the window; a coarser one where that is not kept for long enough.
    ``None`` when no step is kept for the window.
    """
    first = max((i for i, step in enumerate(steps) if step.step_ms * _PANES_PER_WINDOW <= window_ms), default=0)
    for index in range(first, len(steps)):
        if steps[index].keep_ms >= window_ms + steps[index].step_ms:
            return index
    return None


def segments(end_ms: int, window_ms: int, steps: Sequence[Step]) -> list[Segment]:
    """Return what makes up the window that ends at ``end_ms``, oldest first.

    Coarse panes are made some time after their fine ones are closed, so the newest two of each step are
    read at the next finer one. The window's start is rounded down to a whole pane of its first step.

    Raises:
        ValueError: No step is kept for so long (``settings.rules_in_force`` refuses such a rule at start).
    """
    chosen = choose_step(window_ms, steps)
    if chosen is None:
        raise ValueError(f"no step is kept for a window of {window_ms} ms")
    parts: list[Segment] = []
    begin = _floor(end_ms - window_ms, steps[chosen].step_ms)
    for index in range(chosen, 0, -1):
        step_ms = steps[index].step_ms
        until = max(begin, _floor(end_ms, step_ms) - 2 * step_ms)
        if until > begin:
            parts.append(Segment(step_ms, begin, until))
        begin = until
    parts.append(Segment(steps[0].step_ms, begin, end_ms))
    return parts


def ring_spans(windows_ms: Sequence[int], steps: Sequence[Step]) -> dict[int, int]:
    """Return for each step how far back from now its panes are needed, in ms; absent when never."""
    spans = {steps[0].step_ms: steps[0].step_ms}
    for window_ms in windows_ms:
        chosen = choose_step(window_ms, steps)
        if chosen is None:
            continue
        span = window_ms + steps[chosen].step_ms
        for index in range(chosen, -1, -1):
            step_ms = steps[index].step_ms
            spans[step_ms] = max(spans.get(step_ms, 0), span)
            span = 3 * step_ms
    return spans


def _floor(at_ms: int, step_ms: int) -> int:
    return at_ms - at_ms % step_ms


class SeriesRow:
    """The numbers of one series over one window; ``None`` where there is no data for a number."""

    __slots__ = ("_known", "series", "window_ms")

    def __init__(self, series: SeriesSummary, window_ms: int) -> None:
        self.series = series
        self.window_ms = window_ms
        self._known: dict[str, float | None] = {}

    @classmethod
    def empty(cls, window_ms: int) -> "SeriesRow":
        """Return the row of a series that had no event: its count is a fact, 0; its average does not exist."""
        return cls(_NO_SERIES, window_ms)

    def number(self, quantity: Quantity) -> float | None:
        """Return the value of ``quantity``; each is worked out once, however many rules ask."""
        key = quantity.key
        if key not in self._known:
            self._known[key] = self._number(quantity)
        return self._known[key]

    def _number(self, quantity: Quantity) -> float | None:
        series = self.series
        if quantity.code is not None:
            return float(series.status.get(quantity.code, 0))
        if quantity.statistic:
            summary = series.measures.get(quantity.name)
            if quantity.statistic == "count":
                return float(summary.count) if summary else 0.0
            # Also the sum of nothing is missing: values that stop coming must not look like a recovery.
            return _statistic(summary, quantity) if summary and summary.count else None
        if quantity.name == "rate":
            return series.count * 1_000 / self.window_ms
        if quantity.name == "error_rate":
            return series.errors / series.count if series.count else None
        return float(series.errors if quantity.name == "errors" else series.count)


def _statistic(summary: Summary, quantity: Quantity) -> float:
    if quantity.quantile is not None:
        return summary.quantile(quantity.quantile)
    match quantity.statistic:
        case "avg":
            return summary.average
        case "min":
            return summary.minimum
        case "max":
            return summary.maximum
        case "sum":
            return summary.sum
        case _:
            return summary.stddev


class Window:
    """One merged pane and the rows that rules have asked of it so far."""

    __slots__ = ("_rows", "pane", "window_ms")

    def __init__(self, pane: Pane, window_ms: int) -> None:
        self.pane = pane
        self.window_ms = window_ms
        self._rows: dict[tuple[object, ...], dict[tuple[str, ...], SeriesRow]] = {}

    def rows(
        self, kind: str, by: tuple[str, ...], where: Mapping[str, str] | None = None
    ) -> dict[tuple[str, ...], SeriesRow]:
        """Return label values (in the order of ``by``) -> row, for each series that had an event."""
        key = (kind, by, tuple((where or {}).items()))
        found = self._rows.get(key)
        if found is None:
            groups = self.pane.group(kind, by, where)
            found = {group.labels: SeriesRow(group, self.window_ms) for group in groups}
            self._rows[key] = found
        return found
