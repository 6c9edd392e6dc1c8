"""Routes about the console and the pipeline: ``/livez``, ``/readyz``, ``/pipeline`` and the index."""

from importlib import metadata
from typing import Final, Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from barograph_console.models import Index
from barograph_console.pipeline_view import Pipeline, pipeline_view
from barograph_console.ports import Complaint, Ports
from barograph_console.problems import RETRY_AFTER_S, explain

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


class Live(BaseModel):
    status: Literal["alive"] = "alive"


class Reason(BaseModel):
    """Why the console is not ready: ``gone``, ``refuses`` or ``no_library``."""

    kind: str
    reason: str
    message: str


class Readiness(BaseModel):
    status: Literal["ready", "not_ready"]
    reasons: list[Reason]


class HealthRoutes:
    """Says whether the process lives, whether it can do its work, and how the pipeline is."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self.open_router = APIRouter(tags=["health"])
        self.open_router.add_api_route("/livez", self.livez, summary="Whether the process answers")
        self.open_router.add_api_route(
            "/readyz",
            self.readyz,
            response_model=Readiness,
            responses={503: {"model": Readiness}},
            summary="Whether the server is there, takes writes and has the function library",
        )
        self.index_router = APIRouter(tags=["health"])
        self.index_router.add_api_route("/", self.index, summary="What there is")
        self.router = APIRouter(tags=["health"])
        self.router.add_api_route("/pipeline", self.pipeline, summary="Streams, workers and producers")

    def index(self) -> Index:
        return Index(name="barograph", version=metadata.version("barograph"), links=_LINKS)

    def livez(self) -> Live:
        return Live()

    def readyz(self) -> Response:
        complaints = self._ports.health.complaints()
        answer = Readiness(
            status="not_ready" if complaints else "ready", reasons=[_reason(complaint) for complaint in complaints]
        )
        headers = {"Retry-After": str(RETRY_AFTER_S)} if complaints else {}
        return JSONResponse(answer.model_dump(), status_code=503 if complaints else 200, headers=headers)

    def pipeline(self) -> Pipeline:
        return pipeline_view(self._ports.pipeline.read())


def _reason(complaint: Complaint) -> Reason:
    return Reason(kind=complaint.kind, reason=complaint.reason, message=explain(complaint.reason))
