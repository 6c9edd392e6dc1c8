"""The summaries of a packed pane: counts, extremes, sketches and exact sums, column by column."""

from typing import Final

import numpy as np

from barograph_core.errors import MalformedEventError
from barograph_core.events.kinds import MAX_MAGNITUDE
from barograph_core.numerics.arrays import FloatArray, IntArray
from barograph_core.numerics.exact import MAX_DIGITS, ExactSums
from barograph_core.numerics.grouping import sum_by_row
from barograph_core.numerics.sketch import BIN_LIMIT, bins_of
from barograph_core.panes.packed_columns import ColumnReader, ColumnWriter
from barograph_core.panes.summary_table import SummaryTable, row_bins, split_row_bins

# Limit of digits times rows, 128 MB: only a forged pane has so many rows whose sums span all magnitudes.
_MAX_DIGIT_CELLS: Final = 1 << 24


def write_summaries(writer: ColumnWriter, table: SummaryTable) -> None:
    """Add the columns of ``table``."""
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


def read_summaries(reader: ColumnReader, most: IntArray) -> SummaryTable:
    """Read the columns that ``write_summaries`` added.

    Args:
        reader: At the first of the columns.
        most: For each row the greatest number of values that it can have.

    Raises:
        MalformedEventError: They are not such columns.
    """
    counts = reader.integers(len(most), "counts")
    if (counts > most).any():
        raise MalformedEventError("a measure has more values than its series has events")
    filled = np.flatnonzero(counts)
    minimum, maximum = np.full(len(counts), np.inf), np.full(len(counts), -np.inf)
    minimum[filled] = least = reader.floats(len(filled), "minimum")
    maximum[filled] = greatest = reader.floats(len(filled), "maximum")
    # Each comparison is false for NaN, so that NaN is refused.
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
    # Bins ascend, so if both ends are right, all between them are in range.
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
