"""The routes ``/markers``: what was done to a service and when, and how a build tells it."""

import uuid
from collections.abc import Callable
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from barograph_console.access.identity import READERS, SENDERS, RouteRule
from barograph_console.alerts.actions import Key, actor_of
from barograph_console.markers.reader import MarkerReader
from barograph_console.markers.rows import MarkerRow, Markers, told_row
from barograph_console.reading.panes import begin_reading
from barograph_console.serving.problems import ApiError, Problem, wrong
from barograph_console.store.ports import Ports
from barograph_console.store.services import closed_through
from barograph_core.alerts.actions import KeyReusedError
from barograph_core.clock import Clock
from barograph_core.markers.marker import MAX_ACTOR, MAX_KEY, MAX_TITLE, MAX_URL, Marker, MarkerError
from barograph_core.text.timestamps import parse_timestamp

_PATH: Final = "/markers"


def marker_rules(api: str) -> list[RouteRule]:
    """Return who may call these routes: a build needs no more than the role ``ingest``."""
    return [
        RouteRule(path=f"{api}{_PATH}", methods=frozenset({"POST"}), roles=SENDERS),
        RouteRule(path=f"{api}{_PATH}", roles=READERS),
    ]


class MarkerRequest(BaseModel):
    """What was done to a service. Sent again with the same key it is told once."""

    model_config = ConfigDict(extra="forbid")

    service: str = Field(max_length=64, description="the service that it was done to")
    kind: str = Field(default="deploy", max_length=32, description="what was done, one word: deploy, config, migration")
    title: str = Field(min_length=1, max_length=MAX_TITLE, description="of what, as people call it: api 2.15")
    at: str | int = Field(
        default="now", description="when it was done: now, ms since the epoch, ISO 8601, or -5m before now"
    )
    url: str = Field(default="", max_length=MAX_URL, description="where more of it stands: the build, the notes")
    key: str = Field(
        default="", max_length=MAX_KEY, description="the same at each attempt; without it Idempotency-Key is taken"
    )
    actor: str = Field(
        default="", max_length=MAX_ACTOR, description="who says so, where no token is set; else the token does"
    )


class MarkerRoutes:
    """Answers with markers, and takes new ones."""

    def __init__(self, ports: Ports, clock: Clock, may_send: Callable[..., None]) -> None:
        self._ports = ports
        self._clock = clock
        self._reader = MarkerReader(ports, clock)
        self.router = APIRouter(tags=["overview"])
        self.router.add_api_route(
            _PATH,
            self.markers,
            operation_id="getMarkers",
            summary="What was done to a service, and when each version of its models was first seen",
        )
        self.router.add_api_route(
            _PATH,
            self.add,
            methods=["POST"],
            dependencies=[Depends(may_send)],
            operation_id="addMarker",
            summary="Tell what was done to a service, such as a deploy",
            responses={
                409: {"model": Problem, "description": "the key stands for another marker"},
                413: {"model": Problem, "description": "the body is too large"},
            },
        )

    def markers(
        self,
        service: Annotated[str, Query(description="name of the service", max_length=64)],
        from_: Annotated[
            str, Query(alias="from", description="ms since the epoch, ISO 8601, 'now' or '-15m'")
        ] = "-90d",
        to: Annotated[str, Query(description="as from; excluded")] = "now",
    ) -> Markers:
        reading = begin_reading(self._ports.panes, service, closed_through(self._ports.panes, service), self._clock)
        try:
            from_ms, to_ms = parse_timestamp(from_, reading.now_ms), parse_timestamp(to, reading.now_ms)
        except ValueError as error:
            raise ApiError(422, "invalid_parameter", str(error)) from error
        # What was told just now may be a little ahead of this clock.
        to_ms = to_ms + 1 if to == "now" else to_ms
        return Markers(service, [one for one in self._reader.read(reading) if from_ms <= one.at_ms < to_ms])

    def add(self, request: Request, body: MarkerRequest, idempotency_key: Key = "") -> MarkerRow:
        actor, now_ms = actor_of(request, body.actor), self._clock.now_ms()
        closed_through(self._ports.panes, body.service)
        try:
            at_ms = parse_timestamp(str(body.at), now_ms)
        except ValueError as error:
            raise wrong("body.at", str(error)) from error
        marker = Marker(
            key=body.key or idempotency_key or uuid.uuid4().hex,
            service=body.service,
            at_ms=at_ms,
            kind=body.kind,
            title=body.title,
            url=body.url,
            actor=actor,
        )
        try:
            marker.check(now_ms)
            return told_row(self._ports.markers.add(marker))
        except MarkerError as error:
            raise wrong(f"body.{error.where}", str(error)) from error
        except KeyReusedError as error:
            raise ApiError(409, "key_reused", str(error)) from error
