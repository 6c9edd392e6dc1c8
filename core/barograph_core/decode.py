"""Reads the columnar batches of the events stream, trusting nothing: what is wrong in one becomes one reason.

Schema version 1: the entry's fields are text, but for ``data``, which is MessagePack of
``[base_ms, labels, series, times, columns]``, or of six elements, with ``weights`` at the end. ``labels`` is an
array of label sets, each an array. ``series`` holds an index into it for each event, ``times`` an offset in ms
from ``base_ms`` (which is ``first_ms``). ``columns`` has one column for each measure, nil when no event has it,
NaN where an event lacks it. ``weights`` says how many events each record stands for, 1 when it is left out; ``n``
counts records. A column is ``[code, bytes]``, little-endian, code one of ``B H I Q`` (unsigned integers) and ``d``
(float64).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, compress
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from barograph_core.decode_columns import FloatArray, IntArray, read_measure, read_weights, read_whole_numbers
from barograph_core.decode_header import Header, read_header
from barograph_core.decode_labels import count_label_sets, read_label_sets
from barograph_core.errors import MalformedEventError
from barograph_core.events import MAX_BATCH_BYTES, MAX_EVENTS_PER_BATCH, Kind, Measure
from barograph_core.messagepack import as_array, shown, unpack_array

# A quarter of a MB a column: what is joined from many entries must not fill the memory, and arrays twice as large
# make the allocator return and fetch their pages each time.
_MAX_EVENTS_AT_ONCE: Final = 1 << 15


# Not frozen, though nobody changes it: setting fifteen fields of a frozen one takes 1.6 µs more, which is a tenth of
# all that an entry of one event costs.
@dataclass(slots=True, eq=False)
class EventBatch:
    """A batch of events of one kind from one instance, every value checked.

    Attributes:
        n: How many records there are; each is one event, or stands for as many as its weight says.
        through_ms: Everything this instance saw earlier has been shipped.
        labels: The label sets that events refer to, without the status: ``(name, k1, v1, …)`` of a custom event.
        status: For each label set its status code, or ``None`` where the kind has none.
        series: For each event its index into ``labels``.
        times_ms: For each event its time, in no particular order.
        columns: For each measure of the kind the values (NaN: absent), or ``None`` when no event has it.
        first_ms: Time of the oldest event; ``last_ms`` that of the newest.
        weights: For each record how many events it stands for; ``None`` when each stands for itself.
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
    weights: npt.NDArray[np.int64] | None = None

    @property
    def events(self) -> int:
        """Return how many events the records stand for."""
        return self.n if self.weights is None else int(self.weights.sum())

    def expanded(self) -> "EventBatch":
        """Return the batch with each record as often as its weight says, up to ``MAX_WEIGHTED_EVENTS`` of them.

        ``weights`` still says which records there were more of.
        """
        weights = self.weights
        if weights is None:
            return self
        return replace(
            self,
            n=self.events,
            series=np.repeat(self.series, weights),
            times_ms=np.repeat(self.times_ms, weights),
            columns=tuple(None if column is None else np.repeat(column, weights) for column in self.columns),
            weights=np.repeat(weights, weights),
        )


def decode_batch(fields: Mapping[bytes, bytes]) -> EventBatch:
    """Read one entry of the events stream.

    Memory and time are bounded by ``MAX_BATCH_BYTES`` and ``MAX_EVENTS_PER_BATCH``. Unknown further fields
    are ignored.

    Raises:
        MalformedEventError: Anything is not as this module says. It carries the fields.
    """
    try:
        (batch,) = decode_batches([fields])
    except MalformedEventError as error:
        raise MalformedEventError(error.reason, fields) from error
    return batch


def decode_batches(entries: Sequence[Mapping[bytes, bytes]]) -> list[EventBatch]:
    """Read many entries of the events stream, each as ``decode_batch`` would, and return them in their order.

    Array operations are done for all entries of a kind at once, which is what makes small entries cheap.

    Raises:
        MalformedEventError: Some entry cannot be read; ``decode_batch`` tells which, one by one.
    """
    headers = [read_header(fields) for fields in entries]
    by_kind: dict[str, list[int]] = {}
    for position, header in enumerate(headers):
        by_kind.setdefault(header.source.kind.name, []).append(position)
    found: dict[int, EventBatch] = {}
    for positions in by_kind.values():
        for chunk in _chunks(positions, headers):
            found.update(zip(chunk, _decode_alike([headers[position] for position in chunk]), strict=True))
    return [found[position] for position in range(len(headers))]


class _Parts(NamedTuple):
    labels: object
    series: object
    times: object
    columns: tuple[object, ...]
    weights: object


def _chunks(positions: Sequence[int], headers: Sequence[Header]) -> Iterator[Sequence[int]]:
    start = count = 0
    for index, position in enumerate(positions):
        count += headers[position].n
        if count > _MAX_EVENTS_AT_ONCE:
            yield positions[start:index]
            start, count = index, headers[position].n
    yield positions[start:]


