"""Summaries as columns: one row for each measure of each series, all folded in one pass."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from barograph_core.numerics.arrays import FloatArray, IntArray
from barograph_core.numerics.exact import ExactSums
from barograph_core.numerics.grouping import RowGroups, count_keys, count_sorted, order_of, starts_of
from barograph_core.numerics.sketch import BIN_LIMIT, Sketch, bin_values, bins_of
from barograph_core.panes.summary import Summary

_ROW_SHIFT: Final = 18
# Limit up to which a table is faster than sorting: a cell costs about 1 ns, sorting a key by radix about 8.
_CELLS_PER_KEY: Final = 8
_BIN_MASK: Final = (1 << _ROW_SHIFT) - 1


@dataclass(frozen=True, slots=True, eq=False)
class SummaryTable:
    """The summaries of many rows.

    Attributes:
        counts: Number of values of each row.
        minimum: The least value of each row; positive infinity in an empty row.
        maximum: The greatest value of each row; negative infinity in an empty row.
        bins: Row and sketch bin in one integer, ascending, each at most once.
        bin_counts: Number of values in each of ``bins``.
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
        """Summarise finite ``values``; ``rows`` holds the row of each, below ``size``."""
        keys, lowest, shift = _dense_keys(rows, bins_of(values))
        limit = size << shift
        is_sparse = limit > _CELLS_PER_KEY * len(keys)
        # Where a table would be mostly empty, sorting counts the bins, and the same order groups the rows.
        groups = RowGroups.of(rows, size, order_of(keys, limit) if is_sparse else None)
        used, bin_counts = count_sorted(keys[groups.order]) if is_sparse else count_keys(keys, limit)
        values = values[groups.order]
        values += 0.0  # Turns -0.0 into 0.0, because with two zeros the minimum would depend on the order.
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
        """Merge ``parts``; row ``i`` of part ``p`` is merged into row ``rows[p][i]``."""
        target = np.concatenate(rows)
        counts = np.zeros(size, np.int64)
        np.add.at(counts, target, np.concatenate([part.counts for part in parts]))
        minimum, maximum = np.full(size, math.inf), np.full(size, -math.inf)
        np.minimum.at(minimum, target, np.concatenate([part.minimum for part in parts]))
        np.maximum.at(maximum, target, np.concatenate([part.maximum for part in parts]))
        bins, bin_counts = _count_bins(
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

    @classmethod
    def concatenated(cls, parts: Sequence["SummaryTable"]) -> "SummaryTable":
        """Return the rows of ``parts``, at least one, one after the other."""
        starts = starts_of([len(part.counts) for part in parts])
        first = np.repeat(starts, [len(part.bins) for part in parts])
        return cls(
            counts=np.concatenate([part.counts for part in parts]),
            minimum=np.concatenate([part.minimum for part in parts]),
            maximum=np.concatenate([part.maximum for part in parts]),
            bins=np.concatenate([part.bins for part in parts]) + (first << _ROW_SHIFT),
            bin_counts=np.concatenate([part.bin_counts for part in parts]),
            totals=ExactSums.concatenated([part.totals for part in parts]),
            squares=ExactSums.concatenated([part.squares for part in parts]),
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
        """Return the rows whose numbers are in ``rows``, in that order; a row may be taken more than once."""
        bins, counts = runs_of(self.bins, rows << _ROW_SHIFT, (rows + 1) << _ROW_SHIFT)
        return SummaryTable(
            counts=self.counts[rows],
            minimum=self.minimum[rows],
            maximum=self.maximum[rows],
            bins=(np.repeat(np.arange(len(rows)), counts) << _ROW_SHIFT) | (self.bins[bins] & _BIN_MASK),
            bin_counts=self.bin_counts[bins],
            totals=self.totals.take(rows),
            squares=self.squares.take(rows),
        )

    def counts_around(self, rows: IntArray, number: int) -> tuple[IntArray, IntArray]:
        """Return how many values of each of ``rows`` are in the bins below bin ``number``, and how many in that one."""
        cumulated = np.concatenate([[0], np.cumsum(self.bin_counts)])
        edge = row_bins(rows, np.full(len(rows), number, np.int64))
        first, lower, upper = (
            cumulated[np.searchsorted(self.bins, one)] for one in (rows << _ROW_SHIFT, edge, edge + 1)
        )
        return lower - first, upper - lower

    def quantiles(self, rows: IntArray, q: float) -> FloatArray:
        """Return of each of ``rows`` what ``Summary.quantile`` returns, NaN for a row without values.

        Args:
            rows: Numbers of rows.
            q: 0 to 1, both included.
        """
        cumulated = np.concatenate([[0], np.cumsum(self.bin_counts)])
        before = cumulated[np.searchsorted(self.bins, rows << _ROW_SHIFT)]
        counts = self.counts[rows]
        found = np.full(len(rows), math.nan)
        is_filled = counts > 0
        ranks = (q * (counts[is_filled] - 1)).astype(np.int64)
        at = np.searchsorted(cumulated[1:], before[is_filled] + ranks, side="right")
        values = bin_values((self.bins[at] & _BIN_MASK) - BIN_LIMIT)
        kept = rows[is_filled]
        found[is_filled] = np.minimum(np.maximum(values, self.minimum[kept]), self.maximum[kept])
        return found

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


def runs_of(keys: IntArray, first: IntArray, end: IntArray) -> tuple[IntArray, IntArray]:
    """Return the positions of the keys in ``[first, end)`` of each run, run by run, and how many each run has.

    Args:
        keys: Ascending.
        first: Where each run begins.
        end: Where it ends.
    """
    starts = np.searchsorted(keys, first)
    counts = np.searchsorted(keys, end) - starts
    return np.repeat(starts - (np.cumsum(counts) - counts), counts) + np.arange(int(counts.sum())), counts


def row_bins(rows: IntArray, bins: IntArray) -> IntArray:
    """Return row and bin as one integer that sorts by row, then by bin."""
    return (rows << _ROW_SHIFT) + (bins + BIN_LIMIT)


def split_row_bins(keys: IntArray) -> tuple[IntArray, IntArray]:
    """Return the rows and the bins that ``row_bins`` was given."""
    return keys >> _ROW_SHIFT, (keys & _BIN_MASK) - BIN_LIMIT


def _count_bins(rows: IntArray, bins: IntArray, counts: IntArray) -> tuple[IntArray, IntArray]:
    keys, lowest, shift = _dense_keys(rows, bins)
    keys, tally = count_keys(keys, (int(rows.max(initial=0)) + 1) << shift, counts)
    return row_bins(keys >> shift, (keys & ((1 << shift) - 1)) + lowest), tally


def _dense_keys(rows: IntArray, bins: IntArray) -> tuple[IntArray, int, int]:
    """Return ``row << shift | bin - lowest`` for each, ``lowest`` and ``shift``.

    These keys lack the gaps of ``row_bins``, so there are mostly few enough to count them in a table.
    """
    lowest = int(bins.min(initial=BIN_LIMIT))
    shift = (int(bins.max(initial=lowest)) - lowest).bit_length()
    return (rows << shift) + (bins - lowest), lowest, shift
