"""Counts how often each key occurs, by the cheaper of two ways."""

from typing import Final

import numpy as np

from barograph_core.arrays import IntArray

# A cell of a table costs about 1 ns, sorting a key of 32 bits about 20.
_CELLS_PER_KEY: Final = 16
_LIMIT_OF_INT32: Final = 1 << 31


def tally_keys(keys: IntArray, limit: int, counts: IntArray | None = None) -> tuple[IntArray, IntArray]:
    """Return the distinct ``keys``, ascending, and how often each occurs.

    Args:
        keys: In 0 .. ``limit`` - 1.
        limit: The table that would do without sorting has so many cells.
        counts: What each key counts for; 1 when not given.
    """
    if limit <= _CELLS_PER_KEY * len(keys):
        if counts is None:
            tally = np.bincount(keys, minlength=limit)
        else:
            tally = np.zeros(limit, np.int64)
            np.add.at(tally, keys, counts)
        # Of flags, because to look for them in a column of int64 takes five times as long.
        used = np.flatnonzero(tally != 0)
        return used, tally[used]
    if counts is None:
        # Sorting keys of half the width takes about half the time.
        keys = np.sort(keys.astype(np.int32)).astype(np.int64) if limit < _LIMIT_OF_INT32 else np.sort(keys)
        return tally_sorted(keys)
    # The stable sort makes use of runs, and what is merged consists of sorted parts.
    order = np.argsort(keys, kind="stable")
    keys, counts = keys[order], counts[order]
    starts = _run_starts(keys)
    # reduceat refuses an empty array.
    return keys[starts], np.add.reduceat(counts, starts) if len(starts) else counts


def tally_sorted(keys: IntArray) -> tuple[IntArray, IntArray]:
    """Return what ``tally_keys`` does, of ascending ``keys``."""
    starts = _run_starts(keys)
    return keys[starts], np.diff(starts, append=len(keys))


def _run_starts(keys: IntArray) -> IntArray:
    is_start = np.ones(len(keys), np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=is_start[1:])
    return np.flatnonzero(is_start)


def sum_by_row(values: IntArray, rows: IntArray, size: int) -> IntArray:
    """Return for each of ``size`` rows the sum of the ``values`` that ``rows`` puts there."""
    sums = np.zeros(size, np.int64)
    np.add.at(sums, rows, values)
    return sums
