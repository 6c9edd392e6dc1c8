"""Reads of many packed panes only what a chart draws of one kind, each pane's events as one series.

An hour of a chart is 360 panes, and to unpack one whole takes half a millisecond. Here a pane takes a twentieth of
that: sums are left out, and so are the checks against foreign bytes. `codec.unpack_tables` stays the reader for all
that is merged and written again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from barograph_core.errors import MalformedEventError
from barograph_core.events.kinds import Kind, Labels
from barograph_core.events.messagepack import unpack_array
from barograph_core.numerics.arrays import BoolArray, FloatArray, IntArray
from barograph_core.numerics.sketch import BIN_LIMIT
from barograph_core.panes.codec import MAX_KINDS, PARTS_PER_KIND, read_measure_count

Column = npt.NDArray[np.generic]
_UNSIGNED: Final[dict[int, "np.dtype[np.generic]"]] = {
    ord("B"): np.dtype("<u1"),
    ord("H"): np.dtype("<u2"),
    ord("I"): np.dtype("<u4"),
    ord("Q"): np.dtype("<u8"),
}
_FLOAT: Final = np.dtype("<f8")
_NOTHING: Final[Column] = np.empty(0, np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """Events of one kind and values of one of its measures, in many panes. A pane is named by its place in the list.

    Attributes:
        events: How many events each pane has.
        minimum: The least value of each pane, infinite where there is none; ``maximum`` likewise.
        status_panes: The pane of each entry of ``status``; a pane may hold a code more than once.
        status: Status codes.
        status_counts: How many events had that code.
        bin_panes: The pane of each entry of ``bins``; a pane may hold a bin more than once.
        bins: Sketch bins.
        bin_counts: How many values fell in that bin.
    """

    events: IntArray
    minimum: FloatArray
    maximum: FloatArray
    status_panes: IntArray
    status: IntArray
    status_counts: IntArray
    bin_panes: IntArray
    bins: IntArray
    bin_counts: IntArray


def read_outline(
    packed: Sequence[bytes], kind: Kind, measure: int, keep: Callable[[Labels], bool] | None = None
) -> Outline:
    """Read what ``codec.pack_tables`` wrote and the server kept.

    Args:
        packed: One for each pane.
        kind: The only kind that is read.
        measure: Place of the measure among the kind's.
        keep: Says of the labels of a series whether it counts; all count when ``None``.

    Raises:
        MalformedEventError: A pane is of an unknown version, has more measures of the kind than this version knows, or
            its columns end too early.
    """
    tables: list[_Table] = []
    masks: dict[bytes, BoolArray] = {}
    for place, data in enumerate(packed):
        found = _columns_of(data, kind)
        if found is not None:
            try:
                tables.append(_read_table(*found, place, kind, keep, masks))
            except (ValueError, IndexError, KeyError) as error:
                raise MalformedEventError(f"columns of {kind.name} cannot be read: {error}") from error
    return _join(tables, len(packed), measure)


def _columns_of(data: bytes, kind: Kind) -> tuple[bytes, int, int] | None:
    """Return the columns of a kind, how many series they hold, and how many measures of each."""
    version, *parts = unpack_array(data, max_items=1 + max(PARTS_PER_KIND.values()) * MAX_KINDS) or (None,)
    width = PARTS_PER_KIND.get(version) if isinstance(version, int) else None
    if width is None:
        raise MalformedEventError(f"pane version {version!r:.60} is not one of {', '.join(map(str, PARTS_PER_KIND))}")
    name = kind.name.encode()
    for at in range(0, len(parts) - width + 1, width):
        found, *stated = parts[at : at + width]
        if found == name:
            *counts, size, content = stated
            if not (isinstance(size, int) and isinstance(content, bytes)):
                raise MalformedEventError(f"columns of {kind.name} are not a number of series and bytes")
            return content, size, read_measure_count(kind, counts)
    return None


@dataclass(slots=True)  # not frozen: to make one costs a third, and a chart makes hundreds
class _Table:
    """The columns of one pane, as they lie in it. ``kept``: which series count, all when ``None``."""

    place: int
    measures: int
    kept: BoolArray | None
    events: Column
    status_widths: Column
    status: Column
    status_counts: Column
    counts: Column
    minimum: Column
    maximum: Column
    widths: Column
    first: Column
    steps: Column
    bin_counts: Column


class _Reader:
    """Takes columns in the order in which ``ColumnWriter`` wrote them."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.position = 0

    def integers(self, count: int) -> Column:
        start = self.position + 1
        dtype = _UNSIGNED[self.content[start - 1]]
        self.position = start + count * dtype.itemsize
        return np.frombuffer(self.content, dtype, count, start) if count else _NOTHING

    def floats(self, count: int) -> Column:
        start = self.position
        self.position += 8 * count
        return np.frombuffer(self.content, _FLOAT, count, start) if count else np.empty(0)

    def mark(self) -> int:
        self.position += 1
        return self.content[self.position - 1]


