"""Reads the demo's figures from the console: they come from the query store, not from the load."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, cast

import urllib3

from barograph_core.clock import Clock

WINDOW_MS: Final = 10_000
# A pane is closed half a second after its end; a window that ended later would be short of it.
_SETTLED_MS: Final = 800
_TIMEOUT_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class EndpointFigures:
    """One endpoint over the last ten closed seconds. ``None`` where there was nothing to measure."""

    route: str
    method: str
    requests: int
    requests_per_s: float
    error_ratio: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """One version of the model over the last ten closed seconds."""

    model: str
    version: str
    rated: int
    mean_absolute_error: float | None


@dataclass(frozen=True, slots=True)
class DemoNumbers:
    """The figures of one moment."""

    endpoints: tuple[EndpointFigures, ...] = field(default=())
    models: tuple[ModelFigures, ...] = field(default=())

    @property
    def requests_per_s(self) -> float:
        return sum(endpoint.requests_per_s for endpoint in self.endpoints)


class ConsoleFigures:
    """Asks the console. An answer that fails or comes late gives ``None``: the view keeps what it had."""

    def __init__(self, console_url: str, service: str, clock: Clock) -> None:
        self._url = f"{console_url}/api/v1/query"
        self._service = service
        self._clock = clock
        self._http = urllib3.PoolManager(timeout=urllib3.Timeout(total=_TIMEOUT_S), retries=False)

    def read(self) -> DemoNumbers | None:
        """Return the figures of the last ten closed seconds."""
        to_ms = (self._clock.now_ms() - _SETTLED_MS) // 1_000 * 1_000
        from_ms = to_ms - WINDOW_MS
        requests = self._points("request", "duration_ms", "route,method", from_ms, to_ms)
        errors = self._points("model", "absolute_error", "model,version", from_ms, to_ms)
        if requests is None or errors is None:
            return None
        return DemoNumbers(
            tuple(_endpoint(labels, point) for labels, point in requests),
            tuple(_model(labels, point) for labels, point in errors),
        )

    def count_requests(self, from_ms: int, routes: frozenset[str]) -> int | None:
        """Return how many requests to ``routes`` the pipeline has counted since ``from_ms``."""
        to_ms = self._clock.now_ms() // 1_000 * 1_000 + 1_000
        points = self._points("request", "duration_ms", "route", from_ms // 1_000 * 1_000, to_ms)
        if points is None:
            return None
        return sum(int(_number(point, "events") or 0) for labels, point in points if labels.get("route") in routes)

    def _points(
        self, kind: str, measure: str, by: str, from_ms: int, to_ms: int
    ) -> list[tuple[Mapping[str, str], Mapping[str, object]]] | None:
        """Return the labels and the one point of each series over the range, ``None`` when there is no answer."""
        query = {"service": self._service, "kind": kind, "measure": measure, "by": by, "step": "all"}
        fields = {**query, "from": str(from_ms), "to": str(to_ms)}
        try:
            response = self._http.request("GET", self._url, fields=fields)
            if response.status != 200:
                return None
            document = cast("dict[str, list[dict[str, object]]]", response.json())
            series = document["series"]
            return [
                (cast("dict[str, str]", item["labels"]), point)
                for item in series
                for point in cast("list[dict[str, object]]", item["points"])
            ]
        except (urllib3.exceptions.HTTPError, ValueError, KeyError, TypeError):
            return None


def _number(point: Mapping[str, object], name: str) -> float | None:
    value = point.get(name)
    return float(value) if isinstance(value, int | float) else None


def _endpoint(labels: Mapping[str, str], point: Mapping[str, object]) -> EndpointFigures:
    requests = int(_number(point, "events") or _number(point, "count") or 0)
    return EndpointFigures(
        route=labels.get("route", ""),
        method=labels.get("method", ""),
        requests=requests,
        requests_per_s=requests * 1_000 / WINDOW_MS,
        error_ratio=_number(point, "error_rate") or 0.0,
        p50_ms=_number(point, "p50"),
        p95_ms=_number(point, "p95"),
        p99_ms=_number(point, "p99"),
    )


def _model(labels: Mapping[str, str], point: Mapping[str, object]) -> ModelFigures:
    return ModelFigures(
        labels.get("model", ""), labels.get("version", ""), int(_number(point, "count") or 0), _number(point, "avg")
    )
