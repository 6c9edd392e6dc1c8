"""The table of endpoints: one row for each route and method, the one that takes most time first."""

from collections.abc import Mapping
from typing import Final

from barograph_console.rows.figures import client_errors, quantile_of, ratio_of
from barograph_console.rows.requests import Endpoint
from barograph_core.panes.pane import Pane
from barograph_core.panes.summary import SeriesSummary

COLUMNS: Final = (
    "method",
    "route",
    "requests",
    "errors",
    "e4xx",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "time_ratio",
    "before_p95_ms",
)
Row = list[str | int | float | None]


def endpoint_rows(pane: Pane, before_p95_ms: Mapping[Endpoint, float | None]) -> list[Row]:
    """Return the rows of all endpoints, each as ``COLUMNS`` names its values.

    ``time_ratio`` is the share of the summed durations of all requests.

    Args:
        pane: The minute shown.
        before_p95_ms: The p95 of the minute that it is compared with; endpoints may be missing.
    """
    series = pane.group("request", ("method", "route"))
    total_ms = sum(row.measures["duration_ms"].sum for row in series)
    rows = [_row(row, total_ms, before_p95_ms) for row in series]
    share, requests = COLUMNS.index("time_ratio"), COLUMNS.index("requests")
    return sorted(rows, key=lambda row: (-float(row[share] or 0), -float(row[requests] or 0), str(row[1]), str(row[0])))


def p95_by_endpoint(pane: Pane) -> dict[Endpoint, float | None]:
    """Return the p95 of each endpoint, for the column ``before_p95_ms``."""
    return {
        Endpoint(*row.labels): quantile_of(row.measures["duration_ms"], 0.95)
        for row in pane.group("request", ("method", "route"))
    }


def _row(row: SeriesSummary, total_ms: float, before_p95_ms: Mapping[Endpoint, float | None]) -> Row:
    duration = row.measures["duration_ms"]
    return [
        *row.labels,
        row.count,
        row.errors,
        client_errors(row),
        quantile_of(duration, 0.5),
        quantile_of(duration, 0.95),
        quantile_of(duration, 0.99),
        ratio_of(duration.sum, total_ms),
        before_p95_ms.get(Endpoint(*row.labels)),
    ]
