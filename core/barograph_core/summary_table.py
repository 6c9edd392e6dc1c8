"""Summaries as columns: one row for each measure of each series, all folded in one pass."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from barograph_core.arrays import FloatArray, IntArray
from barograph_core.exact_sums import ExactSums
from barograph_core.row_groups import RowGroups, order_of
from barograph_core.sketch import BIN_LIMIT, Sketch, bins_of
from barograph_core.summary import Summary
from barograph_core.tally import tally_keys, tally_sorted

_ROW_SHIFT: Final = 18
# A cell of a table costs about 1 ns, putting a key in order by radix about 8.
_CELLS_PER_KEY: Final = 8
_BIN_MASK: Final = (1 << _ROW_SHIFT) - 1


@dataclass(frozen=True, slots=True, eq=False)
class SummaryTable:
    """The summaries of many rows.

    Attributes:
        counts: How many values each row has.
        minimum: The least value of each row, infinite in an empty one; ``maximum`` likewise.
        bins: Row and sketch bin in one integer, ascending, each at most once.
        bin_counts: How many values fell in each of ``bins``.
        totals: Exact sum of each row's values.
        squares: Exact sum of their squares, each rounded to a float64.
    """

    counts: IntArray
    minimum: FloatArray
    maximum: FloatArray
    bins: IntArray
    bin_counts: IntArray
    totals: ExactSums
    squares: ExactSums

    @classmethod
    def of_values(cls, values: FloatArray, rows: IntArray, size: int) -> "SummaryTable":
        """Summarise finite ``values``, each in the row that ``rows`` names, below ``size``."""
        keys, lowest, shift = _dense_keys(rows, bins_of(values))
        limit = size << shift
        is_sparse = limit > _CELLS_PER_KEY * len(keys)
        # Where a table would be mostly empty, the order that counts the bins serves the rows as well.
        groups = RowGroups.of(rows, size, order_of(keys, limit) if is_sparse else None)
        used, bin_counts = tally_sorted(keys[groups.order]) if is_sparse else tally_keys(keys, limit)
        values = values[groups.order]
        values += 0.0  # there must be one zero only, or the minimum would depend on the order
        minimum, maximum = np.full(size, math.inf), np.full(size, -math.inf)
        # reduceat refuses an empty array.
        if len(values):
            minimum[groups.rows] = np.minimum.reduceat(values, groups.starts)
            maximum[groups.rows] = np.maximum.reduceat(values, groups.starts)
        return cls(
            counts=groups.counts,
            minimum=minimum,
            maximum=maximum,
            bins=row_bins(used >> shift, (used & ((1 << shift) - 1)) + lowest),
            bin_counts=bin_counts,
            totals=ExactSums.of_grouped(values, groups, size),
            squares=ExactSums.of_grouped(values * values, groups, size),
        )

    @classmethod
    def fold(cls, parts: Sequence["SummaryTable"], rows: Sequence[IntArray], size: int) -> "SummaryTable":
        """Merge ``parts``; row ``i`` of a part goes into the row that its entry of ``rows`` names at ``i``."""
        target = np.concatenate(rows)
        counts = np.zeros(size, np.int64)
        np.add.at(counts, target, np.concatenate([part.counts for part in parts]))
        minimum, maximum = np.full(size, math.inf), np.full(size, -math.inf)
        np.minimum.at(minimum, target, np.concatenate([part.minimum for part in parts]))
        np.maximum.at(maximum, target, np.concatenate([part.maximum for part in parts]))
        bins, bin_counts = _tally_bins(
            np.concatenate([part_rows[part.bins >> _ROW_SHIFT] for part, part_rows in zip(parts, rows, strict=True)]),
            np.concatenate([part.bins & _BIN_MASK for part in parts]) - BIN_LIMIT,
            np.concatenate([part.bin_counts for part in parts]),
        )
        return cls(
            counts=counts,
            minimum=minimum,
            maximum=maximum,
            bins=bins,
            bin_counts=bin_counts,
            totals=ExactSums.fold([part.totals for part in parts], rows, size),
            squares=ExactSums.fold([part.squares for part in parts], rows, size),
        )

    def rows(self, start: int, end: int) -> "SummaryTable":
        """Return the rows from ``start`` to before ``end``."""
        first, last = np.searchsorted(self.bins, (start << _ROW_SHIFT, end << _ROW_SHIFT))
        return SummaryTable(
            counts=self.counts[start:end],
            minimum=self.minimum[start:end],
            maximum=self.maximum[start:end],
            bins=self.bins[first:last] - (start << _ROW_SHIFT),
            bin_counts=self.bin_counts[first:last],
            totals=self.totals.rows(start, end),
            squares=self.squares.rows(start, end),
        )

    def take(self, rows: IntArray) -> "SummaryTable":
        """Return the rows that ``rows`` names, ascending."""
        positions = new_positions(rows, len(self.counts))[self.bins >> _ROW_SHIFT]
        is_kept = positions >= 0
        return SummaryTable(
            counts=self.counts[rows],
            minimum=self.minimum[rows],
            maximum=self.maximum[rows],
            bins=(positions[is_kept] << _ROW_SHIFT) | (self.bins[is_kept] & _BIN_MASK),
            bin_counts=self.bin_counts[is_kept],
            totals=self.totals.take(rows),
            squares=self.squares.take(rows),
        )

    def summaries(self) -> list[Summary]:
        """Return the summary of each row."""
        ends = np.searchsorted(self.bins, np.arange(len(self.counts) + 1) << _ROW_SHIFT).tolist()
        bins = (self.bins & _BIN_MASK) - BIN_LIMIT
        return [
            Summary(count, total, squares, minimum, maximum, Sketch(bins[start:end], self.bin_counts[start:end]))
            for count, total, squares, minimum, maximum, start, end in zip(
                self.counts.tolist(),
                self.totals.sums(),
                self.squares.sums(),
                self.minimum.tolist(),
                self.maximum.tolist(),
                ends[:-1],
                ends[1:],
                strict=True,
            )
        ]


def new_positions(kept: IntArray, size: int) -> IntArray:
    """Return for each of ``size`` old positions its place in ``kept``, or -1."""
    positions = np.full(size, -1, np.int64)
    positions[kept] = np.arange(len(kept))
    return positions


def row_bins(rows: IntArray, bins: IntArray) -> IntArray:
    """Return row and bin as one integer that sorts by row, then by bin."""
    return (rows << _ROW_SHIFT) + (bins + BIN_LIMIT)


def split_row_bins(keys: IntArray) -> tuple[IntArray, IntArray]:
    """Undo ``row_bins``."""
    return keys >> _ROW_SHIFT, (keys & _BIN_MASK) - BIN_LIMIT


def _tally_bins(rows: IntArray, bins: IntArray, counts: IntArray) -> tuple[IntArray, IntArray]:
    keys, lowest, shift = _dense_keys(rows, bins)
    keys, tally = tally_keys(keys, (int(rows.max(initial=0)) + 1) << shift, counts)
    return row_bins(keys >> shift, (keys & ((1 << shift) - 1)) + lowest), tally


def _dense_keys(rows: IntArray, bins: IntArray) -> tuple[IntArray, int, int]:
    """Return ``row << shift | bin - lowest`` for each, lowest and shift.

    Without the gaps of row_bins there are few enough keys, mostly, to count in a table instead of sorting.
    """
    lowest = int(bins.min(initial=BIN_LIMIT))
    shift = (int(bins.max(initial=lowest)) - lowest).bit_length()
    return (rows << shift) + (bins - lowest), lowest, shift
