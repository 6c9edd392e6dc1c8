"""Panes as bytes: ``[version, kind, series, columns, kind, series, columns, …]`` in MessagePack.

Equal panes give equal bytes: series and bins are sorted, widths and sums have one form.
Empty rows (a measure that no event of a series had) take one byte, for their count of 0.
"""

from collections.abc import Sequence
from itertools import accumulate, chain, pairwise
from typing import Final

import numpy as np

from barograph_core.arrays import FloatArray, IntArray
from barograph_core.errors import MalformedEventError
from barograph_core.events import KINDS, MAX_FREE_LABELS, MAX_LABEL_BYTES, MAX_MAGNITUDE, Kind, Labels
from barograph_core.exact_sums import MAX_DIGITS, ExactSums
from barograph_core.messagepack import pack, unpack_array
from barograph_core.packed_columns import ColumnReader, ColumnWriter
from barograph_core.series_table import STATUS_SPAN, SeriesTable
from barograph_core.sketch import BIN_LIMIT, bins_of
from barograph_core.summary_table import SummaryTable, row_bins, split_row_bins
from barograph_core.tally import sum_by_row

PANE_VERSION: Final = 1
MAX_PANE_BYTES: Final = 32 * 1_048_576
MAX_PANE_SERIES: Final = 100_000
_NONE: Final = b"\0"
_SOME: Final = b"\1"
# 128 MB: only a forged pane has so many rows whose sums span all magnitudes.
_MAX_DIGIT_CELLS: Final = 1 << 24


def pack_tables(tables: Sequence[SeriesTable]) -> bytes:
    """Pack the tables of one pane, which are in the order of ``events.KINDS``."""
    parts = ((table.kind.name, len(table.labels), _pack_table(table)) for table in tables)
    return pack([PANE_VERSION, *chain.from_iterable(parts)])


def unpack_tables(data: bytes) -> list[SeriesTable]:
    """Read what ``pack_tables`` wrote; nothing else, not even the same in another form.

    Raises:
        MalformedEventError: It is anything else.
    """
    if len(data) > MAX_PANE_BYTES:
        raise MalformedEventError(f"a pane of {len(data)} bytes is longer than {MAX_PANE_BYTES}")
    version, *parts = unpack_array(data, max_items=1 + 3 * len(KINDS)) or (None,)
    if type(version) is not int or version != PANE_VERSION:
        raise MalformedEventError(f"pane version {version!r:.60} is not {PANE_VERSION}")
    if len(parts) % 3:
        raise MalformedEventError(f"a pane of {len(parts)} parts is not three for each kind")
    names = [name.decode(errors="replace") if isinstance(name, bytes) else "" for name in parts[::3]]
    if names != [name for name in KINDS if name in names]:
        raise MalformedEventError(f"pane kinds {names!r:.60} are not known, in order, once each")
    tables = [
        _unpack_table(KINDS[name], size, content)
        for name, size, content in zip(names, parts[1::3], parts[2::3], strict=True)
    ]
    # MessagePack has several forms of a number or a length, and panes are compared as bytes.
    if pack([version, *parts]) != data:
        raise MalformedEventError("a pane is not in its shortest form")
    return tables


def _pack_table(table: SeriesTable) -> bytes:
    writer = ColumnWriter()
    _write_labels(writer, table.labels)
    writer.integers(table.events)
    _write_estimated(writer, table.estimated)
    if table.kind.has_status:
        series, codes = np.divmod(table.status, STATUS_SPAN)
        writer.integers(np.bincount(series, minlength=len(table.labels)))
        writer.integers(codes)
        writer.integers(table.status_counts)
    _write_summaries(writer, table.summaries)
    return writer.content()


def _unpack_table(kind: Kind, size: object, content: object) -> SeriesTable:
    if type(size) is not int or not 1 <= size <= MAX_PANE_SERIES:
        raise MalformedEventError(f"{size!r:.60} is not 1 to {MAX_PANE_SERIES} series")
    if not isinstance(content, bytes):
        raise MalformedEventError(f"columns of {kind.name} are not bytes")
    reader = ColumnReader(content)
    labels = _read_labels(reader, kind, size)
    events = reader.integers(size, "events", least=1)
    estimated = _read_estimated(reader, events)
    status = status_counts = np.empty(0, np.int64)
    if kind.has_status:
        status, status_counts = _read_status(reader, events)
    summaries = _read_summaries(reader, np.repeat(events, len(kind.measures)))
    reader.finish()
    return SeriesTable(kind, labels, events, estimated, status, status_counts, summaries)


