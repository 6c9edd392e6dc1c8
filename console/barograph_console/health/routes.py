"""Routes about the console and the pipeline: ``/livez``, ``/readyz``, ``/pipeline`` and the index."""

from importlib import metadata
from typing import Final, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from barograph_console.health.pipeline_summary import PipelineSummary, pipeline_summary
from barograph_console.health.pipeline_view import Pipeline, pipeline_view
from barograph_console.serving.problems import RETRY_AFTER_S, explain
from barograph_console.store.ports import Ports, ReadinessProblem
from barograph_core.clock import Clock


class Index(BaseModel):
    name: str
    version: str
    links: dict[str, str]


API: Final = "/api/v1"
_LINKS: Final = {
    "services": f"{API}/services",
    "current": f"{API}/current?service={{service}}",
    "query": f"{API}/query?service={{service}}&kind=request&measure=duration_ms&from=-15m&step=10&by=route",
    "alerts": f"{API}/alerts",
    "alerts_history": f"{API}/alerts/history",
    "alerts_summary": f"{API}/alerts/summary",
    "pipeline": f"{API}/pipeline",
    "metrics": "/metrics",
    "openapi": f"{API}/openapi.json",
    "livez": "/livez",
    "readyz": "/readyz",
}


_KINDS: Final = ("gone", "refuses", "no_library", "evicts", "ids_ahead", "no_aggregator", "stuck")


class Live(BaseModel):
    status: Literal["alive"] = "alive"


class Reason(BaseModel):
    """Why the console is not ready: its server, or a pipeline that stands still."""

    kind: str = Field(
        json_schema_extra={"enum": ["gone", "refuses", "no_library", "evicts", "ids_ahead", "no_aggregator", "stuck"]}
    )
    reason: str
    message: str


class Readiness(BaseModel):
    status: Literal["ready", "not_ready"]
    reasons: list[Reason]


class HealthRoutes:
    """Says whether the process lives, whether it can do its work, and how the pipeline is."""

    def __init__(self, ports: Ports, clock: Clock) -> None:
        self._ports = ports
        self._clock = clock
        self.open_router = APIRouter(tags=["health"])
        self.open_router.add_api_route(
            "/livez", self.livez, operation_id="getLiveness", summary="Whether the process answers"
        )
        self.open_router.add_api_route(
            "/readyz",
            self.readyz,
            response_model=Readiness,
            responses={503: {"model": Readiness, "description": "not ready"}},
            operation_id="getReadiness",
            summary="Whether the server is there and takes writes, and the pipeline moves on",
        )
        self.router = APIRouter(tags=["health"])
        self.router.add_api_route(
            "/pipeline", self.pipeline, operation_id="getPipeline", summary="Streams, workers and producers"
        )
        self.router.add_api_route(
            "/pipeline/summary",
            self.summary,
            operation_id="getPipelineSummary",
            summary="Whether figures are whole, how far behind, and who is at work",
        )

    def index(self) -> Index:
        return Index(name="barograph", version=metadata.version("barograph"), links=_LINKS)

    async def livez(self) -> Live:
        # Not in a thread: requests that wait for the server may have taken all of them.
        return Live()

    def readyz(self) -> Response:
        problems = self._ports.health.problems()
        answer = Readiness(
            status="not_ready" if problems else "ready", reasons=[_reason(problem) for problem in problems]
        )
        headers = {"Retry-After": str(RETRY_AFTER_S)} if problems else {}
        return JSONResponse(answer.model_dump(), status_code=503 if problems else 200, headers=headers)

    def pipeline(self) -> Pipeline:
        return pipeline_view(self._ports.pipeline.read())

    def summary(self) -> PipelineSummary:
        return pipeline_summary(self._ports.pipeline.read(), now_ms=self._clock.now_ms())


def _reason(problem: ReadinessProblem) -> Reason:
    return Reason(kind=problem.kind, reason=problem.reason, message=explain(problem.reason))
