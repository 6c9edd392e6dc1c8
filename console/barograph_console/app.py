"""Builds the application out of its ports."""

from importlib import metadata
from typing import Any, Final

from fastapi import Depends, FastAPI

from barograph_console.access import HostGuard, make_guards
from barograph_console.alert_routes import AlertRoutes
from barograph_console.exposition import ExpositionRoutes
from barograph_console.health_routes import API, HealthRoutes
from barograph_console.metric_routes import MetricRoutes
from barograph_console.ports import Ports
from barograph_console.problems import ErrorBody, install_error_handlers
from barograph_console.settings import ConsoleSettings
from barograph_core.clock import Clock

_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": ErrorBody, "description": text}
    for status, text in (
        (401, "no valid token"),
        (403, "not allowed"),
        (404, "unknown service"),
        (422, "a parameter is wrong"),
        (503, "the server that holds the streams is gone or refuses"),
    )
}


def create_app(ports: Ports, settings: ConsoleSettings, clock: Clock) -> FastAPI:
    """Return the console's application.

    Routes are plain functions, so FastAPI runs each request in a thread; ``ports`` must stand that.
    """
    # The ready-made pages of the documentation would load scripts from elsewhere.
    app = FastAPI(
        title="barograph",
        summary="Figures, alerts and the pipeline's own state",
        version=metadata.version("barograph"),
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    install_error_handlers(app)
    may_read, may_change = make_guards(settings)
    guarded = [Depends(may_read)]
    health = HealthRoutes(ports)
    app.include_router(health.open_router)
    app.include_router(health.index_router, dependencies=guarded)
    app.include_router(ExpositionRoutes(ports).router, dependencies=guarded, responses=_ERRORS)
    for router in (
        MetricRoutes(ports, settings, clock).router,
        AlertRoutes(ports, clock, may_change).router,
        health.router,
    ):
        app.include_router(router, prefix=API, dependencies=guarded, responses=_ERRORS)
    app.add_middleware(HostGuard, settings=settings)
    return app
