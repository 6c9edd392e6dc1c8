"""Reads the body of a request as events, each with its place or with what is wrong with it. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

from barograph_console.ingest.cloudevents import SPEC_HEADER, envelope_in, is_cloud_event, read_cloud_event
from barograph_console.ingest.row_error import RowError
from barograph_console.ingest.rows import Defaults, read_row
from barograph_console.serving.problems import ApiError, ErrorDetail
from barograph_console.store.ingest.event_log import MOST_EVENTS, Event
from barograph_core.text.foreign_json import load_foreign_json

JSON: Final = "application/json"
CLOUD_EVENT: Final = "application/cloudevents+json"
CLOUD_EVENTS: Final = "application/cloudevents-batch+json"
LINES: Final = "application/x-ndjson"
# How each media type is read; several names are in use for lines of JSON.
MEDIA_TYPES: Final = {
    JSON: JSON,
    LINES: LINES,
    CLOUD_EVENT: CLOUD_EVENT,
    CLOUD_EVENTS: CLOUD_EVENTS,
    "application/ndjson": LINES,
    "application/jsonl": LINES,
    "application/x-jsonlines": LINES,
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event stands in a request.

    Attributes:
        index: Its position among the events, from 0.
        line: Its line in the body, from 1; ``None`` where events do not stand on lines.
    """

    index: int
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """An event of a request, or what is wrong with it."""

    place: Place
    event: Event | RowError


@dataclass(frozen=True, slots=True)
class Reading:
    """How the events of a request are read.

    Attributes:
        now_ms: The time of arrival.
        service: Of events that name none; empty where each must.
    """

    now_ms: int
    service: str

    def event_of(self, document: object, *, is_cloud: bool) -> Event | RowError:
        """Return the event of a JSON document, or what is wrong with it."""
        try:
            if not is_cloud and not is_cloud_event(document):
                return read_row(document, Defaults(self.now_ms, self.service))
            if not isinstance(document, Mapping):
                raise RowError("", "is no JSON object with the attributes of a CloudEvent")
            envelope = cast("Mapping[str, object]", document)
            return read_cloud_event(envelope, now_ms=self.now_ms, service=self.service)
        except RowError as error:
            return error


def read_body(body: bytes, media_type: str, headers: Mapping[str, str], reading: Reading) -> list[Read]:
    """Return the events of a request.

    Args:
        body: Unpacked.
        media_type: One of ``MEDIA_TYPES``.
        headers: Of the request, names in lower case.
        reading: How they are read.

    Raises:
        ApiError: 422 where the body as a whole cannot be read, 413 for too many events.
    """
    form = MEDIA_TYPES[media_type]
    if form == LINES:
        return list(_lines(body, reading))
    document = _document(body)
    if SPEC_HEADER in headers and form == JSON:
        documents: list[object] = [{**envelope_in(headers), "data": document}]
    else:
        is_list = isinstance(document, list)
        if is_list is (form == CLOUD_EVENT) and form != JSON:
            what = "one CloudEvent, a JSON object" if form == CLOUD_EVENT else "an array of CloudEvents"
            raise _unreadable(f"is not {what}, as its Content-Type says")
        documents = cast("list[object]", document) if is_list else [document]
    _check_count(len(documents))
    is_cloud = form in (CLOUD_EVENT, CLOUD_EVENTS)
    return [Read(Place(index), reading.event_of(one, is_cloud=is_cloud)) for index, one in enumerate(documents)]


def _lines(body: bytes, reading: Reading) -> Iterator[Read]:
    index = 0
    for number, line in enumerate(body.split(b"\n"), start=1):
        if not line.strip():
            continue
        _check_count(index + 1)
        try:
            event: Event | RowError = reading.event_of(load_foreign_json(line), is_cloud=False)
        except ValueError as error:
            event = RowError("", f"is no JSON document: {_reason(error)}")
        yield Read(Place(index, number), event)
        index += 1


def _document(body: bytes) -> object:
    try:
        return cast("object", load_foreign_json(body))
    except ValueError as error:
        raise _unreadable(f"is no JSON document: {_reason(error)}") from error


def _reason(error: ValueError) -> str:
    """Return where and why a text is no JSON."""
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}, column {error.colno}: {error.msg}"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    return str(error)[:200]


def _check_count(count: int) -> None:
    if count > MOST_EVENTS:
        raise ApiError(413, "too_many_events", f"a request may have {MOST_EVENTS:,} events: send several")


def _unreadable(message: str) -> ApiError:
    return ApiError(422, "unreadable_body", f"body: {message}", errors=[ErrorDetail(where="body", message=message)])
