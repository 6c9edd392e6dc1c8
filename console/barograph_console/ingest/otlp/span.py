"""A span, as both encodings of OTLP give it, and the events that it means. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from barograph_console.ingest.cloudevents import digest_of
from barograph_console.ingest.row_error import RowError
from barograph_console.ingest.rows import check_service
from barograph_console.store.ingest.event_log import Event
from barograph_core.events.kinds import ERROR_STATUS, KINDS, MAX_LABEL_BYTES, MAX_WEIGHT, Kind
from barograph_core.text.timestamps import LATEST_MS

Attributes = Mapping[str, object]

SERVER: Final = 2
FAILED: Final = 2
# As the middleware calls requests that no route answered.
UNMATCHED: Final = "__unmatched__"
_REQUEST: Final = KINDS["request"]
_MODEL: Final = KINDS["model"]
_NS_PER_MS: Final = 1_000_000
_BAD_NAME: Final = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME: Final = 64
# Operations of agents hold the model's own operations, which come as spans of their own.
_WITHOUT_MODEL: Final = frozenset({"create_agent", "invoke_agent", "invoke_workflow", "execute_tool"})
_METHODS: Final = ("http.request.method", "http.method")
_STATUSES: Final = ("http.response.status_code", "http.status_code")
_RPC: Final = ("rpc.system", "rpc.system.name")
_THRESHOLD: Final = re.compile(r"(?:^|;)th:([0-9a-f]{1,14})(?:;|$)")
_OTEL: Final = re.compile(r"(?:^|,)\s*ot=([^,]*)")
# Attributes that are looked at; the readers skip the others.
WANTED: Final = frozenset(
    (
        *_METHODS,
        *_STATUSES,
        *_RPC,
        "http.route",
        "rpc.service",
        "rpc.method",
        "error.type",
        "gen_ai.operation.name",
        "gen_ai.request.model",
        "gen_ai.response.model",
        "service.name",
        "service.version",
    )
)


@dataclass(frozen=True, slots=True)
class Span:
    """A finished operation.

    Attributes:
        trace_id: 16 bytes; with ``span_id``, 8 bytes, what makes it the same when it is sent again.
        kind: As OTLP numbers them; 2 is a server's.
        start_ns: Its begin, ns since the epoch.
        status: As OTLP numbers them; 2 is an error.
        trace_state: As W3C writes it; it may tell at which rate traces are sampled.
        attributes: Those of ``WANTED`` that it has.
        resource: Likewise those of what made it.
    """

    trace_id: bytes
    span_id: bytes
    name: str
    kind: int
    start_ns: int
    end_ns: int
    status: int
    trace_state: str
    attributes: Attributes
    resource: Attributes


def events_of(span: Span) -> Iterator[Event]:
    """Yield the events that a span means: none, for most spans within a service.

    Raises:
        RowError: It is a request or a prediction, but not one that can be counted.
    """
    is_model = _is_model(span.attributes)
    if span.kind != SERVER and not is_model:
        return
    if not any(span.trace_id) or not any(span.span_id):
        raise RowError("spanId", "is missing, or nothing but zeros")
    if not 0 < span.start_ns <= span.end_ns <= LATEST_MS * _NS_PER_MS:
        raise RowError("endTimeUnixNano", f"is {span.end_ns}, and the start {span.start_ns}: no span of time")
    if span.kind == SERVER:
        labels, values = _request_labels(span), (_duration_ms(span),)
        yield _event(span, _REQUEST, labels, values)
    if is_model:
        is_failed = float(span.status == FAILED or bool(span.attributes.get("error.type")))
        yield _event(span, _MODEL, _model_labels(span.attributes), (_duration_ms(span), None, None, None, is_failed))


def _event(span: Span, kind: Kind, labels: tuple[str | int, ...], values: tuple[float | None, ...]) -> Event:
    return Event(
        kind=kind,
        service=_service(span.resource),
        at_ms=span.end_ns // _NS_PER_MS,
        labels=labels,
        values=values,
        weight=weight_of(span.trace_state),
        digest=digest_of("span", kind.name, span.trace_id.hex(), span.span_id.hex()),
    )


def _service(resource: Attributes) -> str:
    """Return the name of the service, characters that names here do not have replaced: ``unknown_service-node``."""
    name = _text(resource, "service.name")
    if not name:
        raise RowError("resource.service.name", "is missing: set OTEL_SERVICE_NAME, or the resource's service.name")
    return check_service(_BAD_NAME.sub("-", name)[:_LONGEST_NAME])


def _request_labels(span: Span) -> tuple[str | int, ...]:
    attributes = span.attributes
    route, method = _route_and_method(span)
    status = next((code for name in _STATUSES if (code := _status(attributes.get(name))) is not None), None)
    is_error = span.status == FAILED
    if status is None:
        status = ERROR_STATUS if is_error else 200
    elif is_error and status < 400:
        # The answer had begun when it failed.
        status = ERROR_STATUS
    version = _text(span.resource, "service.version")
    free = ("version", _label(version)) if version else ()
    return (_label(route), _label(method), status, *free)


def _route_and_method(span: Span) -> tuple[str, str]:
    attributes = span.attributes
    methods = [method for name in _METHODS if (method := _text(attributes, name))]
    if methods:
        return _text(attributes, "http.route") or UNMATCHED, methods[0]
    if any(name in attributes for name in _RPC):
        parts = [text for name in ("rpc.service", "rpc.method") if (text := _text(attributes, name))]
        return "/".join(parts) or span.name or UNMATCHED, "RPC"
    return span.name or UNMATCHED, "SERVER"


def _text(attributes: Attributes, name: str) -> str:
    value = attributes.get(name)
    return value if isinstance(value, str) else ""


def _is_model(attributes: Attributes) -> bool:
    if attributes.get("gen_ai.operation.name") in _WITHOUT_MODEL:
        return False
    return any(_text(attributes, f"gen_ai.{name}.model") for name in ("request", "response"))


def _model_labels(attributes: Attributes) -> tuple[str, ...]:
    """Return the model that was asked for, and as its version the one that answered."""
    names = [model for name in ("request", "response") if (model := _text(attributes, f"gen_ai.{name}.model"))]
    return _label(names[0]), _label(names[-1])


def _status(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 3:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 999 else None


def _duration_ms(span: Span) -> float:
    return (span.end_ns - span.start_ns) / _NS_PER_MS


def _label(text: str) -> str:
    """Return ``text`` within the bound of a label: no one can change a span that is over."""
    raw = text.encode(errors="replace")
    return raw[:MAX_LABEL_BYTES].decode(errors="ignore")


def weight_of(trace_state: str) -> int:
    """Return how many requests a sampled span stands for; 1 where nothing tells a rate.

    OpenTelemetry writes the rate as the threshold of its consistent sampling, ``ot=th:8``: of the 2^56 random values
    those below it are dropped, so each that is kept stands for 2^56 / (2^56 - threshold).
    """
    member = _OTEL.search(trace_state)
    threshold = _THRESHOLD.search(member[1]) if member else None
    if threshold is None:
        return 1
    dropped = int(threshold[1].ljust(14, "0"), 16)
    return min(MAX_WEIGHT, max(1, round((1 << 56) / ((1 << 56) - dropped))))
