"""A column of the heatmap: how many requests took how long, in rows of whole sketch bins, so that counts are exact."""

from typing import Final

import numpy as np

from barograph_core.numerics.arrays import IntArray
from barograph_core.numerics.sketch import bins_of
from barograph_core.panes.summary import Summary

ROWS_PER_OCTAVE: Final = 2
# 64 sketch bins make an octave.
_BINS_PER_ROW_SHIFT: Final = 5
# Number of the first row of each column. Row `row` of a column covers the values from
# 2^floor(k/2) * (1 + (k mod 2)/2) on, with k = ROW0 + row: the first begins at 2^-10, which is 1 µs where the
# measure is in ms.
ROW0: Final = -20
# Number of rows. The last begins at 2^37.5 ms, 6 years.
ROWS: Final = 96
_FIRST: Final = (int(bins_of(np.ones(1))[0]) >> _BINS_PER_ROW_SHIFT) + ROW0


def heat_rows(bins: IntArray) -> IntArray:
    """Return the row of each sketch bin. The first row also takes all smaller values, the last all larger ones."""
    rows: IntArray = np.clip((bins >> _BINS_PER_ROW_SHIFT) - _FIRST, 0, ROWS - 1)
    return rows


def heat_column(summary: Summary | None) -> list[int]:
    """Return ``[row, count, row, count, …]``, rows ascending, of the rows that hold a value."""
    return [] if summary is None else sparse_column(heat_rows(summary.bins), summary.bin_counts)


def sparse_column(rows: IntArray, counts: IntArray) -> list[int]:
    """Return the sum of ``counts`` by row as ``[row, count, row, count, …]``."""
    totals = np.zeros(ROWS, np.int64)
    np.add.at(totals, rows, counts)
    used = np.flatnonzero(totals)
    column: list[int] = np.column_stack((used, totals[used])).ravel().tolist()
    return column
