"""Reads the JSON form of an export of spans. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final, cast

from barograph_console.ingest.otlp.span import WANTED, Span
from barograph_core.text.foreign_json import load_foreign_json

_KINDS: Final = {
    "SPAN_KIND_INTERNAL": 1,
    "SPAN_KIND_SERVER": 2,
    "SPAN_KIND_CLIENT": 3,
    "SPAN_KIND_PRODUCER": 4,
    "SPAN_KIND_CONSUMER": 5,
}
_STATUS_CODES: Final = {"STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}
_MOST_DIGITS: Final = 20


class UnreadableExportError(ValueError):
    """The body is no export of spans; the text says where it is not."""


def read_json(body: bytes) -> Iterator[Span]:
    """Yield the spans of an export.

    Raises:
        UnreadableExportError: It is none.
    """
    try:
        document: object = load_foreign_json(body)
    except ValueError as error:
        raise UnreadableExportError(f"the body is no JSON document: {error}") from error
    if not isinstance(document, Mapping):
        raise UnreadableExportError("the body is no JSON object with resourceSpans")
    for of_resource in _objects(cast("Mapping[str, object]", document), "resourceSpans"):
        resource = _attributes(_object(of_resource, "resource"))
        for scope in _objects(of_resource, "scopeSpans"):
            for span in _objects(scope, "spans"):
                yield _span(span, resource)


def _span(span: Mapping[str, object], resource: Mapping[str, object]) -> Span:
    return Span(
        trace_id=_id(span.get("traceId"), "traceId"),
        span_id=_id(span.get("spanId"), "spanId"),
        name=_text(span.get("name")),
        kind=_code(span.get("kind"), _KINDS),
        start_ns=_whole(span.get("startTimeUnixNano"), "startTimeUnixNano"),
        end_ns=_whole(span.get("endTimeUnixNano"), "endTimeUnixNano"),
        status=_code(_object(span, "status").get("code"), _STATUS_CODES),
        trace_state=_text(span.get("traceState")),
        attributes=_attributes(span),
        resource=resource,
    )


def _attributes(holder: Mapping[str, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for pair in _objects(holder, "attributes"):
        name = pair.get("key")
        if not isinstance(name, str) or name not in WANTED:
            continue
        value = _object(pair, "value")
        if "stringValue" in value:
            found[name] = _text(value["stringValue"])
        elif "intValue" in value:
            found[name] = _whole(value["intValue"], f"attributes.{name}")
    return found


def _objects(holder: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    value = holder.get(name)
    if value is None:
        return []
    items = cast("list[object]", value) if isinstance(value, list) else [None]
    if not all(isinstance(item, Mapping) for item in items):
        raise UnreadableExportError(f"{name} is no array of objects")
    return cast("list[Mapping[str, object]]", items)


def _object(holder: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = holder.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise UnreadableExportError(f"{name} is no object")
    return cast("Mapping[str, object]", value)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _id(value: object, name: str) -> bytes:
    """Return the bytes of an id, which OTLP writes in hex, unlike other JSON of protobuf."""
    try:
        return bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError as error:
        raise UnreadableExportError(f"{name} is not written in hex digits") from error


def _whole(value: object, name: str) -> int:
    """Return a 64-bit number, which may be written as text."""
    if value is None:
        return 0
    if isinstance(value, str) and len(value) <= _MOST_DIGITS and value.removeprefix("-").isascii():
        digits = value.removeprefix("-")
        if digits.isdigit():
            return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 64:
        return value
    raise UnreadableExportError(f"{name} is no whole number")


def _code(value: object, names: Mapping[str, int]) -> int:
    if isinstance(value, str):
        return names.get(value, 0)
    return value if isinstance(value, int) else 0
