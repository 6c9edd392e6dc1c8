"""Packs flat records into encoded batches, and does the checks that would be too slow on the hot path.

Each step is a call into C over a whole column. Events are processed one by one only after a column failed its check
or has a new label.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from operator import add, mul
from struct import pack
from typing import Final, cast

from barograph_core.events.encode import EncodedBatch, encode_offsets
from barograph_core.events.kinds import MAX_BATCH_BYTES, MAX_WEIGHTED_EVENTS, Kind, Measure
from barograph_producer._pack.columns import CleanColumn, CleanWeights, are_plain, clean_column, clean_weights
from barograph_producer._pack.labels import INVALID, LabelSets, custom_key, free_key
from barograph_producer._pack.times import offsets_ms, rebased
from barograph_producer._record.buffer import FIELDS, RECORD_WIDTHS, Form, kind_of
from barograph_producer._record.request_keys import LOW_BYTE, NEXT_BYTE, RawKey, RequestKeys
from barograph_producer._stats import ProducerCounters

_EVERY_BYTE: Final = bytes(range(256))
_UNKNOWN: Final = 255
_NOTHING_KNOWN: Final = bytes((_UNKNOWN,)) * 256


@dataclass(frozen=True, slots=True)
class _Table:
    """Events that will become a batch, as columns.

    Attributes:
        numbers: For each event the number of its label set; ``bytes`` if all are below 256.
    """

    numbers: Sequence[int]
    first_ms: int
    offsets_ms: Sequence[int]
    columns: tuple[Sequence[float] | None, ...]
    weights: Sequence[int] | None

    def __len__(self) -> int:
        return len(self.numbers)

    def rows(self, rows: Sequence[int]) -> "_Table":
        first_ms, offsets = rebased(self.first_ms, [self.offsets_ms[i] for i in rows])
        return _Table(
            [self.numbers[i] for i in rows],
            first_ms,
            offsets,
            tuple(None if column is None else [column[i] for i in rows] for column in self.columns),
            None if self.weights is None else [self.weights[i] for i in rows],
        )


class Packer:
    """Packs records into batches. Only the shipping thread may use it."""

    def __init__(
        self,
        labels: LabelSets,
        counters: ProducerCounters,
        keys: RequestKeys | None = None,
        *,
        max_batch_bytes: int = MAX_BATCH_BYTES,
    ) -> None:
        self._labels = labels
        self._counters = counters
        self._keys = RequestKeys(0) if keys is None else keys
        self._max_batch_bytes = max_batch_bytes
        # Translates numbers of keys to numbers of label sets where both are small; valid for one generation.
        self._table = _NOTHING_KNOWN
        self._table_of = -1

    def pack(self, form: Form, records: Sequence[object]) -> list[EncodedBatch]:
        """Return ``records`` as batches, usually one. Invalid events are counted and left out.

        Args:
            form: The form of all the records.
            records: Flat records, at most ``MAX_EVENTS_PER_BATCH``.
        """
        if not records:
            return []
        kind, width = kind_of(form), RECORD_WIDTHS[form]
        table = self._request_table(records, kind.measures[0]) if form == "request" else None
        if table is not None:
            return list(self._encode(kind, table))
        fields = [records[i::width] for i in range(width)]
        numbers = self._numbers(form, kind, fields)
        first_measure = width - len(kind.measures)
        columns = [
            clean_column(values, measure) for values, measure in zip(fields[first_measure:], kind.measures, strict=True)
        ]
        weights = clean_weights(fields[1 + FIELDS[form].index("weight")]) if form == "sampled_request" else None
        first_ms, offsets = offsets_ms(cast("Sequence[float]", fields[0]))
        table = _Table(
            numbers,
            first_ms,
            offsets,
            tuple(column.values for column in columns),
            None if weights is None else weights.values,
        )
        bad = _bad_rows(numbers, columns if weights is None else [*columns, weights])
        if bad:
            self._counters.drop("invalid", len(bad))
            good = [i for i in range(len(table)) if i not in bad]
            if not good:
                return []
            table = table.rows(good)
        return list(self._encode(kind, table))

    def _request_table(self, records: Sequence[object], duration: Measure) -> _Table | None:
        """Return a table of requests if all are valid and all labels are numbered, otherwise ``None``.

        One call reads each object once, because fetching them from another core's cache is most of the cost.
        """
        try:
            packed = pack(f"{len(records)}d", *records)
        except Exception:  # noqa: BLE001  # a raw key, or a duration that is not a number
            return None
        durations = array("d")
        durations.frombytes(packed)
        durations = durations[2::3]
        if not are_plain(durations.tobytes(), records[2::3], duration):
            return None
        numbers = self._request_numbers(packed[LOW_BYTE + 8 :: 24], packed[NEXT_BYTE + 8 :: 24])
        if not isinstance(numbers, bytes) and INVALID in numbers:
            return None
        first_ms, offsets = offsets_ms(cast("Sequence[float]", records[::3]))
        return _Table(numbers, first_ms, offsets, (durations,), None)

    def _numbers(self, form: Form, kind: Kind, fields: Sequence[Sequence[object]]) -> Sequence[int]:
        if form == "request":
            return self._labels.numbers("request", [self._keys.key_of(held) for held in fields[1]])
        columns = fields[1 : len(fields) - len(kind.measures)]
        if form == "custom":
            keys: Sequence[RawKey] = [custom_key(name, free) for name, free in zip(*columns, strict=True)]
            return self._labels.numbers(kind.name, keys)
        if form == "sampled_request":
            # The fifth column holds the weights.
            keys = [free_key(fixed, free) for *fixed, free in zip(*columns[:4], strict=True)]
            return self._labels.numbers(kind.name, keys)
        return self._labels.numbers(kind.name, _Rows(columns))

    def _request_numbers(self, low: bytes, high: bytes) -> Sequence[int]:
        """Return the label set number for each key number, which is given as its low and its high byte."""
        if high.strip(b"\0"):
            keys = [self._keys.key(number) for number in map(add, low, map(mul, high, repeat(256)))]
            return self._labels.numbers("request", keys)
        if self._table_of == self._labels.generation:
            numbers = low.translate(self._table)
            if _UNKNOWN not in numbers:
                return numbers
        used = _distinct(low)
        numbers_of_used = self._labels.numbers("request", [self._keys.key(number) for number in used])
        if self._table_of != self._labels.generation:
            self._table, self._table_of = _NOTHING_KNOWN, self._labels.generation
        number_of = dict(zip(used, numbers_of_used, strict=True))
        table = bytearray(self._table)
        for key, number in number_of.items():
            table[key] = number if 0 <= number < _UNKNOWN else _UNKNOWN
        self._table = bytes(table)
        return [number_of[key] for key in low]

    def _encode(self, kind: Kind, table: _Table) -> Iterator[EncodedBatch]:
        if table.weights is None or sum(table.weights) <= MAX_WEIGHTED_EVENTS:
            used = _distinct(table.numbers) if isinstance(table.numbers, bytes) else list(dict.fromkeys(table.numbers))
            batch = encode_offsets(
                kind,
                [self._labels.label_set(number) for number in used],
                _positions(table.numbers, used),
                table.first_ms,
                table.offsets_ms,
                table.columns,
                table.weights,
            )
            if len(batch.data) <= self._max_batch_bytes:
                self._counters.fold(self._labels.folded(table.numbers))
                yield batch
                return
            if len(table) == 1:
                self._counters.drop("too_large", 1)
                return
        half = len(table) // 2
        yield from self._encode(kind, table.rows(range(half)))
        yield from self._encode(kind, table.rows(range(half, len(table))))


class _Rows:
    """The rows of several columns; may be iterated more than once."""

    def __init__(self, columns: Sequence[Sequence[object]]) -> None:
        self._columns = columns

    def __iter__(self) -> Iterator[RawKey]:
        return zip(*self._columns, strict=True)


def _distinct(numbers: bytes) -> bytes:
    """Return the distinct values, ascending."""
    return _EVERY_BYTE.translate(None, _EVERY_BYTE.translate(None, numbers))


def _positions(numbers: Sequence[int], used: Sequence[int]) -> Sequence[int]:
    if isinstance(numbers, bytes):
        return numbers.translate(bytes.maketrans(bytes(used), _EVERY_BYTE[: len(used)]))
    position_of = {number: position for position, number in enumerate(used)}
    return list(map(position_of.__getitem__, numbers))


def _bad_rows(numbers: Sequence[int], columns: Sequence[CleanColumn | CleanWeights]) -> set[int]:
    bad = {i for column in columns for i in column.bad}
    if not isinstance(numbers, bytes) and INVALID in numbers:
        bad.update(i for i, number in enumerate(numbers) if number == INVALID)
    return bad
