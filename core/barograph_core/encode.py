"""Packs events into the columnar batch that travels on the events stream; all a producer needs of the codec.

The layout stands in ``decode_batch``'s module, which is what must not trust it.
"""

import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from barograph_core.events import SCHEMA_VERSION, Kind, KindName
from barograph_core.messagepack import pack

LabelSet = tuple[str | int, ...]

# Above it a float64 no longer holds every whole number.
MAX_EXACT_INTEGER: Final = 2**53


@dataclass(frozen=True, slots=True)
class EncodedBatch:
    """A packed batch, kept by the producer until the server has it.

    Attributes:
        first_ms: Event time of the oldest event; the newest's is ``last_ms``.
        data: The ``data`` field of the stream entry.
    """

    kind: KindName
    n: int
    first_ms: int
    last_ms: int
    data: bytes


def encode_batch(
    kind: Kind,
    label_sets: Sequence[LabelSet],
    series: Sequence[int],
    times_ms: Sequence[int],
    columns: Sequence[Sequence[float] | None],
) -> EncodedBatch:
    """Pack events of one kind, given as columns.

    Nothing is checked here: whoever fills the columns has made sure of every value.

    Args:
        kind: Fixes what labels and columns mean.
        label_sets: Distinct label sets: the kind's labels, then the status of a request, then the free
            labels of a custom event flattened and sorted by name.
        series: For each event its index into ``label_sets``.
        times_ms: For each event its time, in any order; at least one, at most ``MAX_EVENTS_PER_BATCH``.
        columns: For each measure of the kind its values, NaN where an event lacks it, or ``None`` when all do.
    """
    first_ms = min(times_ms)
    offsets = [time_ms - first_ms for time_ms in times_ms]
    data = pack(
        [
            first_ms,
            label_sets,
            _integer_column(series),
            _integer_column(offsets),
            [None if column is None else _measure_column(column) for column in columns],
        ]
    )
    return EncodedBatch(kind.name, len(times_ms), first_ms, first_ms + max(offsets), data)


def entry_fields(
    batch: EncodedBatch, *, service: str, instance: str, seq: int, through_ms: int
) -> dict[str, str | int | bytes]:
    """Return the fields of the stream entry, in wire order: plain text but for ``data``."""
    return {
        "v": str(SCHEMA_VERSION),
        "kind": batch.kind,
        "service": service,
        "instance": instance,
        "seq": seq,
        "n": batch.n,
        "first_ms": batch.first_ms,
        "last_ms": batch.last_ms,
        "through_ms": through_ms,
        "data": batch.data,
    }


def _integer_column(values: Sequence[int]) -> tuple[str, bytes]:
    largest = max(values)
    if largest < 1 << 8:
        return "B", bytes(values)
    code = "H" if largest < 1 << 16 else "I" if largest < 1 << 32 else "Q"
    return code, _little_endian(array(code, values))


def _measure_column(values: Sequence[float]) -> tuple[str, bytes]:
    floats = array("d", values)
    # Stops at the first fraction or NaN, so a column of durations pays for one look.
    if all(map(float.is_integer, floats)) and min(floats) >= 0 and max(floats) <= MAX_EXACT_INTEGER:
        return _integer_column([int(value) for value in floats])
    return "d", _little_endian(floats)


def _little_endian(column: "array[int] | array[float]") -> bytes:
    if sys.byteorder == "big":
        column.byteswap()
    return column.tobytes()
