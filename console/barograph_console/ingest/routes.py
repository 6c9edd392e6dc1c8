"""The route ``/ingest``: events of programs that have no producer."""

import hashlib
from collections.abc import Callable
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool

from barograph_console.access.identity import ANONYMOUS, SENDERS, RouteRule, identity_of
from barograph_console.alerts.actions import Key
from barograph_console.ingest.bodies import JSON, MEDIA_TYPES, Reading
from barograph_console.ingest.cloudevents import SPEC_HEADER, envelope_in
from barograph_console.ingest.models import REQUEST_BODY, Ingested
from barograph_console.ingest.receiving import receive
from barograph_console.ingest.row_error import RowError
from barograph_console.ingest.rows import check_service
from barograph_console.ingest.unpacking import MAX_BODY_BYTES, media_type_of, unpack_body
from barograph_console.serving.problems import ApiError, Problem, wrong
from barograph_console.serving.ready import WorkLimit
from barograph_console.store.ingest.event_log import EventLog, Writing
from barograph_core.alerts.actions import KeyReusedError, Once
from barograph_core.clock import Clock

_PATH: Final = "/ingest"


def ingest_rules(api: str) -> list[RouteRule]:
    """Return who may call the route, and how much they may send."""
    return [RouteRule(path=f"{api}{_PATH}", roles=SENDERS, max_body_bytes=MAX_BODY_BYTES)]


class IngestRoutes:
    """Takes events over HTTP."""

    def __init__(self, log: EventLog, clock: Clock, limit: WorkLimit, may_send: Callable[..., None]) -> None:
        self._log = log
        self._clock = clock
        self._limit = limit
        self.router = APIRouter(tags=["ingest"])
        self.router.add_api_route(
            _PATH,
            self.ingest,
            methods=["POST"],
            dependencies=[Depends(may_send)],
            operation_id="sendEvents",
            summary="Send events, as JSON or as CloudEvents",
            openapi_extra={"requestBody": REQUEST_BODY},
            responses={
                409: {"model": Problem, "description": "the key stands for another request"},
                413: {"model": Problem, "description": "the body is too large, or has too many events"},
                415: {"model": Problem, "description": "a media type or a compression that is not taken"},
            },
        )

    async def ingest(
        self,
        request: Request,
        service: Annotated[str, Query(max_length=64, description="of events that name none")] = "",
        strict: Annotated[bool, Query(description="all, or nothing where one event is not taken")] = False,
        idempotency_key: Key = "",
    ) -> Ingested:
        body = await request.body()
        return await run_in_threadpool(self._take, request, body, service, strict, idempotency_key)

    def _take(self, request: Request, body: bytes, service: str, is_strict: bool, key: str) -> Ingested:
        headers = request.headers
        # Data in binary mode is JSON unless it says otherwise.
        is_plain = SPEC_HEADER in headers and "content-type" not in headers
        media_type = JSON if is_plain else media_type_of(headers, MEDIA_TYPES)
        try:
            default = check_service(service) if service else ""
        except RowError as error:
            raise wrong("query.service", str(error)) from error
        identity = identity_of(request) or ANONYMOUS
        with self._limit:
            unpacked = unpack_body(body, headers)
            once = None
            if key:
                asked = [media_type, default, is_strict, envelope_in(headers), hashlib.sha256(unpacked).hexdigest()]
                once = Once.of(f"ingest {identity.token_id}", key, asked)
            writing = Writing(identity.name or "anonymous", once, is_strict)
            reading = Reading(self._clock.now_ms(), default)
            try:
                return receive(self._log, unpacked, media_type, headers, reading, writing)
            except KeyReusedError as error:
                raise ApiError(409, "key_reused", str(error)) from error
