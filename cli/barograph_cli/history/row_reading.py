"""Reads a row of a file as an event, trusting nothing: what is wrong with one becomes one reason."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, cast

from barograph_cli.history.event_row import FIELDS, MEASURES, EventRow
from barograph_core.decode_header import MAX_INSTANCE_BYTES
from barograph_core.decode_labels import MAX_STATUS
from barograph_core.events import KINDS, MAX_FREE_LABELS, MAX_LABEL_BYTES, MAX_WEIGHT, Kind
from barograph_core.keys import is_service_name
from barograph_core.moments import LATEST_MS, iso_ms
from barograph_core.stream import EntryId

Document = Mapping[str, object]

_KNOWN: Final = frozenset((*FIELDS, "time", *MEASURES))
_FOREIGN: Final = {kind.name: frozenset(MEASURES).difference(kind.measure_names) for kind in KINDS.values()}
_ENTRY_ID: Final = re.compile(r"(\d{1,16})-(\d{1,19})\Z", re.ASCII)
_LATEST_SEQ: Final = 2**63 - 2
_SHOWN: Final = 60


class BadRowError(ValueError):
    """A row is no event. Caught by who reads the file, who counts it and names its place."""


@dataclass(frozen=True, slots=True)
class RowDefaults:
    """What holds for rows that do not say.

    Attributes:
        service: ``None`` where every row must name its own.
        instance: Stands for the producer of the events.
    """

    service: str | None
    instance: str


def row_of(document: Document, defaults: RowDefaults) -> EventRow:
    """Return the event that a row describes.

    Args:
        document: ``time_ms`` (or ``time`` in ISO 8601), ``kind``, ``labels``, ``status`` of a request, measures by
            their names; and if known ``entry_id``, ``service``, ``instance``, ``weight``, ``is_other``.
        defaults: For what is absent or ``None``.

    Raises:
        BadRowError: It is no event; says which field is wrong and what it must be.
    """
    if not _KNOWN.issuperset(document):
        raise BadRowError(_unknown(next(name for name in document if name not in _KNOWN)))
    kind = KINDS.get(_text(document.get("kind"), "kind"))
    if kind is None:
        raise BadRowError(f"kind is {_shown(document.get('kind'))}, not one of {', '.join(KINDS)}")
    service = _text(document.get("service") or defaults.service, "service")
    if not is_service_name(service):
        raise BadRowError(f"service is {_shown(service)}, not 1 to 64 of A-Z a-z 0-9 . _ -")
    instance = _text(document.get("instance") or defaults.instance, "instance")
    if len(instance.encode(errors="replace")) > MAX_INSTANCE_BYTES or not instance.isprintable():
        raise BadRowError(f"instance is {_shown(instance)}, not up to {MAX_INSTANCE_BYTES} printable bytes")
    is_other = document.get("is_other") or False
    if not isinstance(is_other, bool):
        raise BadRowError(f"is_other is {_shown(is_other)}, not true or false")
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
        is_other=is_other,
    )


def _time_ms(document: Document) -> int:
    if document.get("time_ms") is not None:
        return _whole(document["time_ms"], "time_ms", 1, LATEST_MS)
    time = document.get("time")
    if time is None:
        raise BadRowError("there is neither time_ms nor time")
    try:
        return _whole(iso_ms(_text(time, "time")), "time", 1, LATEST_MS)
    except ValueError:
        raise BadRowError(f"time is {_shown(time)}, not ISO 8601 such as 2026-03-01T12:00:00.250Z") from None


def _entry_id(value: object) -> EntryId | None:
    if value is None:
        return None
    match = _ENTRY_ID.match(value) if isinstance(value, str) else None
    if match is None or not (0 < int(match[1]) <= LATEST_MS and int(match[2]) <= _LATEST_SEQ):
        raise BadRowError(f"entry_id is {_shown(value)}, not of the form 1700000000000-0")
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
    # In the form of pairs a free label may bear the name of a fixed one: the fixed ones come first, then.
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
        raise BadRowError(f"labels are not up to {MAX_FREE_LABELS} beside the kind's own, each named once")
    labels = (*(own[name] for name in kind.labels), *(text for pair in free for text in pair))
    for text in labels:
        if len(text) * 4 > MAX_LABEL_BYTES and len(text.encode()) > MAX_LABEL_BYTES:
            raise BadRowError(f"label {_shown(text)} is longer than {MAX_LABEL_BYTES} bytes")
    return labels


def _pairs(value: object) -> list[tuple[str, str]]:
    items = () if value is None else _items(value)
    if items is None:
        raise BadRowError(f"labels are {_shown(value)}, not names with their values")
    pairs: list[tuple[str, str]] = []
    for item in items:
        pair = _items(item) or ()
        if len(pair) != 2 or not all(isinstance(text, str) for text in pair):
            raise BadRowError(f"labels hold {_shown(item)}, not a name and a text")
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
            if isinstance(value, bool) or not isinstance(value, int | float) or not measure.accepts(value):
                least = f"{-measure.maximum:g}" if measure.is_signed else "0"
                raise BadRowError(f"{measure.name} is {_shown(value)}, not a number in {least}..{measure.maximum:g}")
            value = float(value)
        values.append(value)
    if not _FOREIGN[kind.name].isdisjoint(document):
        for name, value in document.items():
            if value is not None and name in _FOREIGN[kind.name]:
                raise BadRowError(f"a {kind.name} event has no {name}")
    return tuple(values)


def _whole(value: object, name: str, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise BadRowError(f"{name} is {_shown(value)}, not a whole number in {least}..{most}")
    return value


def _text(value: object, name: str, *, least: int = 1) -> str:
    if value is None:
        raise BadRowError(f"{name} is missing")
    if not isinstance(value, str) or len(value) < least:
        raise BadRowError(f"{name} is {_shown(value)}, not text")
    try:
        value.encode()
    except UnicodeEncodeError:
        # JSON may hold half of a surrogate pair, which is no text.
        raise BadRowError(f"{name} is {_shown(value)}, which is not Unicode") from None
    return value


def _unknown(name: str) -> str:
    close = get_close_matches(name, _KNOWN, n=1)
    return f"unknown field {_shown(name)}" + (f"; did you mean {close[0]!r}?" if close else "")


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
