"""The routes of OTLP/HTTP: ``/v1/traces``, and why the others are none."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from barograph_console.access.identity import ANONYMOUS, SENDERS, RouteRule, identity_of
from barograph_console.ingest.otlp import protobuf_form
from barograph_console.ingest.otlp.answers import JSON, PROTOBUF, failure, success
from barograph_console.ingest.otlp.json_form import UnreadableExportError, read_json
from barograph_console.ingest.otlp.span import Span, events_of
from barograph_console.ingest.row_error import RowError
from barograph_console.ingest.unpacking import media_type_of, unpack_body
from barograph_console.serving.problems import RETRY_AFTER_S, ApiError, explain
from barograph_console.serving.ready import WorkLimit
from barograph_console.store.ingest.event_log import AHEAD_MS, MOST_EVENTS, MOST_SERVICES, Event, EventLog, Writing
from barograph_core.errors import BarographError, StreamUnavailableError
from barograph_core.text.durations import format_duration

_PREFIX: Final = "/v1"
# A collector sends 8,192 spans at once unless it is told otherwise.
_BODY_BYTES: Final = 4 * 1_048_576
# What is read takes up to 32 times as much memory, and in JSON up to 64 times.
_UNPACKED_BYTES: Final = {PROTOBUF: 8 * 1_048_576, JSON: 4 * 1_048_576}
OTLP_RULES: Final = (RouteRule(path=f"{_PREFIX}/", roles=SENDERS, max_body_bytes=_BODY_BYTES),)
_MISSING: Final = "protobuf needs the extra: pip install 'barograph[otlp]' beside the console; or send application/json"
_METRICS: Final = (
    "metrics are not taken: a histogram with other buckets keeps neither our exact counts nor our percentiles. "
    "Send traces, of which requests are counted, or events to /api/v1/ingest"
)
_LOGS: Final = "logs are not taken: barograph keeps figures, not lines. Send traces, or events to /api/v1/ingest"
_MOST_REASONS: Final = 3


class OtlpRoutes:
    """Takes spans."""

    def __init__(self, log: EventLog, limit: WorkLimit) -> None:
        self._log = log
        self._limit = limit
        # OpenTelemetry's project describes this interface; our description holds our own.
        self.router = APIRouter(prefix=_PREFIX, include_in_schema=False)
        for path, route in (("/traces", self.traces), ("/metrics", self.metrics), ("/logs", self.logs)):
            self.router.add_api_route(path, route, methods=["POST"], response_model=None)

    def metrics(self) -> Response:
        raise ApiError(501, "metrics_not_taken", _METRICS)

    def logs(self) -> Response:
        raise ApiError(501, "logs_not_taken", _LOGS)

    async def traces(self, request: Request) -> Response:
        body = await request.body()
        return await run_in_threadpool(self._traces, request, body)

    def _traces(self, request: Request, body: bytes) -> Response:
        media_type = media_type_of(request.headers, {PROTOBUF: read_json, JSON: read_json})
        try:
            if media_type == PROTOBUF and not protobuf_form.is_installed():
                raise ApiError(501, "extra_missing", _MISSING)
            sender = (identity_of(request) or ANONYMOUS).name or "anonymous"
            with self._limit:
                unpacked = unpack_body(body, request.headers, _UNPACKED_BYTES[media_type])
                read = protobuf_form.read_protobuf if media_type == PROTOBUF else read_json
                refused = self._take(read(unpacked), Writing(f"otlp:{sender}"))
            return success(media_type, refused.total(), _message(refused))
        except UnreadableExportError as error:
            return failure(media_type, 400, str(error), {})
        except ApiError as error:
            return failure(media_type, error.status, error.message, error.headers)
        except BarographError as error:
            reason = error.reason if isinstance(error, StreamUnavailableError) else "store_error"
            return failure(media_type, 503, explain(reason), {"Retry-After": str(RETRY_AFTER_S)})

    def _take(self, spans: Iterator[Span], writing: Writing) -> Counter[str]:
        """Append the events of spans; return how many spans are refused, by reason.

        In several calls where there are many: each event has an identity, so that a repetition does no harm.
        """
        refused = Counter[str]()
        waiting: list[Event] = []
        for span in spans:
            try:
                waiting += events_of(span)
            except RowError as error:
                refused[f"{error.where} {error}"] += 1
            if len(waiting) >= MOST_EVENTS:
                refused += self._append(waiting[:MOST_EVENTS], writing)
                waiting = waiting[MOST_EVENTS:]
        return refused + self._append(waiting, writing)

    def _append(self, events: list[Event], writing: Writing) -> Counter[str]:
        unique = list({event.digest: event for event in events}.values())
        services = sorted({event.service for event in unique})
        refused = Counter[str]()
        for first in range(0, len(services), MOST_SERVICES):
            some = set(services[first : first + MOST_SERVICES])
            receipt = self._log.append([event for event in unique if event.service in some], writing)
            refused[f"spans ended more than {format_duration(receipt.lateness_ms)} ago"] += receipt.late_count
            refused[f"spans end more than {format_duration(AHEAD_MS)} ahead of the server's clock"] += (
                receipt.early_count
            )
        return +refused


def _message(refused: Counter[str]) -> str:
    reasons = [f"{count} × {reason}" for reason, count in refused.most_common(_MOST_REASONS)]
    more = len(refused) - len(reasons)
    return "; ".join(reasons) + (f"; and {more} more reasons" if more > 0 else "")