def _write_labels(writer: ColumnWriter, labels: Sequence[Labels]) -> None:
    texts = list(chain.from_iterable(labels))
    content = "".join(texts).encode()
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    # In ASCII, as most are, a character is a byte.
    if int(lengths.sum()) != len(content):
        lengths = np.array([len(text.encode()) for text in texts], np.int64)
    writer.integers(np.fromiter(map(len, labels), np.int64, len(labels)))
    writer.integers(lengths)
    writer.raw(content)


def _read_labels(reader: ColumnReader, kind: Kind, size: int) -> list[Labels]:
    fixed = len(kind.labels)
    free = 2 * MAX_FREE_LABELS if kind.has_free_labels else 0
    widths = reader.integers(size, "label widths", most=fixed + free)
    # A series without labels is the whole of its kind.
    if not ((widths == 0) | ((widths >= fixed) & ((widths - fixed) % 2 == 0))).all():
        raise MalformedEventError(f"label widths do not fit kind {kind.name}")
    lengths = reader.integers(int(widths.sum()), "label lengths", most=MAX_LABEL_BYTES)
    content = reader.raw(int(lengths.sum()), "labels")
    try:
        texts = [content[start:end].decode() for start, end in pairwise(accumulate(lengths.tolist(), initial=0))]
    except UnicodeDecodeError as error:
        raise MalformedEventError("pane labels are not UTF-8") from error
    labels = [tuple(texts[start:end]) for start, end in pairwise(accumulate(widths.tolist(), initial=0))]
    if any(left >= right for left, right in pairwise(labels)):
        raise MalformedEventError("pane labels are repeated or not sorted")
    return labels


def _write_estimated(writer: ColumnWriter, estimated: IntArray) -> None:
    # Most panes hold no estimate, and take one byte to say so.
    is_any = bool(estimated.any())
    writer.raw(_SOME if is_any else _NONE)
    if is_any:
        writer.integers(estimated)


def _read_estimated(reader: ColumnReader, events: IntArray) -> IntArray:
    mark = reader.raw(1, "estimated")
    if mark == _NONE:
        return np.zeros(len(events), np.int64)
    if mark != _SOME:
        raise MalformedEventError(f"estimated has the unknown mark {mark!r}")
    estimated = reader.integers(len(events), "estimated")
    if not estimated.any() or (estimated > events).any():
        raise MalformedEventError("estimated counts are all 0, or exceed the events")
    return estimated


def _read_status(reader: ColumnReader, events: IntArray) -> tuple[IntArray, IntArray]:
    widths = reader.integers(len(events), "status widths", most=STATUS_SPAN)
    total = int(widths.sum())
    series = np.repeat(np.arange(len(events)), widths)
    status = series * STATUS_SPAN + reader.integers(total, "status codes", most=STATUS_SPAN - 1)
    counts = reader.integers(total, "status counts", least=1)
    if (np.diff(status) <= 0).any():
        raise MalformedEventError("status codes are repeated or not sorted")
    if not np.array_equal(sum_by_row(counts, series, len(events)), events):
        raise MalformedEventError("status counts do not add up to the events")
    return status, counts


def _write_summaries(writer: ColumnWriter, table: SummaryTable) -> None:
    writer.integers(table.counts)
    filled = np.flatnonzero(table.counts)
    writer.floats(table.minimum[filled])
    writer.floats(table.maximum[filled])
    rows, bins = split_row_bins(table.bins)
    widths = np.bincount(rows, minlength=len(table.counts))[filled]
    is_first = np.diff(rows, prepend=-1) > 0
    writer.integers(widths)
    writer.integers(bins[is_first] + BIN_LIMIT)
    writer.integers(np.diff(bins, prepend=0)[~is_first] - 1)
    writer.integers(table.bin_counts)
    _write_sums(writer, table.totals, filled)
    _write_sums(writer, table.squares, filled)


