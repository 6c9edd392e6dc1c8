"""Turns panes into the series and rows of answers. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence

from barograph_console.models import Point, Series
from barograph_console.query_plan import QueryError, QueryPlan
from barograph_core.errors import EmptySketchError
from barograph_core.events import KINDS, Kind
from barograph_core.label_names import has_label
from barograph_core.pane import Pane
from barograph_core.store import StoredPane
from barograph_core.summary import SeriesSummary, Summary

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


def minimum_of(summary: Summary | None) -> float | None:
    """Return the smallest value, or ``None`` when there are no values."""
    return finite(summary.minimum) if summary is not None and summary.count else None


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


def build_series(
    panes: Iterable[StoredPane],
    plan: QueryPlan,
    *,
    kind: Kind,
    measure: str,
    by: tuple[str, ...],
    where: Mapping[str, str],
    quantiles: Mapping[str, float],
    max_series: int,
    max_points: int,
) -> list[Series]:
    """Merge panes into points and sort them into series by labels.

    Raises:
        QueryError: ``too_many_series`` or ``too_many_points``, over all series.
    """
    buckets: dict[int, list[Pane]] = {}
    for stored in panes:
        buckets.setdefault(plan.bucket_of(stored.start_ms), []).append(stored.pane)
    found: dict[tuple[str, ...], list[Point]] = {}
    count = 0
    for start_ms, parts in sorted(buckets.items()):
        for row in Pane.merge(parts).group(kind.name, by, where or None):
            found.setdefault(row.labels, []).append(_point(start_ms, row, kind, measure, quantiles))
            count += 1
        if len(found) > max_series:
            raise QueryError("too_many_series", f"more than {max_series} series; ask fewer labels in 'by'")
        if count > max_points:
            raise QueryError("too_many_points", f"more than {max_points} points; ask a larger step or fewer labels")
    return [
        Series(labels=dict(zip(by, labels, strict=True)), points=points) for labels, points in sorted(found.items())
    ]


def _point(start_ms: int, row: SeriesSummary, kind: Kind, measure: str, quantiles: Mapping[str, float]) -> Point:
    summary = row.measures.get(measure)
    asked = {**DEFAULT_QUANTILES, **quantiles}
    figures = {name: quantile_of(summary, quantile) for name, quantile in asked.items()}
    return Point.model_validate(
        {
            "t": start_ms,
            "count": summary.count if summary else 0,
            "sum": summary.sum if summary else 0.0,
            "min": minimum_of(summary),
            "max": maximum_of(summary),
            "avg": average_of(summary),
            "events": row.count,
            "errors": row.errors,
            "error_rate": ratio(row.errors, row.count) if kind.has_status else None,
            "estimated": row.estimated > 0,
            **figures,
        }
    )


def most_missing(panes: Sequence[StoredPane]) -> int:
    """Return the most instances missing from any of the panes."""
    return max((stored.missing for stored in panes), default=0)
