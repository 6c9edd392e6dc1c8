"""The route ``/slos``."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic_core import to_json

from barograph_console.serving.ready import ReadyAnswers
from barograph_console.slos.book import SloBook
from barograph_console.slos.models import Slos
from barograph_console.slos.view import slos_document
from barograph_console.store.ports import Ports
from barograph_console.store.services import closed_through
from barograph_core.clock import Clock


class SloRoutes:
    """Answers how much of each budget is left."""

    def __init__(self, ports: Ports, book: SloBook, clock: Clock, ready: ReadyAnswers) -> None:
        self._ports = ports
        self._book = book
        self._clock = clock
        self._ready = ready
        self.router = APIRouter(tags=["alerts"])
        self.router.add_api_route(
            "/slos",
            self.slos,
            response_model=Slos,
            operation_id="listSlos",
            summary="Service level objectives: what is left of each budget, and how fast it burns",
        )

    def slos(
        self,
        request: Request,
        service: Annotated[str, Query(description="only those of this service", max_length=64)] = "",
    ) -> Response:
        if service:
            closed_through(self._ports.panes, service)
        return self._ready.answer(request, "", lambda: to_json(self._read(service)))

    def _read(self, service: str) -> Slos:
        statuses = self._book.statuses(service)
        services = sorted({status.service for status in statuses})
        return slos_document(statuses, self._ports.alerts.records(services), self._clock.now_ms())
