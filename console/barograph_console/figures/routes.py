"""Routes that read the figures of one service: ``/current`` and ``/query``."""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from barograph_console.figures import models
from barograph_console.figures import rows as current_view
from barograph_console.figures.formats import FormatName, busiest, encode, select_fields
from barograph_console.figures.points import Question, field_names
from barograph_console.figures.query_answer import QueryReader, TimeRange
from barograph_console.figures.questions import KindName, WindowS, parse_question, parse_range
from barograph_console.reading.first_pane import CoveredWindows
from barograph_console.reading.panes import begin_reading
from barograph_console.reading.query_plan import QueryError
from barograph_console.serving.problems import ApiError
from barograph_console.serving.ready import ReadyAnswers
from barograph_console.settings import ConsoleSettings
from barograph_console.store.ports import Ports
from barograph_console.store.services import closed_through, is_settled
from barograph_core.clock import Clock
from barograph_core.pipeline.status import ServiceProducers

ServiceName = Annotated[str, Query(description="name of the service", max_length=64)]
_CSV_EXAMPLE: Final = "route,t,events,p95\n/predict,1795966570000,812,231.0\n"
_MEDIA_TYPES: Final = {"csv": "text/csv; charset=utf-8"}


class MetricRoutes:
    """Answers questions about figures, out of closed panes only."""

    def __init__(self, ports: Ports, settings: ConsoleSettings, clock: Clock, ready: ReadyAnswers) -> None:
        self._ports = ports
        self._ready = ready
        self._clock = clock
        self._reader = QueryReader(ports.panes, max_series=settings.max_series, max_points=settings.max_points)
        self._windows = CoveredWindows(ports.panes, clock)
        self.router = APIRouter(tags=["figures"])
        self.router.add_api_route(
            "/current",
            self.current,
            operation_id="getCurrent",
            summary="The newest closed panes of a service",
        )
        self.router.add_api_route(
            "/query",
            self.query,
            response_model=models.Query,
            responses={200: {"content": {"text/csv": {"schema": {"type": "string"}, "example": _CSV_EXAMPLE}}}},
            operation_id="queryFigures",
            summary="Series of points over a range",
        )

    def current(self, service: ServiceName, window: WindowS = 60) -> models.Current:
        closed_ms = closed_through(self._ports.panes, service)
        reading = begin_reading(self._ports.panes, service, closed_ms, self._clock)
        window_ms = window * 1_000
        pane, covered_ms = self._windows.read(reading, window_ms=window_ms)
        producers = self._ports.pipeline.producers_of([service]).get(service, ServiceProducers())
        return models.Current(
            service=service,
            at_ms=reading.now_ms,
            from_ms=closed_ms - window_ms,
            to_ms=closed_ms,
            closed_age_ms=max(0, reading.now_ms - closed_ms),
            missing_producers=producers.count_missing(closed_ms),
            endpoints=current_view.endpoint_rows(pane, covered_ms),
            models=current_view.model_rows(pane),
            system=current_view.system_rows(pane),
            **current_view.whole_service(pane, covered_ms).model_dump(),
        )

    def query(
        self,
        request: Request,
        service: ServiceName,
        kind: KindName = "request",
        measure: Annotated[str, Query(description="a measure of the kind; its first one if left out")] = "",
        from_: Annotated[
            str, Query(alias="from", description="ms since the epoch, ISO 8601, 'now' or '-15m'")
        ] = "-15m",
        to: Annotated[str, Query(description="as from; excluded")] = "now",
        step: Annotated[
            str, Query(description="seconds, or 'all' for one point over the range; fits the range if left out")
        ] = "",
        by: Annotated[
            str, Query(description="label names separated by commas, also status and status_class; empty: the service")
        ] = "",
        where: Annotated[
            list[str] | None, Query(description="label=value; only series that have it; may be repeated")
        ] = None,
        quantiles: Annotated[str, Query(description="such as 0.9,0.999; adds p90 and p99_9")] = "",
        fields: Annotated[str, Query(description="fields of a point separated by commas; all if left out")] = "",
        top: Annotated[int | None, Query(ge=1, le=1_000, description="only the series with most events")] = None,
        format_: Annotated[FormatName, Query(alias="format", description="how the series are written")] = "points",
    ) -> Response:
        now_ms = self._clock.now_ms()
        closed_ms = closed_through(self._ports.panes, service)
        try:
            question = parse_question(kind, measure, by, where or [], quantiles)
            shown = select_fields(field_names(question), fields)
            asked = parse_range(from_, to, step, now_ms)
            return self._ready.answer(
                request,
                closed_ms,
                lambda: self._encode(service, asked, closed_ms, question, _Form(shown, top, format_)),
                media_type=_MEDIA_TYPES.get(format_, "application/json"),
                is_settled=from_[:1].isdigit() and is_settled(self._ports.panes, service, asked.to_ms, closed_ms),
            )
        except QueryError as error:
            raise ApiError(422, error.code, str(error)) from error

    def _encode(self, service: str, asked: TimeRange, closed_ms: int, question: Question, form: "_Form") -> bytes:
        reading = begin_reading(self._ports.panes, service, closed_ms, self._clock)
        answer = self._reader.answer(reading, asked, question)
        head = {
            "service": service,
            "kind": question.kind.name,
            "measure": question.measure,
            "step_ms": answer.plan.step_ms,
            "from_ms": answer.plan.from_ms,
            "to_ms": answer.plan.to_ms,
            "covered_from_ms": answer.plan.covered_from_ms,
            "closed_through_ms": closed_ms,
            "missing": answer.missing,
            "total_series": len(answer.series),
        }
        return encode(head, busiest(answer.series, form.top), form.fields, form.name)


@dataclass(frozen=True, slots=True)
class _Form:
    fields: list[str]
    top: int | None
    name: FormatName
