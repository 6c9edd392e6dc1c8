"""The answer to events; from these classes FastAPI writes the OpenAPI document."""

from typing import Any, Final

from pydantic import BaseModel, Field

from barograph_core.events.kinds import KINDS, MAX_FREE_LABELS, MAX_WEIGHT, Measure


class EventError(BaseModel):
    """What is wrong with one event."""

    index: int = Field(description="position of the event in the request, from 0")
    line: int | None = Field(description="its line in the body, from 1, where each has its own")
    where: str = Field(description="the part that is wrong; empty for the whole event")
    message: str


class Ingested(BaseModel):
    """What became of the events. The five counts add up to the events that were sent."""

    accepted: int = Field(description="appended; of a request that is repeated, what the first one appended")
    duplicate: int = Field(description="sent before: nothing was done")
    rejected: int = Field(description="not an event, or not one that may be sent")
    late: int = Field(description="older than the allowed lateness; counted at the service")
    early: int = Field(description="too far ahead of the server's clock; counted at the service")
    errors: list[EventError] = Field(description="what is wrong with the first ten that were not taken")


def _number(measure: Measure) -> dict[str, Any]:
    least = -measure.maximum if measure.is_signed else 0
    return {"type": "number", "minimum": least, "maximum": measure.maximum}


def _event_schema() -> dict[str, Any]:
    """Return the schema of one event of any kind, made from the table of kinds."""
    forms: list[dict[str, Any]] = []
    text = {"type": "string", "maxLength": 256}
    common: dict[str, Any] = {
        "service": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
        "at_ms": {"type": "integer", "description": "ms since the epoch; without it the time of arrival"},
        "time": {"type": "string", "description": "in place of at_ms: RFC 3339, 2026-11-30T12:00:00.250Z"},
        "weight": {"type": "integer", "minimum": 1, "maximum": MAX_WEIGHT, "description": "events it stands for"},
    }
    for kind in KINDS.values():
        own = dict.fromkeys(kind.labels, text)
        if kind.has_status:
            own |= {"status": {"type": "integer", "minimum": 0, "maximum": 999}}
        measures = {measure.name: _number(measure) for measure in kind.measures}
        required = ["kind", "service", *own, *(measure.name for measure in kind.measures if measure.is_required)]
        properties = {"kind": {"const": kind.name}, **common, **own, **measures}
        if kind.has_free_labels:
            properties["labels"] = {
                "type": "object",
                "additionalProperties": text,
                "maxProperties": MAX_FREE_LABELS,
                "description": "further labels",
            }
        forms.append(
            {
                "title": f"{kind.name} event",
                "type": "object",
                "properties": properties,
                "required": required,
                "additionalProperties": False,
            }
        )
    return {"oneOf": forms}


_EVENT: Final = _event_schema()
_ENVELOPE: Final[dict[str, Any]] = {
    "title": "CloudEvent",
    "type": "object",
    "required": ["specversion", "id", "source", "type", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1, "maxLength": 1_024},
        "source": {"type": "string", "minLength": 1, "maxLength": 1_024},
        "type": {"enum": [f"barograph.{name}.v1" for name in KINDS]},
        "time": {"type": "string", "description": "RFC 3339"},
        "data": {"type": "object", "description": "an event; its kind is that of type"},
    },
}
# What a body may be, by its media type.
REQUEST_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "application/json": {"schema": {"oneOf": [_EVENT, {"type": "array", "items": _EVENT}]}},
        "application/x-ndjson": {"schema": {"type": "string", "description": "an event on each line"}},
        "application/cloudevents+json": {"schema": _ENVELOPE},
        "application/cloudevents-batch+json": {"schema": {"type": "array", "items": _ENVELOPE}},
    },
}
