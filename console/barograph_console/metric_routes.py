"""Routes that read figures: ``/services``, ``/current``, ``/query``."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic_core import to_json

from barograph_console import current_view, models
from barograph_console.points import DEFAULT_QUANTILES, Question, check_labels, check_measure
from barograph_console.ports import Ports
from barograph_console.problems import ApiError
from barograph_console.query_answer import AUTO, AskedRange, QueryReader
from barograph_console.query_parameters import parse_quantiles, parse_step_ms
from barograph_console.query_plan import QueryError, QueryPlan, plan_query
from barograph_console.settings import ConsoleSettings
from barograph_core.clock import Clock
from barograph_core.keys import is_service_name
from barograph_core.moments import parse_moment
from barograph_core.pane import Pane
from barograph_core.pipeline_status import ServiceProducers
from barograph_core.store import StoredPane

ServiceName = Annotated[str, Query(description="name of the service", max_length=64)]
WindowS = Annotated[int, Query(ge=1, le=900, description="length of the window in seconds")]


class MetricRoutes:
    """Answers questions about figures, out of closed panes only."""

    def __init__(self, ports: Ports, settings: ConsoleSettings, clock: Clock) -> None:
        self._ports = ports
        self._settings = settings
        self._clock = clock
        self._reader = QueryReader(ports.panes, max_series=settings.max_series, max_points=settings.max_points)
        self.router = APIRouter(tags=["figures"])
        self.router.add_api_route("/services", self.services, summary="Every service, and how it does")
        self.router.add_api_route("/current", self.current, summary="The newest closed panes of a service")
        self.router.add_api_route(
            "/query", self.query, response_model=models.Query, summary="Series of points over a range"
        )

    def services(self, window: WindowS = 60) -> models.Services:
        now_ms = self._clock.now_ms()
        closed = self._ports.panes.services()
        found = self._ports.pipeline.producers_of(list(closed))
        rows: list[models.ServiceRow] = []
        for service, closed_ms in closed.items():
            pane = self._window(service, closed_ms, window * 1_000, now_ms)
            figures = current_view.whole_service(pane, window * 1_000)
            producers = found.get(service, ServiceProducers())
            missing = producers.count_missing(closed_ms)
            rows.append(
                models.ServiceRow(
                    service=service,
                    closed_through_ms=closed_ms,
                    closed_age_ms=max(0, now_ms - closed_ms),
                    requests=figures.requests,
                    rps=figures.rps,
                    error_rate=figures.error_rate,
                    estimated=figures.estimated,
                    producers=len(producers.through_ms),
                    missing_producers=missing,
                    is_missing_producers=missing > 0,
                )
            )
        return models.Services(at_ms=now_ms, window_s=window, services=rows)

    def current(self, service: ServiceName, window: WindowS = 60) -> models.Current:
        now_ms = self._clock.now_ms()
        closed_ms = self._closed_ms(service)
        window_ms = window * 1_000
        pane = self._window(service, closed_ms, window_ms, now_ms)
        producers = self._ports.pipeline.producers_of([service]).get(service, ServiceProducers())
        return models.Current(
            service=service,
            at_ms=now_ms,
            from_ms=closed_ms - window_ms,
            to_ms=closed_ms,
            closed_age_ms=max(0, now_ms - closed_ms),
            missing_producers=producers.count_missing(closed_ms),
            endpoints=current_view.endpoint_rows(pane, window_ms),
            models=current_view.model_rows(pane),
            system=current_view.system_rows(pane),
            **current_view.whole_service(pane, window_ms).model_dump(),
        )

    def query(
        self,
        service: ServiceName,
        kind: Annotated[str, Query(description="request, model, system or custom")] = "request",
        measure: Annotated[str, Query(description="a measure of the kind; its first one if left out")] = "",
        from_: Annotated[
            str, Query(alias="from", description="ms since the epoch, ISO 8601, 'now' or '-15m'")
        ] = "-15m",
        to: Annotated[str, Query(description="as from; excluded")] = "now",
        step: Annotated[
            str, Query(description="seconds, or 'all' for one point over the range; fits the range if left out")
        ] = "",
        by: Annotated[str, Query(description="label names separated by commas; empty for the whole service")] = "",
        where: Annotated[
            list[str] | None, Query(description="label=value; only series that have it; may be repeated")
        ] = None,
        quantiles: Annotated[str, Query(description="such as 0.9,0.999; adds p90 and p99_9")] = "",
    ) -> Response:
        now_ms = self._clock.now_ms()
        closed_ms = self._closed_ms(service)
        try:
            known, name = check_measure(kind, measure)
            labels = tuple(dict.fromkeys(part.strip() for part in by.split(",") if part.strip()))
            filters = _parse_filters(where or [])
            check_labels(known, (*labels, *filters))
            asked_range = _parse_range(from_, to, step, now_ms)
            question = Question(known, name, labels, filters, _parse_quantiles(quantiles))
            answer = self._reader.answer(service, asked_range, closed_ms, question)
        except QueryError as error:
            raise ApiError(422, error.code, str(error)) from error
        content = {
            "service": service,
            "kind": known.name,
            "measure": name,
            "step_ms": answer.plan.step_ms,
            "from_ms": answer.plan.from_ms,
            "to_ms": answer.plan.to_ms,
            "covered_from_ms": answer.plan.covered_from_ms,
            "closed_through_ms": closed_ms,
            "missing": answer.missing,
            "series": answer.series,
        }
        return Response(to_json(content), media_type="application/json")

    def _closed_ms(self, service: str) -> int:
        closed = self._ports.panes.services().get(service) if is_service_name(service) else None
        if closed is None:
            raise ApiError(404, "unknown_service", f"nothing of a service {service!r} was ever closed")
        return closed

    def _read(self, service: str, plan: QueryPlan) -> list[StoredPane]:
        panes: list[StoredPane] = []
        for segment in plan.segments:
            panes += self._ports.panes.read(service, segment.step_ms, segment.from_ms, segment.to_ms)
        return panes

    def _window(self, service: str, closed_ms: int, window_ms: int, now_ms: int) -> Pane:
        """Return the merged panes of the last ``window_ms`` before ``closed_ms``."""
        plan = plan_query(
            self._ports.panes.steps(service, now_ms),
            from_ms=max(0, closed_ms - window_ms),
            to_ms=closed_ms,
            step_ms=None,
            closed_through_ms=closed_ms,
            now_ms=now_ms,
            max_points=1,
        )
        return Pane.merge([stored.pane for stored in self._read(service, plan)])


def _parse_range(from_: str, to: str, step: str, now_ms: int) -> AskedRange:
    try:
        step_ms = parse_step_ms(step) if step else AUTO
        return AskedRange(parse_moment(from_, now_ms), parse_moment(to, now_ms), step_ms, now_ms)
    except ValueError as error:
        raise QueryError("invalid_parameter", str(error)) from error


def _parse_quantiles(text: str) -> dict[str, float]:
    try:
        return {**DEFAULT_QUANTILES, **parse_quantiles(text)}
    except ValueError as error:
        raise QueryError("invalid_parameter", str(error)) from error


def _parse_filters(texts: list[str]) -> dict[str, str]:
    filters: dict[str, str] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise QueryError("invalid_filter", f"where {text[:80]!r} is not of the form label=value")
        if filters.get(name, value) != value:
            raise QueryError("invalid_filter", f"where asks two values of {name[:80]!r}; no series has both")
        filters[name] = value
    return filters
