"""The route ``/services``."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic_core import to_json

from barograph_console.figures.query_answer import QueryReader
from barograph_console.figures.questions import WindowS
from barograph_console.figures.rows import whole_service
from barograph_console.reading.first_pane import CoveredWindows
from barograph_console.reading.panes import Reading, begin_reading
from barograph_console.reading.windows import MINUTE_MS
from barograph_console.rows.requests import minute_of, requests_of
from barograph_console.services.cards import (
    AlertsOfService,
    ServiceCard,
    Services,
    alerts_by_service,
    in_order,
    is_internal,
)
from barograph_console.services.sparkline import read_sparkline
from barograph_console.serving.ready import ReadyAnswers
from barograph_console.settings import ConsoleSettings
from barograph_console.store.ports import Ports
from barograph_core.clock import Clock
from barograph_core.pipeline.status import ServiceProducers

_MOST_SPARK: Final = 60


class ServiceRoutes:
    """Answers with a card for each service."""

    def __init__(self, ports: Ports, settings: ConsoleSettings, clock: Clock, ready: ReadyAnswers) -> None:
        self._ports = ports
        self._clock = clock
        self._ready = ready
        self._apdex_t_ms = settings.apdex_t_ms
        self._windows = CoveredWindows(ports.panes, clock)
        self._queries = QueryReader(ports.panes, max_series=settings.max_series, max_points=settings.max_points)
        self.router = APIRouter(tags=["figures"])
        self.router.add_api_route(
            "/services",
            self.services,
            response_model=Services,
            operation_id="listServices",
            summary="A card for each service: figures, worst alert, sparkline",
        )

    def services(
        self,
        request: Request,
        window: WindowS = 60,
        spark: Annotated[int, Query(ge=0, le=_MOST_SPARK, description="minutes of the sparkline; 0: none")] = 0,
    ) -> Response:
        closed = self._ports.panes.services()
        version = tuple(sorted(closed.items()))
        return self._ready.answer(request, version, lambda: to_json(self._read(closed, window, spark)))

    def _read(self, closed: dict[str, int], window_s: int, spark: int) -> Services:
        now_ms = self._clock.now_ms()
        producers = self._ports.pipeline.producers_of(list(closed))
        alerts = alerts_by_service(self._ports.alerts.records(list(closed)), self._ports.rules.read())
        cards = [
            self._card(
                begin_reading(self._ports.panes, service, closed_ms, self._clock),
                window_s * 1_000,
                spark,
                producers.get(service, ServiceProducers()),
                alerts.get(service, AlertsOfService()),
            )
            for service, closed_ms in closed.items()
        ]
        return Services(now_ms, window_s, in_order(cards))

    def _card(
        self, reading: Reading, window_ms: int, spark: int, producers: ServiceProducers, alerts: AlertsOfService
    ) -> ServiceCard:
        pane, covered_ms = self._windows.read(reading, window_ms=window_ms)
        minute, minute_covered_ms = pane, covered_ms
        if window_ms != MINUTE_MS:
            minute, minute_covered_ms = self._windows.read(reading, window_ms=MINUTE_MS)
        figures = whole_service(pane, covered_ms)
        missing = producers.count_missing(reading.closed_ms)
        return ServiceCard(
            service=reading.service,
            closed_through_ms=reading.closed_ms,
            is_internal=is_internal(reading.service),
            minute=minute_of(
                requests_of(minute), covered_ms=minute_covered_ms, apdex_t_ms=self._apdex_t_ms, before=None
            ),
            worst_alert=alerts.worst,
            firing=alerts.firing,
            closed_age_ms=max(0, reading.now_ms - reading.closed_ms),
            requests=figures.requests,
            rps=figures.rps,
            error_rate=figures.error_rate,
            estimated=figures.estimated,
            producers=len(producers.through_ms),
            missing_producers=missing,
            is_missing_producers=missing > 0,
            spark=read_sparkline(self._queries, reading, points=spark) if spark else None,
        )