def _read_summaries(reader: ColumnReader, most: IntArray) -> SummaryTable:
    counts = reader.integers(len(most), "counts")
    if (counts > most).any():
        raise MalformedEventError("a measure has more values than its series has events")
    filled = np.flatnonzero(counts)
    minimum, maximum = np.full(len(counts), np.inf), np.full(len(counts), -np.inf)
    minimum[filled] = least = reader.floats(len(filled), "minimum")
    maximum[filled] = greatest = reader.floats(len(filled), "maximum")
    # Written so that NaN fails.
    if not ((least >= -MAX_MAGNITUDE) & (least <= greatest) & (greatest <= MAX_MAGNITUDE)).all():
        raise MalformedEventError("minimum and maximum are not finite and in order")
    extremes = np.concatenate((least, greatest))
    if (np.signbit(extremes) & (extremes == 0)).any():
        raise MalformedEventError("a minimum or maximum is a negative zero")
    bins, bin_counts = _read_bins(reader, filled, counts[filled], least, greatest)
    return SummaryTable(
        counts=counts,
        minimum=minimum,
        maximum=maximum,
        bins=bins,
        bin_counts=bin_counts,
        totals=_read_sums(reader, filled, len(counts), "totals"),
        squares=_read_sums(reader, filled, len(counts), "squares"),
    )


def _read_bins(
    reader: ColumnReader, rows: IntArray, counts: IntArray, minimum: FloatArray, maximum: FloatArray
) -> tuple[IntArray, IntArray]:
    widths = reader.integers(len(rows), "bin widths", most=2 * BIN_LIMIT, least=1)
    total = int(widths.sum())
    ends = np.cumsum(widths)
    starts = ends - widths
    first = reader.integers(len(rows), "first bins", most=2 * BIN_LIMIT - 1) - BIN_LIMIT
    steps = reader.integers(total - len(rows), "bin steps", most=2 * BIN_LIMIT)
    is_first = np.zeros(total, np.bool_)
    is_first[starts] = True
    bins = np.zeros(total, np.int64)
    bins[~is_first] = steps + 1
    bins = np.cumsum(bins)
    bins += np.repeat(first - bins[starts], widths)
    # Both ends being right, all between them is in range.
    if not (np.array_equal(first, bins_of(minimum)) and np.array_equal(bins[ends - 1], bins_of(maximum))):
        raise MalformedEventError("bins do not begin at the minimum and end at the maximum")
    bin_counts = reader.integers(total, "bin counts", least=1)
    positions = np.repeat(np.arange(len(rows)), widths)
    if not np.array_equal(sum_by_row(bin_counts, positions, len(rows)), counts):
        raise MalformedEventError("bin counts do not add up to the count")
    return row_bins(rows[positions], bins), bin_counts


def _write_sums(writer: ColumnWriter, sums: ExactSums, filled: IntArray) -> None:
    digits = sums.digits[:, filled]
    is_used = digits != 0
    size = len(digits)
    first = is_used.argmax(axis=0) if size else np.zeros(len(filled), np.int64)
    last = size - 1 - is_used[::-1].argmax(axis=0) if size else first
    is_zero = ~is_used.any(axis=0)
    writer.integers(np.where(is_zero, 0, first + sums.low))
    writer.integers(np.where(is_zero, 0, last - first + 1))
    position = np.arange(size)[:, None]
    is_inside = (position >= first) & (position <= last) & ~is_zero
    writer.digits(digits.T[is_inside.T])


def _read_sums(reader: ColumnReader, filled: IntArray, size: int, name: str) -> ExactSums:
    lows = reader.integers(len(filled), name, most=MAX_DIGITS)
    widths = reader.integers(len(filled), name, most=MAX_DIGITS)
    content = reader.digits(int(widths.sum()), name)
    is_zero = widths == 0
    if (lows[is_zero] != 0).any():
        raise MalformedEventError(f"{name} hold a zero in another form")
    if not len(content):
        return ExactSums(np.zeros((0, size), np.int64), 0)
    low, high = int(lows[~is_zero].min()), int((lows + widths).max())
    if high > MAX_DIGITS or (high - low) * size > _MAX_DIGIT_CELLS:
        raise MalformedEventError(f"{name} span {high - low} digits of {size} rows")
    ends = np.cumsum(widths)
    starts = ends - widths
    if not (content[starts[~is_zero]].all() and content[ends[~is_zero] - 1].all()):
        raise MalformedEventError(f"{name} begin or end with a digit 0")
    digits = np.zeros((high - low, size), np.int64)
    digits[np.arange(len(content)) + np.repeat(lows - low - starts, widths), np.repeat(filled, widths)] = content
    return ExactSums(digits, low)
