"""Routes of tables and charts: endpoints, models, processes, heatmap, distribution, contributors."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic_core import to_json

from barograph_console.figures.points import check_labels, check_measure
from barograph_console.figures.questions import MAX_BY, KindName
from barograph_console.overview.grid import fixed_grid
from barograph_console.overview.tables import ROWS, TableReader
from barograph_console.panels import models
from barograph_console.panels.contributors import Contributors, OfName, SpanAmount, shares_of, total_of
from barograph_console.panels.distribution import Distribution, distribution_of
from barograph_console.panels.heatmap import read_heatmap
from barograph_console.panels.span import Span, parse_span
from barograph_console.panels.tables import RowTables
from barograph_console.reading.panes import Reading, begin_reading
from barograph_console.reading.query_plan import QueryError
from barograph_console.reading.windows import WindowReader
from barograph_console.serving.problems import ApiError
from barograph_console.serving.ready import ReadyAnswers
from barograph_console.settings import ConsoleSettings
from barograph_console.store.ports import Ports
from barograph_console.store.services import closed_through, is_settled
from barograph_core.clock import Clock
from barograph_core.panes.pane import Pane
from barograph_core.text.timestamps import parse_timestamp

ServiceName = Annotated[str, Query(description="name of the service", max_length=64)]
From = Annotated[str, Query(alias="from", description="ms since the epoch, ISO 8601, 'now' or '-15m'")]
To = Annotated[str, Query(description="as from; excluded")]
Limit = Annotated[int, Query(ge=1, le=500, description="the most rows")]
MeasureName = Annotated[str, Query(description="a measure of the kind; its first one if left out")]


class PanelRoutes:
    """Answers with one table or chart."""

    def __init__(self, ports: Ports, settings: ConsoleSettings, clock: Clock, ready: ReadyAnswers) -> None:
        self._ports = ports
        self._clock = clock
        self._tables = TableReader(ports, settings, clock)
        self._rows = RowTables(ports, settings)
        self._ready = ready
        self._windows = WindowReader(ports.panes)
        self.router = APIRouter(tags=["panels"])
        for path, route, model, name, summary in (
            ("/endpoints", self.endpoints, models.Endpoints, "getEndpoints", "The endpoints of the last minute"),
            ("/models", self.models, models.Models, "getModels", "The versions of each model, last minute"),
            ("/system", self.system, models.System, "getSystem", "The processes and hosts of the last minute"),
            ("/heatmap", self.heatmap, models.Heatmap, "getHeatmap", "How many values lay where, over time"),
            ("/distribution", self.distribution, Distribution, "getDistribution", "How values are spread"),
            ("/contributors", self.contributors, Contributors, "getContributors", "What a span is made of"),
        ):
            self._add(path, route, model, name, summary)

    def _add(self, path: str, route: Callable[..., Response], model: type[Any], name: str, summary: str) -> None:
        self.router.add_api_route(path, route, response_model=model, operation_id=name, summary=summary)

    def endpoints(self, request: Request, service: ServiceName, limit: Limit = ROWS) -> Response:
        return self._answer(
            request, service, lambda reading: models.Endpoints.of(self._tables.read(reading, limit=limit))
        )

    def models(self, request: Request, service: ServiceName) -> Response:
        return self._answer(request, service, self._rows.models)

    def system(self, request: Request, service: ServiceName) -> Response:
        return self._answer(request, service, self._rows.system)

    def heatmap(
        self,
        request: Request,
        service: ServiceName,
        kind: KindName = "request",
        measure: MeasureName = "",
        from_: From = "-1h",
        to: To = "now",
    ) -> Response:
        def read(reading: Reading, span: Span) -> models.Heatmap:
            known, name = check_measure(kind, measure)
            grid = fixed_grid(span.from_ms, span.to_ms, reading.steps, now_ms=reading.now_ms)
            return read_heatmap(self._ports.panes, reading, grid, known, name)

        return self._over(request, service, from_, to, read)

    def distribution(
        self,
        request: Request,
        service: ServiceName,
        kind: KindName = "model",
        measure: Annotated[str, Query(description="a measure of the kind; its first one if left out")] = "confidence",
        by: Annotated[str, Query(description="label names separated by commas")] = "",
        bins: Annotated[int, Query(ge=2, le=100, description="bins of equal width")] = 20,
        from_: From = "-15m",
        to: To = "now",
    ) -> Response:
        def read(reading: Reading, span: Span) -> Distribution:
            known, name = check_measure(kind, measure)
            labels = tuple(dict.fromkeys(part.strip() for part in by.split(",") if part.strip()))
            if len(labels) > MAX_BY:
                raise QueryError("too_many_labels", f"by takes up to {MAX_BY} labels, not {len(labels)}")
            check_labels(known, labels)
            return distribution_of(self._pane(reading, span), known.name, name, labels, bins)

        return self._over(request, service, from_, to, read)

    def contributors(
        self,
        request: Request,
        service: ServiceName,
        of: Annotated[OfName, Query(description="what to share out")] = "errors",
        slow_ms: Annotated[float, Query(gt=0, le=1e12, description="of=slow: longer than this")] = 500.0,
        from_: From = "-5m",
        to: To = "now",
        limit: Limit = 10,
    ) -> Response:
        def read(reading: Reading, span: Span) -> Contributors:
            before = span.before()
            inside_pane, before_pane = self._pane(reading, span), self._pane(reading, before)
            return Contributors(
                of,
                SpanAmount(span.from_ms, span.to_ms, total_of(inside_pane, of, slow_ms)),
                SpanAmount(before.from_ms, before.to_ms, total_of(before_pane, of, slow_ms)),
                shares_of(inside_pane, before_pane, of, slow_ms, limit),
            )

        return self._over(request, service, from_, to, read)

    def _over(
        self, request: Request, service: str, from_: str, to: str, read: Callable[[Reading, Span], object]
    ) -> Response:
        return self._answer(request, service, lambda reading: read(reading, parse_span(from_, to, reading)), from_, to)

    def _answer(
        self, request: Request, service: str, read: Callable[[Reading], object], from_: str = "", to: str = ""
    ) -> Response:
        closed_ms = closed_through(self._ports.panes, service)
        try:
            return self._ready.answer(
                request,
                closed_ms,
                lambda: to_json(read(begin_reading(self._ports.panes, service, closed_ms, self._clock))),
                is_settled=self._is_settled(service, from_, to, closed_ms),
            )
        except QueryError as error:
            raise ApiError(422, error.code, str(error)) from error

    def _is_settled(self, service: str, from_: str, to: str, closed_ms: int) -> bool:
        """Return whether a fixed range is so old that its figures stay as they are."""
        if not (from_[:1].isdigit() and to[:1].isdigit()):
            return False
        try:
            return is_settled(self._ports.panes, service, parse_timestamp(to, self._clock.now_ms()), closed_ms)
        except ValueError:
            # Whoever reads the range refuses it with the reason.
            return False

    def _pane(self, reading: Reading, span: Span) -> Pane:
        return self._windows.read(reading, to_ms=span.to_ms, window_ms=span.to_ms - span.from_ms)
