"""The route ``/overview``."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic_core import to_json

from barograph_console.overview.before import CompareName
from barograph_console.overview.document import Overview
from barograph_console.overview.grid import RANGES_MS, Grid, RangeName, fixed_grid, newest_grid
from barograph_console.overview.live_position import LivePositions
from barograph_console.overview.reader import OverviewQuestion, OverviewReader
from barograph_console.reading.panes import Reading, begin_reading
from barograph_console.reading.query_plan import QueryError
from barograph_console.rows.requests import Endpoint
from barograph_console.serving.problems import ApiError
from barograph_console.serving.ready import ReadyAnswers
from barograph_console.settings import ConsoleSettings
from barograph_console.store.ports import Ports
from barograph_console.store.services import closed_through
from barograph_core.clock import Clock
from barograph_core.text.timestamps import parse_timestamp


class OverviewRoutes:
    """Answers with all that the page draws."""

    def __init__(
        self, ports: Ports, settings: ConsoleSettings, clock: Clock, live: LivePositions, ready: ReadyAnswers
    ) -> None:
        self._ready = ready
        self._ports = ports
        self._clock = clock
        self._reader = OverviewReader(ports, settings, clock, live)
        self.router = APIRouter(tags=["overview"])
        self.router.add_api_route(
            "/overview",
            self.overview,
            response_model=Overview,
            operation_id="getOverview",
            summary="All that the page draws of one service",
        )

    def overview(
        self,
        request: Request,
        service: Annotated[str, Query(description="name of the service", max_length=64)],
        range_: Annotated[RangeName, Query(alias="range", description="how far back the charts go")] = "1h",
        from_: Annotated[str, Query(alias="from", description="a fixed start, in place of range")] = "",
        to: Annotated[str, Query(description="end of the fixed range; excluded")] = "now",
        route: Annotated[
            str, Query(description="only this endpoint in charts: method, space, route", max_length=512)
        ] = "",
        compare: Annotated[CompareName, Query(description="what to compare with; auto: a day, else an hour")] = "auto",
    ) -> Response:
        closed_ms = closed_through(self._ports.panes, service)

        def make() -> bytes:
            reading = begin_reading(self._ports.panes, service, closed_ms, self._clock)
            asked = OverviewQuestion(_grid(reading, range_, from_, to), _endpoint(route), compare)
            return to_json(self._reader.read(reading, asked))

        try:
            return self._ready.answer(request, closed_ms, make)
        except QueryError as error:
            raise ApiError(422, error.code, str(error)) from error


def _grid(reading: Reading, range_: RangeName, from_: str, to: str) -> Grid:
    now_ms, steps = reading.now_ms, reading.steps
    if not from_:
        return newest_grid(RANGES_MS[range_], steps, closed_ms=reading.closed_ms, now_ms=now_ms)
    try:
        from_ms, to_ms = parse_timestamp(from_, now_ms), parse_timestamp(to, now_ms)
    except ValueError as error:
        raise QueryError("invalid_parameter", str(error)) from error
    if from_ms >= to_ms:
        raise QueryError("empty_range", f"from ({from_ms}) must lie before to ({to_ms})")
    return fixed_grid(from_ms, to_ms, steps, now_ms=now_ms)


def _endpoint(route: str) -> Endpoint | None:
    method, separator, path = route.partition(" ")
    if route and not (separator and method and path):
        raise QueryError(
            "invalid_parameter", f"route {route[:80]!r} is not a method and a route, such as 'POST /predict'"
        )
    return Endpoint(method, path) if route else None
