"""Reads a row of a file as an event, and checks everything: a bad row gets one reason."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, cast

from barograph_cli.history.rows.event_row import FIELDS, MEASURES, EventRow
from barograph_cli.history.rows.moments import moment_ms
from barograph_core.decode.header import MAX_INSTANCE_BYTES
from barograph_core.decode.labels import MAX_STATUS
from barograph_core.events.kinds import KINDS, MAX_FREE_LABELS, MAX_LABEL_BYTES, MAX_WEIGHT, Kind, is_service_name
from barograph_core.server.replies import EntryId
from barograph_core.text.timestamps import LATEST_MS

Document = Mapping[str, object]

KNOWN: Final = frozenset((*FIELDS, "time", *MEASURES))
_FOREIGN: Final = {kind.name: frozenset(MEASURES).difference(kind.measure_names) for kind in KINDS.values()}
_ENTRY_ID: Final = re.compile(r"(\d{1,16})-(\d{1,19})\Z", re.ASCII)
_LATEST_SEQ: Final = 2**63 - 2
_SHOWN: Final = 60


class BadRowError(ValueError):
    """A row is not an event. The reader of the file catches it, counts it and names its line."""


@dataclass(frozen=True, slots=True)
class RowDefaults:
    """Values for rows that lack them.

    Attributes:
        service: ``None`` if every row must name its own.
        instance: Used as the producer of the events.
    """

    service: str | None
    instance: str


def row_of(document: Document, defaults: RowDefaults) -> EventRow:
    """Return the event that a row describes.

    Args:
        document: ``time_ms`` (or ``time``, see ``moment_ms``), ``kind``, ``labels``, ``status`` of a request, measures
            by their names; and if known ``entry_id``, ``service``, ``instance``, ``weight``, ``is_other``,
            ``is_folded``.
            Fields beyond ``KNOWN`` are not looked at.
        defaults: Values for fields that are absent or ``None``.

    Raises:
        BadRowError: The row is not an event; the message names the wrong field and what it must be.
    """
    kind = KINDS.get(_text(document.get("kind"), "kind"))
    if kind is None:
        raise BadRowError(f"kind is {shown(document.get('kind'))}, not one of {', '.join(KINDS)}")
    service = _text(document.get("service") or defaults.service, "service")
    if not is_service_name(service):
        raise BadRowError(f"service is {shown(service)}, not 1 to 64 of A-Z a-z 0-9 . _ -")
    instance = _text(document.get("instance") or defaults.instance, "instance")
    if len(instance.encode(errors="replace")) > MAX_INSTANCE_BYTES or not instance.isprintable():
        raise BadRowError(f"instance is {shown(instance)}, not up to {MAX_INSTANCE_BYTES} printable bytes")
    weight = document.get("weight")
    return EventRow(
        time_ms=_time_ms(document),
        entry_id=_entry_id(document.get("entry_id")),
        service=service,
        instance=instance,
        kind=kind,
        labels=_labels(kind, document.get("labels")),
        status=_status(kind, document.get("status")),
        values=_values(kind, document),
        weight=1 if weight is None else _whole(weight, "weight", 1, MAX_WEIGHT),
        is_other=_flag(document, "is_other"),
        is_folded=_flag(document, "is_folded"),
    )


def _flag(document: Document, name: str) -> bool:
    value = document.get(name) or False
    if not isinstance(value, bool):
        raise BadRowError(f"{name} is {shown(value)}, not true or false")
    return value


def _time_ms(document: Document) -> int:
    if document.get("time_ms") is not None:
        return _whole(document["time_ms"], "time_ms", 1, LATEST_MS)
    time = document.get("time")
    if time is None:
        raise BadRowError("there is neither time_ms nor time")
    try:
        return moment_ms(time)
    except (ValueError, OverflowError):
        raise BadRowError(f"time is {shown(time)}, not a time such as 2026-03-01T12:00:00.250Z") from None


def _entry_id(value: object) -> EntryId | None:
    if value is None:
        return None
    match = _ENTRY_ID.match(value) if isinstance(value, str) else None
    if match is None or not (0 < int(match[1]) <= LATEST_MS and int(match[2]) <= _LATEST_SEQ):
        raise BadRowError(f"entry_id is {shown(value)}, not of the form 1700000000000-0")
    return EntryId(int(match[1]), int(match[2]))


def _status(kind: Kind, value: object) -> int | None:
    if kind.has_status:
        return _whole(value, "status", 0, MAX_STATUS)
    if value is not None:
        raise BadRowError(f"a {kind.name} event has no status")
    return None


def _labels(kind: Kind, value: object) -> tuple[str, ...]:
    pairs = _pairs(value)
    fixed = len(kind.labels)
    # As pairs, a free label may have the name of a fixed one; then the fixed ones come first.
    if tuple(name for name, _ in pairs[:fixed]) == kind.labels:
        own, free = dict(pairs[:fixed]), sorted(pairs[fixed:])
    else:
        own = {name: text for name, text in pairs if name in kind.labels}
        free = sorted((name, text) for name, text in pairs if name not in kind.labels)
    missing = [name for name in kind.labels if name not in own]
    if missing:
        raise BadRowError(f"labels of a {kind.name} event lack {missing[0]!r}")
    if free and not kind.has_free_labels:
        raise BadRowError(f"a {kind.name} event has no label {free[0][0]!r}")
    names = [name for name, _ in free]
    if len(free) > MAX_FREE_LABELS or "" in names or len(set(names)) < len(names):
        raise BadRowError(f"labels are not up to {MAX_FREE_LABELS} next to the kind's own, each named once")
    labels = (*(own[name] for name in kind.labels), *(text for pair in free for text in pair))
    for text in labels:
        if len(text) * 4 > MAX_LABEL_BYTES and len(text.encode()) > MAX_LABEL_BYTES:
            raise BadRowError(f"label {shown(text)} is longer than {MAX_LABEL_BYTES} bytes")
    return labels


def _pairs(value: object) -> list[tuple[str, str]]:
    items = () if value is None else _items(value)
    if items is None:
        raise BadRowError(f"labels are {shown(value)}, not names with their values")
    pairs: list[tuple[str, str]] = []
    for item in items:
        pair = _items(item) or ()
        if len(pair) != 2 or not all(isinstance(text, str) for text in pair):
            raise BadRowError(f"labels hold {shown(item)}, not a name and a text")
        pairs.append((_text(pair[0], "a label's name", least=0), _text(pair[1], "a label", least=0)))
    return pairs


def _items(value: object) -> Sequence[object] | None:
    if isinstance(value, dict):
        return list(cast("Mapping[object, object]", value).items())
    return cast("Sequence[object]", value) if isinstance(value, list | tuple) else None


def _values(kind: Kind, document: Document) -> tuple[float | None, ...]:
    values: list[float | None] = []
    for measure in kind.measures:
        value = document.get(measure.name)
        if value is not None:
            is_number = isinstance(value, int | float) and (measure.is_flag or not isinstance(value, bool))
            if not (is_number and measure.accepts(cast("float", value))):
                least = f"{-measure.maximum:g}" if measure.is_signed else "0"
                raise BadRowError(f"{measure.name} is {shown(value)}, not a number in {least}..{measure.maximum:g}")
            value = float(cast("float", value))
        values.append(value)
    if not _FOREIGN[kind.name].isdisjoint(document):
        for name, value in document.items():
            if value is not None and name in _FOREIGN[kind.name]:
                raise BadRowError(f"a {kind.name} event has no {name}")
    return tuple(values)


def _whole(value: object, name: str, least: int, most: int) -> int:
    # Tools make floats of a column of whole numbers in which one is missing.
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise BadRowError(f"{name} is {shown(value)}, not a whole number in {least}..{most}")
    return value


def _text(value: object, name: str, *, least: int = 1) -> str:
    if value is None:
        raise BadRowError(f"{name} is missing")
    if not isinstance(value, str) or len(value) < least:
        raise BadRowError(f"{name} is {shown(value)}, not text")
    try:
        value.encode()
    except UnicodeEncodeError:
        # JSON may hold half of a surrogate pair, which is not text.
        raise BadRowError(f"{name} is {shown(value)}, which is not Unicode") from None
    return value


def advice_on(name: str) -> str:
    """Return what to do about an unknown field, empty if nothing is known."""
    close = get_close_matches(name, KNOWN, n=1)
    return f"did you mean {close[0]!r}?" if close else ""


def shown(value: object) -> str:
    """Return a value for a message, cut if it is long."""
    text = ascii(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