def _read_table(
    content: bytes,
    size: int,
    measures: int,
    place: int,
    kind: Kind,
    keep: Callable[[Labels], bool] | None,
    masks: dict[bytes, BoolArray],
) -> _Table:
    reader = _Reader(content)
    widths = reader.integers(size)
    lengths = reader.integers(_sum(widths))
    texts_at = reader.position
    reader.position += _sum(lengths)
    kept = None
    if keep is not None:
        # Most panes of a service hold the same series: their labels are decoded once.
        head = content[: reader.position]
        kept = masks.get(head)
        if kept is None:
            labels = _labels(content, texts_at, widths.tolist(), lengths.tolist())
            kept = masks[head] = np.array([keep(one) for one in labels], np.bool_)
    events = reader.integers(size)
    if reader.mark():
        reader.integers(size)
    status_widths: Column = np.zeros(size, np.uint8)
    status = status_counts = _NOTHING
    if kind.has_status:
        status_widths = reader.integers(size)
        codes = _sum(status_widths)
        status, status_counts = reader.integers(codes), reader.integers(codes)
    counts = reader.integers(size * measures)
    filled = int(np.count_nonzero(counts))
    minimum, maximum = reader.floats(filled), reader.floats(filled)
    bin_widths, first = reader.integers(filled), reader.integers(filled)
    bins = _sum(bin_widths)
    steps = reader.integers(bins - filled)
    return _Table(
        place,
        measures,
        kept,
        events,
        status_widths,
        status,
        status_counts,
        counts,
        minimum,
        maximum,
        bin_widths,
        first,
        steps,
        reader.integers(bins),
    )


def _sum(column: Column) -> int:
    # The ufunc itself: the method takes twice as long for the few values of a pane.
    return int(np.add.reduce(column))


def _labels(content: bytes, texts_at: int, widths: list[int], lengths: list[int]) -> list[Labels]:
    texts = [content[start:end].decode() for start, end in pairwise(accumulate(lengths, initial=texts_at))]
    return [tuple(texts[start:end]) for start, end in pairwise(accumulate(widths, initial=0))]


def _join(tables: Sequence[_Table], panes: int, measure: int) -> Outline:
    places = np.array([table.place for table in tables], np.int64)
    series_panes = np.repeat(places, [len(table.events) for table in tables])
    is_kept = _joined([np.ones(len(t.events), np.bool_) if t.kept is None else t.kept for t in tables]) > 0
    events = np.zeros(panes, np.int64)
    np.add.at(events, series_panes, _joined([table.events for table in tables]) * is_kept)

    status_series = np.repeat(np.arange(len(series_panes)), _joined([table.status_widths for table in tables]))
    counted = is_kept[status_series]

    filled = np.flatnonzero(_joined([table.counts for table in tables]))
    # A pane of an earlier version may hold fewer measures.
    measures = np.repeat(np.array([table.measures for table in tables], np.int64), [len(t.events) for t in tables])
    first_rows = np.cumsum(measures) - measures
    row_series = np.repeat(np.arange(len(series_panes)), measures)[filled]
    is_row_kept = is_kept[row_series] & (filled - first_rows[row_series] == measure)
    row_panes = series_panes[row_series]
    minimum, maximum = np.full(panes, np.inf), np.full(panes, -np.inf)
    least = np.concatenate([np.empty(0), *(table.minimum for table in tables)])
    greatest = np.concatenate([np.empty(0), *(table.maximum for table in tables)])
    np.minimum.at(minimum, row_panes[is_row_kept], least[is_row_kept])
    np.maximum.at(maximum, row_panes[is_row_kept], greatest[is_row_kept])

    widths = _joined([table.widths for table in tables])
    is_bin_kept = np.repeat(is_row_kept, widths)
    return Outline(
        events=events,
        minimum=minimum,
        maximum=maximum,
        status_panes=series_panes[status_series][counted],
        status=_joined([table.status for table in tables])[counted],
        status_counts=_joined([table.status_counts for table in tables])[counted],
        bin_panes=np.repeat(row_panes, widths)[is_bin_kept],
        bins=_bins(tables, widths)[is_bin_kept],
        bin_counts=_joined([table.bin_counts for table in tables])[is_bin_kept],
    )


def _bins(tables: Sequence[_Table], widths: IntArray) -> IntArray:
    """Return the bins of all rows: each row begins with its first bin, and each further one is a step beyond."""
    first = _joined([table.first for table in tables]) - BIN_LIMIT
    starts = np.cumsum(widths) - widths
    bins = np.ones(int(widths.sum()), np.int64)
    is_later = np.ones(len(bins), np.bool_)
    is_later[starts] = False
    bins[is_later] += _joined([table.steps for table in tables])
    bins = np.cumsum(bins)
    bins += np.repeat(first - bins[starts], widths)
    return bins


def _joined(columns: Sequence[Column]) -> IntArray:
    # An empty column of int64 leads, so that there is always one.
    return np.concatenate([np.empty(0, np.int64), *columns]).astype(np.int64, copy=False)
