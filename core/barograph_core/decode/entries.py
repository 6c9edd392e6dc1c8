"""Reads many entries of the events stream at once into blocks of columns, and names those that cannot be read.

The module ``decode.batch`` describes the layout. Each field and column is read for all entries in one pass of C or
numpy, and each label set is read only the first time that it appears.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, repeat
from typing import Final, NoReturn, cast

import numpy as np

from barograph_core.decode.block import EventBlock
from barograph_core.decode.columns import read_measure, read_offsets, read_series, read_weights
from barograph_core.decode.header import Headers, read_headers
from barograph_core.decode.label_table import LabelTable
from barograph_core.errors import MalformedEventError
from barograph_core.events.kinds import KINDS, MAX_BATCH_BYTES, MAX_EVENTS_PER_BATCH, Kind, Measure
from barograph_core.events.messagepack import as_array, shown, unpack_arrays
from barograph_core.numerics.arrays import FloatArray, IntArray

Fields = Mapping[bytes, bytes]

# Size of a block: its columns, of a quarter of a MB each, stay in the processor's cache.
_EVENTS_AT_ONCE: Final = 1 << 15
# Size of a block by its label sets: a series in two blocks is built and merged twice, so many series need large blocks.
_EVENTS_PER_SERIES: Final = 16
_MOST_EVENTS_AT_ONCE: Final = 1 << 19


@dataclass(frozen=True, slots=True)
class BadEntry:
    """An entry that cannot be read: its position among those given, and the reason."""

    position: int
    reason: str


@dataclass(frozen=True, slots=True)
class DecodedEntries:
    """The result of decoding entries. Each of them is in ``bad`` or has its events in ``blocks``, never both."""

    blocks: Sequence[EventBlock]
    bad: Sequence[BadEntry]


class EntryDecoder:
    """Decodes entries of the events stream, and remembers label sets from one read to the next.

    ``MAX_BATCH_BYTES`` and ``MAX_EVENTS_PER_BATCH`` bound the memory and time for each entry, and ``LabelTable`` bounds
    what is remembered for each kind. Unknown fields are ignored.
    """

    def __init__(self) -> None:
        self._tables: dict[str, LabelTable] = {}

    def decode(self, entries: Sequence[Fields]) -> DecodedEntries:
        """Read ``entries``, and name those that cannot be read."""
        blocks: list[EventBlock] = []
        bad: list[BadEntry] = []
        self._decode(entries, range(len(entries)), blocks, bad)
        return DecodedEntries(blocks, bad)

    def _decode(
        self, entries: Sequence[Fields], positions: Sequence[int], blocks: list[EventBlock], bad: list[BadEntry]
    ) -> None:
        if not positions:
            return
        try:
            # One bad entry discards the whole read, so that each half can be decoded from the start.
            blocks += list(self._blocks(read_headers([entries[position] for position in positions]), positions))
        except MalformedEventError as error:
            if len(positions) == 1:
                bad.append(BadEntry(positions[0], error.reason))
                return
            middle = len(positions) // 2
            self._decode(entries, positions[:middle], blocks, bad)
            self._decode(entries, positions[middle:], blocks, bad)

    def _blocks(self, headers: Headers, positions: Sequence[int]) -> Iterator[EventBlock]:
        for name, indexes in _by_kind(headers).items():
            table = self._table(name)
            most = min(max(_EVENTS_AT_ONCE, _EVENTS_PER_SERIES * len(table)), _MOST_EVENTS_AT_ONCE)
            for chunk in _chunks(indexes, headers.sizes, most):
                yield _read_block(headers.at(chunk), np.array([positions[index] for index in chunk], np.int64), table)

    def _table(self, name: str) -> LabelTable:
        table = self._tables.get(name)
        if table is None or table.is_full:
            table = self._tables[name] = LabelTable(KINDS[name])
        return table


def _by_kind(headers: Headers) -> dict[str, Sequence[int]]:
    names = [origin.kind.name for origin in headers.origins]
    kinds = dict.fromkeys(names)
    if len(kinds) == 1:
        return dict.fromkeys(kinds, range(len(names)))
    return {kind: [index for index, name in enumerate(names) if name == kind] for kind in kinds}


def _chunks(indexes: Sequence[int], sizes: Sequence[int], most: int) -> Iterator[Sequence[int]]:
    if len(indexes) * MAX_EVENTS_PER_BATCH <= most or sum(sizes) <= most:
        yield indexes
        return
    start = count = 0
    for at, index in enumerate(indexes):
        count += sizes[index]
        if count > most:
            yield indexes[start:at]
            start, count = at, sizes[index]
    yield indexes[start:]


def _read_block(headers: Headers, positions: IntArray, table: LabelTable) -> EventBlock:
    """Return the events of one or more entries, all of one kind."""
    kind = headers.origins[0].kind
    longest = max(map(len, headers.data))
    if longest > MAX_BATCH_BYTES:
        raise MalformedEventError(f"data of {longest} bytes is longer than {MAX_BATCH_BYTES}")
    parts = unpack_arrays(headers.data, items=(5, 6), max_items=MAX_EVENTS_PER_BATCH)
    bases, labels, columns = zip(*parts, strict=True)
    _check_bases(bases, headers.first_ms)
    sizes = np.array(headers.sizes, np.int64)
    numbers = table.numbers(labels)
    label_counts = np.fromiter(map(len, numbers), np.int64, len(numbers))
    if (label_counts > sizes).any():
        at = int(np.argmax(label_counts > sizes))
        raise MalformedEventError(f"labels are {label_counts[at]} label sets for {sizes[at]} events")
    starts = np.cumsum(sizes) - sizes
    first_ms = np.array(headers.first_ms, np.int64)
    spans = np.array(headers.last_ms, np.int64) - first_ms
    times_ms = read_offsets([items[1] for items in columns], headers.sizes, starts, first_ms, spans)
    times_ms += np.repeat(first_ms, sizes)
    series = read_series([items[0] for items in columns], headers.sizes, starts, label_counts)
    series += np.repeat(np.cumsum(label_counts) - label_counts, sizes)
    services, service_of = _services(headers, sizes)
    return EventBlock(
        kind=kind,
        services=services,
        service_of=service_of,
        entry_of=np.repeat(positions, sizes),
        table=table,
        label_sets=np.concatenate(numbers)[series],
        times_ms=times_ms,
        columns=_read_columns([items[2] for items in columns], kind, headers.sizes),
        weights=_read_all_weights([items[3:] for items in columns], headers.sizes),
    )


def _check_bases(bases: Sequence[object], first_ms: Sequence[int]) -> None:
    if set(map(type, bases)) == {int} and bases == tuple(first_ms):
        return
    for base_ms, first in zip(bases, first_ms, strict=True):
        if type(base_ms) is not int or base_ms != first:
            raise MalformedEventError(f"base_ms {shown(base_ms)} is not first_ms {first}")


def _services(headers: Headers, sizes: IntArray) -> tuple[Sequence[str], IntArray | None]:
    names = [origin.service for origin in headers.origins]
    services = list(dict.fromkeys(names))
    if len(services) == 1:
        return services, None
    numbers = {name: number for number, name in enumerate(services)}
    return services, np.repeat(np.fromiter(map(numbers.__getitem__, names), np.int64, len(names)), sizes)


def _read_columns(raws: Sequence[object], kind: Kind, sizes: Sequence[int]) -> tuple[FloatArray | None, ...]:
    most = len(kind.measures)
    if set(map(type, raws)) != {tuple}:
        _refuse_columns(raws, kind)
    columns = cast("Sequence[tuple[object, ...]]", raws)
    widths = set(map(len, columns))
    if widths != {most}:
        if not 1 <= min(widths) <= max(widths) <= most:
            _refuse_columns(raws, kind)
        # A producer of an earlier version does not know the measures at the end.
        columns = [(*one, *repeat(None, most - len(one))) for one in columns]
    by_measure = zip(*columns, strict=True)
    return tuple(
        _read_column(column, measure, sizes) for column, measure in zip(by_measure, kind.measures, strict=True)
    )


def _refuse_columns(raws: Sequence[object], kind: Kind) -> NoReturn:
    """Raise MalformedEventError for the first of ``raws`` that is not 1 to as many columns as the kind has measures."""
    most = len(kind.measures)
    for raw in raws:
        columns = as_array(raw)
        if columns and len(columns) > most:
            names = ", ".join(kind.measure_names)
            raise MalformedEventError(
                f"{len(columns)} columns are more than the {most} measures of {kind.name} that this version knows "
                f"({names}): a newer version sent them"
            )
        if not columns:
            raise MalformedEventError(f"columns {shown(raw)} is not one for each of {most} measures")
    raise MalformedEventError(f"columns are not one for each of {most} measures")


def _read_column(raws: Sequence[object], measure: Measure, sizes: Sequence[int]) -> FloatArray | None:
    """Return the column of a measure, NaN for the entries that lack it, ``None`` when all do."""
    if None not in raws:
        return read_measure(raws, measure, sizes)
    is_there = [raw is not None for raw in raws]
    if not any(is_there):
        return None
    values = np.full(sum(sizes), np.nan)
    values[np.repeat(is_there, sizes)] = read_measure(
        list(compress(raws, is_there)), measure, list(compress(sizes, is_there))
    )
    return values


def _read_all_weights(raws: Sequence[list[object]], sizes: Sequence[int]) -> IntArray | None:
    # Only sampled requests have weights, and few hosts sample.
    if not any(raws):
        return None
    if [None] in raws:
        raise MalformedEventError("weights None is not a column of code and bytes")
    weights = [read_weights(raw[0], size) if raw else None for raw, size in zip(raws, sizes, strict=True)]
    if all(of_entry is None for of_entry in weights):
        return None
    return np.concatenate(
        [
            np.ones(size, np.int64) if of_entry is None else of_entry
            for of_entry, size in zip(weights, sizes, strict=True)
        ]
    )
