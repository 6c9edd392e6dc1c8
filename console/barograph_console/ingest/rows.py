"""Reads a JSON object as an event, and checks every part of it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from barograph_console.ingest.row_error import RowError, shown
from barograph_console.serving.problems import did_you_mean, suggestions_for
from barograph_console.store.ingest.event_log import Event
from barograph_core.events.encode import LabelSet
from barograph_core.events.kinds import (
    KINDS,
    MAX_FREE_LABELS,
    MAX_LABEL_BYTES,
    MAX_WEIGHT,
    Kind,
    Measure,
    is_service_name,
)
from barograph_core.keyspace.keys import is_own_service
from barograph_core.text.timestamps import LATEST_MS, iso_ms

Row = Mapping[str, object]
_MAX_STATUS: Final = 999
_TIMES: Final = ("at_ms", "time_ms", "time")
_SCOPES: Final = ("process", "host")
_FIELDS: Final = {
    kind.name: frozenset(
        (
            "kind",
            "service",
            "labels",
            "weight",
            *_TIMES,
            *kind.labels,
            *kind.measure_names,
            *(("status",) if kind.has_status else ()),
        )
    )
    for kind in KINDS.values()
}


@dataclass(frozen=True, slots=True)
class Defaults:
    """What stands for parts that a row does not name.

    Attributes:
        now_ms: The time of arrival.
        service: Empty where every row must name its own.
        kind: Likewise.
        at_ms: The time of the envelope around the row; ``None`` where there is none.
        digest: What makes the event the same when it is sent again.
    """

    now_ms: int
    service: str = ""
    kind: str = ""
    at_ms: int | None = None
    digest: bytes = b""


def read_row(row: object, defaults: Defaults) -> Event:
    """Return the event that a row describes.

    Raises:
        RowError: It describes none; the error names the part that is wrong, and what it must be.
    """
    if not isinstance(row, Mapping):
        raise RowError("", f"is {shown(row)}, not a JSON object with kind, service and the kind's own fields")
    fields = cast("Row", row)
    kind = _kind(fields.get("kind", defaults.kind), defaults.kind)
    _check_names(fields, kind)
    return Event(
        kind=kind,
        service=_service(fields.get("service") or defaults.service),
        at_ms=_at_ms(fields, defaults),
        labels=_labels(fields, kind),
        values=tuple(_value(fields.get(measure.name), measure) for measure in kind.measures),
        weight=_whole(fields["weight"], "weight", 1, MAX_WEIGHT) if fields.get("weight") is not None else 1,
        digest=defaults.digest,
    )


def check_service(service: object) -> str:
    """Return ``service`` if events may be sent for it.

    Raises:
        RowError: They may not.
    """
    return _service(service)


def _kind(value: object, expected: str) -> Kind:
    kind = KINDS.get(value) if isinstance(value, str) else None
    if kind is None:
        raise RowError("kind", f"is {shown(value) if value else 'missing'}; it is one of {', '.join(KINDS)}")
    if expected and kind.name != expected:
        raise RowError("kind", f"is {kind.name!r}, but the type of the envelope says {expected!r}")
    return kind


def _check_names(fields: Row, kind: Kind) -> None:
    known = _FIELDS[kind.name]
    for name in fields:
        if name not in known:
            what = did_you_mean(suggestions_for(name, known))
            free = "; free labels stand in labels" if kind.has_free_labels and not what else ""
            raise RowError(name[:60], f"is no field of a {kind.name} event{what}{free}")


def _service(value: object) -> str:
    if not value:
        raise RowError("service", "is missing: name the service, here or with ?service=")
    if not isinstance(value, str) or not is_service_name(value):
        raise RowError("service", f"is {shown(value)}, not 1 to 64 of A-Z a-z 0-9 . _ -")
    if is_own_service(value):
        raise RowError("service", f"is {value!r}, under which the pipeline reports on itself; take another name")
    return value


def _at_ms(fields: Row, defaults: Defaults) -> int:
    given = [name for name in _TIMES if fields.get(name) is not None]
    if not given:
        return defaults.now_ms if defaults.at_ms is None else defaults.at_ms
    if len(given) > 1:
        raise RowError(given[1], f"stands beside {given[0]}: leave one of them out")
    (name,) = given
    if name == "time":
        return parse_time(fields[name], name)
    at_ms = _whole(fields[name], name, 0, LATEST_MS)
    if at_ms < 10**11:
        # As seconds it would lie in the years up to 5138; as milliseconds before March 1973.
        raise RowError(name, f"is {at_ms}: milliseconds since the epoch have 13 digits; were these seconds?")
    return at_ms


def parse_time(value: object, where: str) -> int:
    """Return a time as RFC 3339 writes it, in ms since the epoch.

    Raises:
        RowError: It is none.
    """
    try:
        at_ms = iso_ms(value) if isinstance(value, str) and "T" in value and len(value) <= 40 else -1
    except ValueError:
        at_ms = -1
    if not 0 <= at_ms <= LATEST_MS:
        raise RowError(where, f"is {shown(value)}, not a time such as 2026-11-30T12:00:00.250Z")
    return at_ms


def _labels(fields: Row, kind: Kind) -> LabelSet:
    free = _free_labels(fields.get("labels"))
    own = tuple(_own_label(name, fields.get(name), free.pop(name, None)) for name in kind.labels)
    if kind.name == "system" and own[1] not in _SCOPES:
        raise RowError("scope", f"is {shown(own[1])}; it is process or host")
    if free and not kind.has_free_labels:
        raise RowError(f"labels.{next(iter(free))}"[:80], f"a {kind.name} event has no labels but its own")
    if len(free) > MAX_FREE_LABELS:
        raise RowError("labels", f"has {len(free)} labels; there may be {MAX_FREE_LABELS} beside the kind's own")
    status = (_whole(fields.get("status"), "status", 0, _MAX_STATUS),) if kind.has_status else ()
    return (*own, *status, *(text for pair in sorted(free.items()) for text in pair))


def _free_labels(value: object) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise RowError("labels", f"is {shown(value)}, not an object of names and texts")
    found: dict[str, str] = {}
    for name, text in cast("Row", value).items():
        where = f"labels.{name}"[:80]
        if not name:
            raise RowError("labels", "has a label without a name")
        found[_label(name, where)] = _label(text, where)
    return found


def _own_label(name: str, value: object, among: str | None) -> str:
    if value is not None and among is not None:
        raise RowError(f"labels.{name}", f"stands beside {name}: leave one of them out")
    if value is None and among is None:
        raise RowError(name, "is missing")
    return among if among is not None else _label(value, name)


def _label(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise RowError(where, f"is {shown(value)}, not text")
    if len(value) * 4 > MAX_LABEL_BYTES and len(value.encode(errors="replace")) > MAX_LABEL_BYTES:
        raise RowError(where, f"is longer than {MAX_LABEL_BYTES} bytes")
    return value


def _value(value: object, measure: Measure) -> float | None:
    if value is None:
        if measure.is_required:
            raise RowError(measure.name, "is missing")
        return None
    is_number = isinstance(value, int | float) and (measure.is_flag or not isinstance(value, bool))
    # A whole number of a thousand digits would overflow where it becomes a float.
    number = cast("float", value)
    if not is_number or abs(number) > measure.maximum or not measure.accepts(number):
        least = f"{-measure.maximum:g}" if measure.is_signed else "0"
        raise RowError(measure.name, f"is {shown(value)}; it must be a number in {least}..{measure.maximum:g}")
    return float(number)


def _whole(value: object, where: str, least: int, most: int) -> int:
    if value is None:
        raise RowError(where, "is missing")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise RowError(where, f"is {shown(value)}; it must be a whole number in {least}..{most}")
    return value
