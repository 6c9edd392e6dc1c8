"""Reads the protobuf form of an export of spans, and writes the answer in it. Needs the extra ``otlp``."""

import importlib.util
from collections.abc import Iterable, Iterator
from typing import Any, Final

from barograph_console.ingest.otlp.json_form import UnreadableExportError
from barograph_console.ingest.otlp.span import WANTED, Span

_MESSAGES: Final = "opentelemetry.proto.collector.trace.v1.trace_service_pb2"


def is_installed() -> bool:
    """Say whether the extra is there."""
    try:
        return importlib.util.find_spec(_MESSAGES) is not None
    except ModuleNotFoundError:
        return False


def read_protobuf(body: bytes) -> Iterator[Span]:
    """Yield the spans of an export.

    Raises:
        UnreadableExportError: It is none.
    """
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    try:
        export = ExportTraceServiceRequest.FromString(body)
    except DecodeError as error:
        raise UnreadableExportError("the body is no ExportTraceServiceRequest") from error
    for of_resource in export.resource_spans:
        resource = _attributes(of_resource.resource.attributes)
        for scope in of_resource.scope_spans:
            for span in scope.spans:
                yield Span(
                    trace_id=span.trace_id,
                    span_id=span.span_id,
                    name=span.name,
                    kind=span.kind,
                    start_ns=span.start_time_unix_nano,
                    end_ns=span.end_time_unix_nano,
                    status=span.status.code,
                    trace_state=span.trace_state,
                    attributes=_attributes(span.attributes),
                    resource=resource,
                )


def _attributes(pairs: Iterable[Any]) -> dict[str, object]:
    found: dict[str, object] = {}
    for pair in pairs:
        if pair.key in WANTED:
            form = pair.value.WhichOneof("value")
            if form in ("string_value", "int_value"):
                found[pair.key] = getattr(pair.value, form)
    return found


def answer_protobuf(rejected: int, message: str) -> bytes:
    """Return the answer to an export."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
        ExportTracePartialSuccess,
        ExportTraceServiceResponse,
    )

    answer = ExportTraceServiceResponse()
    if rejected:
        partial = ExportTracePartialSuccess(rejected_spans=rejected, error_message=message)
        answer = ExportTraceServiceResponse(partial_success=partial)
    packed: bytes = answer.SerializeToString()
    return packed
