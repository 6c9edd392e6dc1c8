"""Reads the columnar batch of the events stream, trusting nothing: what is wrong in it becomes one reason.

Schema version 1: the entry's fields are text, but for ``data``, which is MessagePack of
``[base_ms, labels, series, times, columns]``. ``labels`` is an array of label sets, each an array. ``series``
holds an index into it for each event, ``times`` an offset in ms from ``base_ms`` (which is ``first_ms``).
``columns`` has one column for each measure, nil when no event has it, NaN where an event lacks it.
A column is ``[code, bytes]``, little-endian, code one of ``B H I Q`` (unsigned integers) and ``d`` (float64).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from barograph_core.decode_columns import read_measure, read_whole_numbers
from barograph_core.decode_labels import read_label_sets
from barograph_core.errors import MalformedEventError
from barograph_core.events import KINDS, MAX_BATCH_BYTES, MAX_EVENTS_PER_BATCH, SCHEMA_VERSION, Kind
from barograph_core.keys import is_service_name
from barograph_core.messagepack import as_array, shown, unpack_array

# The functions on the server count in float64.
MAX_WHOLE_NUMBER: Final = 2**53 - 1
MAX_INSTANCE_BYTES: Final = 256
_VERSION: Final = str(SCHEMA_VERSION).encode()


@dataclass(frozen=True, slots=True, eq=False)
class EventBatch:
    """A batch of events of one kind from one instance, every value checked.

    Attributes:
        through_ms: Everything this instance saw earlier has been shipped.
        labels: The label sets that events refer to, without the status. Of a custom event ``(name, k1, v1, …)``.
        status: For each label set its status code, or ``None`` where the kind has none.
        series: For each event its index into ``labels``.
        times_ms: For each event its time, in no particular order.
        columns: For each measure of the kind the values (NaN: absent), or ``None`` when no event has it.
        first_ms: Time of the oldest event; ``last_ms`` that of the newest.
    """

    kind: Kind
    service: str
    instance: str
    seq: int
    n: int
    through_ms: int
    labels: tuple[tuple[str, ...], ...]
    status: npt.NDArray[np.int32] | None
    series: npt.NDArray[np.int32]
    times_ms: npt.NDArray[np.int64]
    columns: tuple[npt.NDArray[np.float64] | None, ...]
    first_ms: int
    last_ms: int


def decode_batch(fields: Mapping[bytes, bytes]) -> EventBatch:
    """Read one entry of the events stream.

    Memory and time are bounded by ``MAX_BATCH_BYTES`` and ``MAX_EVENTS_PER_BATCH``. Unknown further fields
    are ignored.

    Raises:
        MalformedEventError: Anything is not as this module says. It carries the fields.
    """
    try:
        return _decode(fields)
    except MalformedEventError as error:
        raise MalformedEventError(error.reason, fields) from error


def _decode(fields: Mapping[bytes, bytes]) -> EventBatch:
    version = _field(fields, b"v")
    if version != _VERSION:
        raise MalformedEventError(f"v {shown(version)} is not a known schema version, which is {SCHEMA_VERSION}")
    kind = KINDS.get(_text(fields, b"kind", 16))
    if kind is None:
        raise MalformedEventError(f"kind {shown(fields[b'kind'])} is none of {', '.join(KINDS)}")
    service = _text(fields, b"service", 64)
    if not is_service_name(service):
        raise MalformedEventError(f"service {service!r} is not 1 to 64 of A-Z a-z 0-9 . _ -")
    instance = _text(fields, b"instance", MAX_INSTANCE_BYTES)
    if not instance.isprintable():
        raise MalformedEventError(f"instance {instance!r} is not printable")
    n = _whole_number(fields, b"n")
    if not 1 <= n <= MAX_EVENTS_PER_BATCH:
        raise MalformedEventError(f"n {n} is not in 1..{MAX_EVENTS_PER_BATCH}")
    first_ms, last_ms = _whole_number(fields, b"first_ms"), _whole_number(fields, b"last_ms")
    seq, through_ms = _whole_number(fields, b"seq"), _whole_number(fields, b"through_ms")
    base_ms, raw_labels, raw_series, raw_times, raw_columns = _parts(_field(fields, b"data"))
    if type(base_ms) is not int or base_ms != first_ms:
        raise MalformedEventError(f"base_ms {shown(base_ms)} is not first_ms {first_ms}")
    labels, status = read_label_sets(raw_labels, kind, n)
    offsets = read_whole_numbers(raw_times, "times", n, MAX_WHOLE_NUMBER - first_ms)
    oldest, newest = first_ms + int(offsets.min()), first_ms + int(offsets.max())
    if (oldest, newest) != (first_ms, last_ms):
        raise MalformedEventError(f"times span {oldest}..{newest}, the header says {first_ms}..{last_ms}")
    columns = as_array(raw_columns)
    if columns is None or len(columns) != len(kind.measures):
        raise MalformedEventError(f"columns {shown(raw_columns)} is not one for each of {len(kind.measures)} measures")
    return EventBatch(
        kind=kind,
        service=service,
        instance=instance,
        seq=seq,
        n=n,
        through_ms=through_ms,
        labels=labels,
        status=status,
        series=read_whole_numbers(raw_series, "series", n, len(labels) - 1).astype(np.int32),
        times_ms=offsets + first_ms,
        columns=tuple(
            None if raw is None else read_measure(raw, measure, n)
            for raw, measure in zip(columns, kind.measures, strict=True)
        ),
        first_ms=first_ms,
        last_ms=last_ms,
    )


def _field(fields: Mapping[bytes, bytes], name: bytes) -> bytes:
    value = fields.get(name)
    if value is None:
        raise MalformedEventError(f"field {name.decode()} is missing")
    return value


def _text(fields: Mapping[bytes, bytes], name: bytes, most_bytes: int) -> str:
    raw = _field(fields, name)
    if not 1 <= len(raw) <= most_bytes:
        raise MalformedEventError(f"{name.decode()} {shown(raw)} is not 1 to {most_bytes} bytes")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise MalformedEventError(f"{name.decode()} {shown(raw)} is not UTF-8") from error


def _whole_number(fields: Mapping[bytes, bytes], name: bytes) -> int:
    raw = _field(fields, name)
    if not (raw.isdigit() and len(raw) <= 16 and int(raw) <= MAX_WHOLE_NUMBER):
        raise MalformedEventError(f"{name.decode()} {shown(raw)} is not a whole number in 0..{MAX_WHOLE_NUMBER}")
    return int(raw)


def _parts(data: bytes) -> tuple[object, ...]:
    if len(data) > MAX_BATCH_BYTES:
        raise MalformedEventError(f"data of {len(data)} bytes is longer than {MAX_BATCH_BYTES}")
    parts = unpack_array(data, max_items=MAX_EVENTS_PER_BATCH)
    if len(parts) != 5:
        raise MalformedEventError(f"data holds {len(parts)} parts, not 5")
    return parts
