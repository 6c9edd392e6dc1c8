"""Packs flat records into encoded batches; checks here what the hot path had no time to check."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, cast

from barograph_core.encode import EncodedBatch, encode_batch
from barograph_core.events import KINDS, MAX_BATCH_BYTES, Kind, KindName
from barograph_producer._columns import CleanColumn, clean_column
from barograph_producer._labels import INVALID, LabelSets, RawKey, custom_key
from barograph_producer._recorder import RECORD_WIDTHS
from barograph_producer._stats import Counters

_OPTIONAL_MEASURES: Final = frozenset(("model", "system"))
# Stamps are float seconds; a clock of whole ms must come back as it was.
_ROUNDING: Final = 0.0005


class Packer:
    """Makes batches of records. Only for the shipper thread."""

    def __init__(self, labels: LabelSets, counters: Counters, *, max_batch_bytes: int = MAX_BATCH_BYTES) -> None:
        self._labels = labels
        self._counters = counters
        self._max_batch_bytes = max_batch_bytes

    def pack(self, kind_name: KindName, records: Sequence[object]) -> list[EncodedBatch]:
        """Return ``records`` as batches, mostly one; what is not valid is counted and left out.

        Args:
            kind_name: Of all the records.
            records: Flat, at most ``MAX_EVENTS_PER_BATCH`` of them.
        """
        kind, width = KINDS[kind_name], RECORD_WIDTHS[kind_name]
        events = len(records) // width
        if not events:
            return []
        n_measures = len(kind.measures)
        first_measure = width - n_measures
        numbers = self._labels.numbers(kind_name, _raw_keys(kind, [records[i::width] for i in range(1, first_measure)]))
        columns = [
            clean_column(records[first_measure + i :: width], measure, is_required=kind_name not in _OPTIONAL_MEASURES)
            for i, measure in enumerate(kind.measures)
        ]
        stamps = cast("Sequence[float]", records[::width])
        times_ms = [int(stamp * 1_000 + _ROUNDING) for stamp in stamps]
        return self._encode_valid(kind, numbers, times_ms, columns)

    def _encode_valid(
        self, kind: Kind, numbers: list[int], times_ms: list[int], columns: Sequence[CleanColumn]
    ) -> list[EncodedBatch]:
        bad = {i for column in columns for i in column.bad}
        if INVALID in numbers:
            bad.update(i for i, number in enumerate(numbers) if number == INVALID)
        values: list[Sequence[float] | None] = [column.values for column in columns]
        if bad:
            self._counters.drop("invalid", len(bad))
            keep = [i for i in range(len(numbers)) if i not in bad]
            numbers = [numbers[i] for i in keep]
            times_ms = [times_ms[i] for i in keep]
            values = [None if column is None else [column[i] for i in keep] for column in values]
        return self._encode(kind, numbers, times_ms, values)

    def _encode(
        self, kind: Kind, numbers: list[int], times_ms: list[int], columns: list[Sequence[float] | None]
    ) -> list[EncodedBatch]:
        if not numbers:
            return []
        positions = {number: i for i, number in enumerate(dict.fromkeys(numbers))}
        batch = encode_batch(
            kind,
            [self._labels.label_set(number) for number in positions],
            [positions[number] for number in numbers],
            times_ms,
            columns,
        )
        if len(batch.data) <= self._max_batch_bytes:
            self._counters.folded += self._labels.count_folded(numbers)
            return [batch]
        if len(numbers) == 1:
            self._counters.drop("too_large", 1)
            return []
        half = len(numbers) // 2
        return [
            batch
            for part in (slice(None, half), slice(half, None))
            for batch in self._encode(
                kind,
                numbers[part],
                times_ms[part],
                [None if column is None else column[part] for column in columns],
            )
        ]


class _Rows:
    """The rows of some columns, as often as one likes."""

    def __init__(self, columns: Sequence[Sequence[object]]) -> None:
        self._columns = columns

    def __iter__(self) -> Iterator[RawKey]:
        return zip(*self._columns, strict=True)


def _raw_keys(kind: Kind, label_columns: Sequence[Sequence[object]]) -> Iterable[RawKey]:
    if not kind.has_free_labels:
        return _Rows(label_columns)
    names, labels = label_columns
    return [custom_key(name, free) for name, free in zip(names, labels, strict=True)]
