"""Turns panes into the series and rows of answers. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from barograph_console.query_plan import QueryError, QueryPlan
from barograph_core.arrays import FloatArray, IntArray
from barograph_core.errors import EmptySketchError
from barograph_core.events import KINDS, Kind, Labels
from barograph_core.figures import Figures
from barograph_core.label_names import has_label
from barograph_core.pane import label_values
from barograph_core.series_table import SeriesTable
from barograph_core.store import StoredPane
from barograph_core.summary import Summary

DEFAULT_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def finite(value: float) -> float | None:
    """Return ``value``, or ``None`` where JSON has no number for it."""
    return value if math.isfinite(value) else None


def quantile_of(summary: Summary | None, quantile: float) -> float | None:
    """Return a quantile, or ``None`` when there are no values."""
    if summary is None:
        return None
    try:
        return finite(summary.quantile(quantile))
    except EmptySketchError:
        return None


def average_of(summary: Summary | None) -> float | None:
    """Return the mean, or ``None`` when there are no values."""
    return finite(summary.average) if summary is not None and summary.count else None


def maximum_of(summary: Summary | None) -> float | None:
    """Return the largest value, or ``None`` when there are no values."""
    return finite(summary.maximum) if summary is not None and summary.count else None


def ratio(part: int, whole: int) -> float | None:
    """Return ``part / whole``, or ``None`` of nothing."""
    return part / whole if whole else None


def check_measure(kind_name: str, measure: str) -> tuple[Kind, str]:
    """Return the kind and the measure asked for; the kind's first measure when none is.

    Raises:
        QueryError: ``unknown_kind`` or ``unknown_measure``.
    """
    kind = KINDS.get(kind_name)
    if kind is None:
        raise QueryError("unknown_kind", f"kind {kind_name!r} is none of {', '.join(KINDS)}")
    if measure and measure not in kind.measure_names:
        raise QueryError(
            "unknown_measure", f"{kind.name} has no measure {measure!r}, only {', '.join(kind.measure_names)}"
        )
    return kind, measure or kind.measure_names[0]


def check_labels(kind: Kind, names: Iterable[str]) -> None:
    """Check that a kind can have these labels.

    Raises:
        QueryError: ``unknown_label``.
    """
    for name in names:
        if not has_label(kind, name):
            raise QueryError("unknown_label", f"{kind.name} has no label {name!r}, only {', '.join(kind.labels)}")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a range.

    Attributes:
        kind: The kind of the events.
        measure: One of its measures.
        by: Labels that tell the series of the answer apart.
        where: Label -> value that a stored series must have to be counted.
        quantiles: Name of a point's field -> quantile.
    """

    kind: Kind
    measure: str
    by: tuple[str, ...]
    where: Mapping[str, str]
    quantiles: Mapping[str, float]

    @property
    def measure_index(self) -> int:
        """Return the place of the measure among those of its kind."""
        return self.kind.measure_names.index(self.measure)

    def group_of(self, labels: Labels) -> Labels | None:
        """Return which series of the answer a stored one belongs to, ``None`` when it is not counted."""
        values = label_values(self.kind, labels, (*self.by, *self.where))
        return values[: len(self.by)] if values[len(self.by) :] == tuple(self.where.values()) else None


def fold_panes(panes: Iterable[StoredPane], plan: QueryPlan, question: Question) -> tuple[Figures, list[Labels]]:
    """Merge panes into points, all in one pass, and return their figures with the labels of their series."""
    groups: dict[Labels, Labels | None] = {}
    parts: list[SeriesTable] = []
    names: list[list[Labels]] = []
    for stored in panes:
        table = stored.pane.table(question.kind.name)
        if table is None:
            continue
        for labels in table.labels:
            if labels not in groups:
                groups[labels] = question.group_of(labels)
        found = [groups[labels] for labels in table.labels]
        kept = [index for index, group in enumerate(found) if group is not None]
        # As one more label, the point's start makes a series of each point; equal widths sort like numbers.
        start = f"{plan.bucket_of(stored.start_ms):015d}"
        parts.append(table if len(kept) == len(found) else table.take(kept))
        names.append([(start, *group) for group in found if group is not None])
    if not parts:
        return Figures.empty(question.quantiles.values()), []
    folded = SeriesTable.fold(parts, names)
    found_groups = sorted({name[1:] for name in folded.labels})
    index = {name: position for position, name in enumerate(found_groups)}
    series = np.array([index[name[1:]] for name in folded.labels], np.int64)
    starts_ms = np.array([int(name[0]) for name in folded.labels], np.int64)
    quantiles = tuple(question.quantiles.values())
    return Figures.of_table(folded, question.measure_index, quantiles, series, starts_ms), found_groups


def build_series(figures: Figures, labels: Sequence[Labels], question: Question) -> list[dict[str, object]]:
    """Return the series of an answer with their points, as ``models.Series`` describes them.

    Plain values: to check each of twenty thousand points against its model takes longer than to read them.
    """
    figures = figures.take(np.lexsort((figures.starts_ms, figures.series)))
    counts = figures.counts.tolist()
    columns = [
        figures.starts_ms.tolist(),
        counts,
        figures.totals.tolist(),
        *(_known(values, figures.counts) for values in (figures.minimum, figures.maximum, figures.averages)),
        figures.events.tolist(),
        figures.errors.tolist(),
        (figures.errors / figures.events).tolist() if question.kind.has_status else [None] * len(counts),
        figures.estimated.tolist(),
        *(_known(figures.quantiles[quantile], figures.counts) for quantile in question.quantiles.values()),
    ]
    fields = ("t", "count", "sum", "min", "max", "avg", "events", "errors", "error_rate", "estimated")
    names = (*fields, *question.quantiles)
    points = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    ends = np.searchsorted(figures.series, np.arange(len(labels) + 1)).tolist()
    return [
        {"labels": dict(zip(question.by, one, strict=True)), "points": points[ends[index] : ends[index + 1]]}
        for index, one in enumerate(labels)
        if ends[index] < ends[index + 1]
    ]


def _known(values: FloatArray, counts: IntArray) -> list[float | None]:
    """Return ``values`` with ``None`` where nothing was counted, and where JSON has no number."""
    is_known = (counts > 0) & np.isfinite(values)
    found: list[float | None] = values.tolist()
    if is_known.all():
        return found
    return [value if known else None for value, known in zip(found, is_known.tolist(), strict=True)]


def most_missing(panes: Sequence[StoredPane]) -> int:
    """Return the most instances missing from any of the panes."""
    return max((stored.missing for stored in panes), default=0)