def _decode_alike(headers: Sequence[Header]) -> Iterator[EventBatch]:
    """Yield the batches of ``headers``, all of one kind."""
    kind = headers[0].source.kind
    all_parts = [_read_parts(header, kind) for header in headers]
    sizes = [header.n for header in headers]
    label_counts = [count_label_sets(parts.labels, size) for parts, size in zip(all_parts, sizes, strict=True)]
    labels, status = read_label_sets([parts.labels for parts in all_parts], kind)
    times_ms = _times_ms([parts.times for parts in all_parts], headers, sizes)
    series = _series([parts.series for parts in all_parts], label_counts, sizes)
    columns = [
        _column_views([parts.columns[index] for parts in all_parts], measure, sizes)
        for index, measure in enumerate(kind.measures)
    ]
    weights = _weights([parts.weights for parts in all_parts], sizes)
    start = first_label = 0
    for header, label_count, weight, values in zip(
        headers, label_counts, weights, zip(*columns, strict=True), strict=True
    ):
        end, last_label = start + header.n, first_label + label_count
        yield EventBatch(
            kind=kind,
            service=header.source.service,
            instance=header.source.instance,
            seq=header.seq,
            n=header.n,
            through_ms=header.through_ms,
            labels=tuple(labels[first_label:last_label]),
            status=None if status is None else status[first_label:last_label],
            series=series[start:end],
            times_ms=times_ms[start:end],
            columns=values,
            first_ms=header.first_ms,
            last_ms=header.last_ms,
            weights=weight,
        )
        start, first_label = end, last_label


def _read_parts(header: Header, kind: Kind) -> _Parts:
    data = header.data
    if len(data) > MAX_BATCH_BYTES:
        raise MalformedEventError(f"data of {len(data)} bytes is longer than {MAX_BATCH_BYTES}")
    parts = unpack_array(data, max_items=MAX_EVENTS_PER_BATCH)
    if len(parts) not in {5, 6}:
        raise MalformedEventError(f"data holds {len(parts)} parts, not 5 or 6")
    base_ms, labels, series, times, raw_columns, *weights = parts
    if type(base_ms) is not int or base_ms != header.first_ms:
        raise MalformedEventError(f"base_ms {shown(base_ms)} is not first_ms {header.first_ms}")
    columns = as_array(raw_columns)
    if columns is None or len(columns) != len(kind.measures):
        raise MalformedEventError(f"columns {shown(raw_columns)} is not one for each of {len(kind.measures)} measures")
    if weights == [None]:
        raise MalformedEventError("weights None is not a column of code and bytes")
    return _Parts(labels, series, times, columns, weights[0] if weights else None)


def _series(raws: Sequence[object], label_counts: Sequence[int], sizes: Sequence[int]) -> npt.NDArray[np.int32]:
    series = read_whole_numbers(raws, "series", sizes)
    most = np.repeat(label_counts, sizes) - 1
    is_wrong = series > most
    if is_wrong.any():
        raise MalformedEventError(f"series holds {series[is_wrong][0]}, more than {most[is_wrong][0]}")
    return series.astype(np.int32)


def _times_ms(raws: Sequence[object], headers: Sequence[Header], sizes: Sequence[int]) -> IntArray:
    offsets = read_whole_numbers(raws, "times", sizes)
    starts = list(accumulate(sizes[:-1], initial=0))
    oldest: list[int] = np.minimum.reduceat(offsets, starts).tolist()
    newest: list[int] = np.maximum.reduceat(offsets, starts).tolist()
    firsts = [header.first_ms for header in headers]
    spans = [header.last_ms - header.first_ms for header in headers]
    if any(oldest) or newest != spans:
        for first, least, most, header in zip(firsts, oldest, newest, headers, strict=True):
            if (first + least, first + most) != (header.first_ms, header.last_ms):
                raise MalformedEventError(
                    f"times span {first + least}..{first + most}, the header says {first}..{header.last_ms}"
                )
    offsets += np.repeat(np.array(firsts, np.int64), sizes)
    return offsets


def _column_views(raws: Sequence[object], measure: Measure, sizes: Sequence[int]) -> list[FloatArray | None]:
    """Return the column of a measure for each batch, ``None`` for those that lack it."""
    is_there = [raw is not None for raw in raws]
    if not any(is_there):
        return [None] * len(raws)
    values = read_measure(list(compress(raws, is_there)), measure, list(compress(sizes, is_there)))
    return list(_views(values, is_there, sizes))


def _views(values: FloatArray, is_there: Sequence[bool], sizes: Sequence[int]) -> Iterator[FloatArray | None]:
    start = 0
    for is_present, size in zip(is_there, sizes, strict=True):
        yield values[start : start + size] if is_present else None
        start += size * is_present


def _weights(raws: Sequence[object], sizes: Sequence[int]) -> list[IntArray | None]:
    # Only sampled requests have any, and few hosts sample.
    return [None if raw is None else read_weights(raw, size) for raw, size in zip(raws, sizes, strict=True)]
