"""The last closed minute of each service as samples. Pure.

Gauges of a minute that is over, so that they are right after any restart: a counter would begin at 0 again.
"""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Final

from barograph_console.rows.apdex import apdex_of
from barograph_console.rows.requests import requests_of
from barograph_core.events.kinds import OTHER_LABEL, Labels
from barograph_core.panes.pane import Pane
from barograph_core.panes.summary import SeriesSummary, Summary
from barograph_core.pipeline.samples import Family, Sample

MINUTE_MS: Final = 60_000
# Bound on the routes of all services. A scraper keeps every series that it ever saw.
MOST_ROUTES: Final = 1_000
_OTHER: Final = "other"
_QUANTILES: Final = (0.5, 0.95, 0.99)

RATE: Final = Family(
    "barograph_window_requests_per_second", "gauge", "requests of the last closed minute, by route; the rarest as other"
)
ERRORS: Final = Family(
    "barograph_window_error_ratio", "gauge", "share of the requests of the last closed minute with status 500 or above"
)
DURATION: Final = Family(
    "barograph_window_duration_seconds", "summary", "durations of the requests of the last closed minute, by route"
)
APDEX: Final = Family("barograph_window_apdex_ratio", "gauge", "Apdex of the last closed minute, 0 to 1")
MODEL_ERROR: Final = Family(
    "barograph_model_absolute_error", "gauge", "mean absolute error of a model in the last closed minute"
)
MODEL_CONFIDENCE: Final = Family(
    "barograph_model_confidence_ratio", "gauge", "mean confidence of a model in the last closed minute"
)


@dataclass(frozen=True, slots=True)
class ServiceMinute:
    """The last closed minute of one service. ``covered_ms``: how much of it the service was there for."""

    service: str
    pane: Pane
    covered_ms: int

    def route_counts(self) -> dict[Labels, int]:
        """Return how many requests each route and method had."""
        return {(row.labels[0], row.labels[1]): row.count for row in self.pane.group("request", ("route", "method"))}


def minute_samples(minutes: list[ServiceMinute], apdex_t_ms: float) -> Iterator[Sample]:
    """Yield the figures of all services, whose busiest routes are named."""
    shown = busiest_routes({minute.service: minute.route_counts() for minute in minutes})
    for minute in minutes:
        labels = {"service": minute.service}
        for row in _named(minute.pane, shown[minute.service]).group("request", ("route", "method")):
            route, method = (_OTHER if label == OTHER_LABEL else label for label in row.labels)
            yield from _route(row, {**labels, "route": route, "method": method}, minute.covered_ms)
        yield from _apdex(requests_of(minute.pane), labels, apdex_t_ms)
        for row in minute.pane.group("model", ("model", "version")):
            model, version = row.labels
            of_model = {**labels, "model": model, "version": version}
            yield from _mean(MODEL_ERROR, row.measures["absolute_error"], of_model)
            yield from _mean(MODEL_CONFIDENCE, row.measures["confidence"], of_model)


def busiest_routes(counts: Mapping[str, Mapping[Labels, int]], most: int = MOST_ROUTES) -> dict[str, Set[Labels]]:
    """Return for each service its routes that are shown: the busiest of all services, ``most`` with those for others.

    Args:
        counts: Service -> route and method -> requests.
        most: Bound on all routes together.
    """
    ranked = sorted(
        ((-count, service, labels) for service, routes in counts.items() for labels, count in routes.items())
    )
    # Each service may need one more, for the routes that are left out.
    kept = ranked if len(ranked) <= most else ranked[: max(0, most - len(counts))]
    shown: dict[str, set[Labels]] = {service: set() for service in counts}
    for _, service, labels in kept:
        shown[service].add(labels)
    return dict(shown)


def _named(pane: Pane, shown: Set[Labels]) -> Pane:
    """Return the requests of a pane, those of other routes as one series."""
    table = pane.table("request")
    if table is None:
        return Pane.EMPTY
    return Pane([table]).with_admitted(lambda _kind, labels: labels[:2] in shown)


def _route(row: SeriesSummary, labels: Mapping[str, str], covered_ms: int) -> Iterator[Sample]:
    yield Sample(RATE, labels, row.count * 1_000 / covered_ms)
    yield Sample(ERRORS, labels, row.errors / row.count)
    duration = row.measures["duration_ms"]
    if duration.count:
        for quantile in _QUANTILES:
            yield Sample(DURATION, {**labels, "quantile": f"{quantile:g}"}, duration.quantile(quantile) / 1_000)


def _apdex(row: SeriesSummary | None, labels: Mapping[str, str], apdex_t_ms: float) -> Iterator[Sample]:
    if row is None:
        return
    apdex = apdex_of(row.measures["duration_ms"], row.errors, row.count, apdex_t_ms)
    if apdex is not None:
        yield Sample(APDEX, labels, apdex)


def _mean(family: Family, summary: Summary, labels: Mapping[str, str]) -> Iterator[Sample]:
    if summary.count:
        yield Sample(family, labels, summary.average)
