"""Builds the application out of its ports."""

import functools
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from fastapi import Depends, FastAPI, Request
from starlette.responses import Response
from starlette.types import ASGIApp

from barograph_console.access.building import build_access
from barograph_console.access.guards import documents_token, may_change, may_send
from barograph_console.alertmanager.routes import RULES as ALERTMANAGER_RULES
from barograph_console.alertmanager.routes import VERSION, AlertmanagerRoutes
from barograph_console.alerts.actions import ActionRoutes
from barograph_console.alerts.routes import AlertRoutes
from barograph_console.channels.routes import ChannelRoutes
from barograph_console.detail.routes import DetailRoutes
from barograph_console.exposition.routes import ExpositionRoutes
from barograph_console.figures.routes import MetricRoutes
from barograph_console.health.routes import API, HealthRoutes
from barograph_console.hooks.routes import RULES as HOOK_RULES
from barograph_console.hooks.routes import HookRoutes
from barograph_console.ingest.otlp.routes import OTLP_RULES, OtlpRoutes
from barograph_console.ingest.routes import IngestRoutes, ingest_rules
from barograph_console.live.stream import LiveStream
from barograph_console.markers.routes import MarkerRoutes, marker_rules
from barograph_console.overview.live_position import NoLiveStream
from barograph_console.overview.routes import OverviewRoutes
from barograph_console.page.assets import Assets, load_assets
from barograph_console.page.routes import PageRoutes
from barograph_console.panels.routes import PanelRoutes
from barograph_console.rules.routes import RuleRoutes
from barograph_console.services.routes import ServiceRoutes
from barograph_console.serving.finishing import Finishing
from barograph_console.serving.openapi import install_description
from barograph_console.serving.parameters import refuse_unknown_parameters
from barograph_console.serving.problems import (
    ApiError,
    ErrorDetail,
    Problem,
    answer_of,
    did_you_mean,
    install_error_handlers,
)
from barograph_console.serving.ready import ReadyAnswers, WorkLimit
from barograph_console.settings import ConsoleSettings
from barograph_console.silences.routes import SilenceRoutes
from barograph_console.slos.book import SloBook
from barograph_console.slos.routes import SloRoutes
from barograph_console.store.ports import Ports
from barograph_console.store.services import UnknownServiceError
from barograph_core.clock import Clock

# Requests with events that are worked on at once.
_SENDING: Final = 2
_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Problem, "description": text}
    for status, text in (
        (401, "no valid token"),
        (403, "not allowed"),
        (404, "unknown service"),
        (422, "a parameter is wrong"),
        (429, "too many questions, or too many wrong tokens; Retry-After says when to ask again"),
        (503, "the server that holds the streams is gone or refuses"),
    )
}


def create_app(ports: Ports, settings: ConsoleSettings, clock: Clock, live: LiveStream | None = None) -> ASGIApp:
    """Return the console's application: the framework with its routes, behind the gate.

    Routes are plain functions, so FastAPI runs each request in a thread; ``ports`` must stand that.

    Args:
        ports: The store.
        settings: Of the console.
        clock: The present.
        live: The live stream; ``None`` when none is served.
    """
    build = metadata.version("barograph")
    # The ready-made pages of the documentation would load scripts from elsewhere.
    app = FastAPI(
        title="barograph",
        summary="Figures, alerts and the pipeline's own state",
        version=build,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    install_description(app)
    install_error_handlers(app)
    app.add_exception_handler(UnknownServiceError, _on_unknown_service)
    access = build_access(settings, ports.access, clock)
    guarded = [Depends(documents_token), Depends(refuse_unknown_parameters)]
    health = HealthRoutes(ports, clock)
    limit = WorkLimit()
    ready = ReadyAnswers(clock, limit)
    # Apart from questions: who sends must not keep those waiting who look.
    sending = WorkLimit(at_once=_SENDING)
    app.include_router(health.open_router)
    page = PageRoutes(_page_assets(), health.index())
    app.include_router(page.open_router)
    # The page drops what it does not know of its own URL.
    app.include_router(
        page.router, dependencies=guarded[:1], responses={status: _ERRORS[status] for status in (401, 429, 503)}
    )
    slos = SloBook(ports.panes, ports.rules, clock)
    exposition = ExpositionRoutes(ports, settings, clock, slos, lambda: 0 if live is None else live.clients, VERSION)
    app.include_router(exposition.router, dependencies=guarded, responses=_ERRORS)
    app.include_router(access.routes.router, prefix=API, dependencies=guarded[1:], responses=_ERRORS)
    for router in (
        ServiceRoutes(ports, settings, clock, ready).router,
        MetricRoutes(ports, settings, clock, ready).router,
        OverviewRoutes(ports, settings, clock, live or NoLiveStream(), ready).router,
        PanelRoutes(ports, settings, clock, ready).router,
        AlertRoutes(ports, clock).router,
        ActionRoutes(ports, clock, may_change).router,
        SilenceRoutes(ports, clock, may_change).router,
        ChannelRoutes(ports, clock, may_change).router,
        MarkerRoutes(ports, clock, may_send).router,
        IngestRoutes(ports.events, clock, sending, may_send).router,
        DetailRoutes(ports, settings, clock, limit).router,
        RuleRoutes(ports).router,
        SloRoutes(ports, slos, clock, ready).router,
        health.router,
    ):
        app.include_router(router, prefix=API, dependencies=guarded, responses=_ERRORS)
    app.include_router(AlertmanagerRoutes(ports, clock, build).router, dependencies=guarded)
    app.include_router(OtlpRoutes(ports.events, sending).router, dependencies=guarded[1:])
    app.include_router(HookRoutes(ports, settings, clock).router, dependencies=guarded[1:])
    if live is not None:
        app.include_router(live.router(access.authenticator), prefix=API)
    return access.gate(
        Finishing(app), API, [*marker_rules(API), *ingest_rules(API), *OTLP_RULES, *ALERTMANAGER_RULES, *HOOK_RULES]
    )


@functools.cache
def _page_assets() -> Assets:
    """The page's files, read once a process however many applications it makes."""
    return load_assets(Path(__file__).parent / "page")


async def _on_unknown_service(request: Request, exc: Exception) -> Response:
    if not isinstance(exc, UnknownServiceError):
        raise exc
    message = f"{exc}{did_you_mean(exc.suggestions)}"
    detail = ErrorDetail(where="query.service", message=message, suggestions=exc.suggestions)
    return answer_of(ApiError(404, "unknown_service", message, errors=[detail]), request.url.path)
