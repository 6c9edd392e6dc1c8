"""Single figures of a summary, ``None`` where there is nothing to compute them from."""

from barograph_console.serving.numbers import significant
from barograph_core.panes.summary import SeriesSummary, Summary


def quantile_of(summary: Summary | None, quantile: float) -> float | None:
    """Return a quantile, or ``None`` when there are no values."""
    return significant(summary.quantile(quantile)) if summary is not None and summary.count else None


def average_of(summary: Summary | None) -> float | None:
    """Return the mean, or ``None`` when there are no values."""
    return significant(summary.average) if summary is not None and summary.count else None


def maximum_of(summary: Summary | None) -> float | None:
    """Return the largest value, or ``None`` when there are no values."""
    return significant(summary.maximum) if summary is not None and summary.count else None


def ratio_of(part: float, whole: float) -> float | None:
    """Return ``part / whole``, or ``None`` when ``whole`` is 0."""
    return significant(part / whole) if whole else None


def client_errors(row: SeriesSummary) -> int:
    """Return how many events had a status of 400 to 499."""
    return sum(count for status, count in row.status.items() if 400 <= status < 500)
