"""Requests of a pane: one point of the charts, and the figures of the last minute."""

from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field

from barograph_console.rows.apdex import apdex_of
from barograph_console.rows.figures import client_errors, quantile_of, ratio_of
from barograph_console.serving.numbers import Finite
from barograph_core.panes.pane import Pane
from barograph_core.panes.summary import SeriesSummary

MINUTE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A route together with its method."""

    method: str
    route: str


@dataclass(frozen=True, slots=True)
class RequestPoint:
    """Requests of one point in time; all but ``t`` are ``None`` when there was no request."""

    t: Annotated[int, Field(description="start of the point, ms since the epoch")]
    requests: int | None
    errors: Annotated[int | None, Field(description="status 500 or above")]
    e4xx: Annotated[int | None, Field(description="status 400 to 499")]
    p50_ms: Finite | None
    p95_ms: Finite | None
    p99_ms: Finite | None


@dataclass(frozen=True, slots=True)
class MinuteBefore:
    """The same minute a day, or an hour, before; a whole one."""

    requests: int
    error_ratio: Finite | None
    p95_ms: Finite | None
    p99_ms: Finite | None
    apdex: Finite | None


@dataclass(frozen=True, slots=True)
class Minute:
    """The newest closed minute."""

    requests: int
    covered_ms: Annotated[
        int,
        Field(description="how much of the minute the service was there for: figures per minute divide by this"),
    ]
    errors: int
    error_ratio: Finite | None
    p50_ms: Finite | None
    p95_ms: Finite | None
    p99_ms: Finite | None
    apdex: Annotated[Finite | None, Field(description="0 to 1: how content users are with the durations")]
    apdex_t_ms: Annotated[
        Finite, Field(description="a request up to this long satisfies; up to 4 times, it is tolerated")
    ]
    before: MinuteBefore | None


def requests_of(pane: Pane, endpoint: Endpoint | None = None) -> SeriesSummary | None:
    """Return the requests of a pane as one series, ``None`` when there are none.

    Args:
        pane: Of one service.
        endpoint: Only requests of this one are counted; all when ``None``.
    """
    where = {} if endpoint is None else {"route": endpoint.route, "method": endpoint.method}
    rows = pane.group("request", (), where)
    return rows[0] if rows else None


def request_point(start_ms: int, row: SeriesSummary | None) -> RequestPoint:
    """Return the point that begins at ``start_ms``."""
    if row is None:
        return RequestPoint(start_ms, None, None, None, None, None, None)
    duration = row.measures["duration_ms"]
    return RequestPoint(
        t=start_ms,
        requests=row.count,
        errors=row.errors,
        e4xx=client_errors(row),
        p50_ms=quantile_of(duration, 0.5),
        p95_ms=quantile_of(duration, 0.95),
        p99_ms=quantile_of(duration, 0.99),
    )


def minute_of(row: SeriesSummary | None, *, covered_ms: int, apdex_t_ms: float, before: MinuteBefore | None) -> Minute:
    """Return the figures of the minute whose requests are ``row``."""
    duration = None if row is None else row.measures["duration_ms"]
    requests, errors = (0, 0) if row is None else (row.count, row.errors)
    return Minute(
        requests=requests,
        covered_ms=covered_ms,
        errors=errors,
        error_ratio=ratio_of(errors, requests),
        p50_ms=quantile_of(duration, 0.5),
        p95_ms=quantile_of(duration, 0.95),
        p99_ms=quantile_of(duration, 0.99),
        apdex=apdex_of(duration, errors, requests, apdex_t_ms),
        apdex_t_ms=apdex_t_ms,
        before=before,
    )


def minute_before(row: SeriesSummary | None, *, apdex_t_ms: float) -> MinuteBefore | None:
    """Return what a minute is compared with, ``None`` when it had no request."""
    if row is None:
        return None
    minute = minute_of(row, covered_ms=MINUTE_MS, apdex_t_ms=apdex_t_ms, before=None)
    return MinuteBefore(minute.requests, minute.error_ratio, minute.p95_ms, minute.p99_ms, minute.apdex)
