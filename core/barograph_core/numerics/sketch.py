"""The quantile sketch: a histogram whose bins are the leading bits of a float64.

There are 64 bins to an octave, so the middle of a bin lies within 1/128 of every value in it, at any magnitude. For
example, 12.5 falls into the bin from 12.5 to 12.625, whose middle is 12.5625. The guarantee is of the same class as
that of DDSketch (Masson et al., VLDB 2019). DDSketch takes a logarithm to find a bin; a shift of integers takes less
time and finds the same bin on every machine.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from barograph_core.errors import EmptySketchError
from barograph_core.numerics.arrays import FloatArray, IntArray

RELATIVE_ACCURACY: Final = 1 / 128
# Factor that makes every subnormal a normal number, so that its bin has the full accuracy too.
_SCALE: Final = 2.0**52
_SHIFT: Final = 46
_FIRST_NORMAL: Final = (1 + 52) << (52 - _SHIFT)
# Limit of bins: those of values up to MAX_MAGNITUDE (and far beyond) fit in 18 bits with their sign.
BIN_LIMIT: Final = 1 << 17


def bins_of(values: FloatArray) -> IntArray:
    """Return the bin of each value: 0 for zero, rising with the value, negative for negative values.

    Args:
        values: Finite, of magnitude up to ``events.MAX_MAGNITUDE``.
    """
    # Work in place: a new array for each of these steps would cost more than all of the steps.
    magnitudes = np.abs(values)
    magnitudes *= _SCALE
    bins = magnitudes.view(np.int64)
    bins >>= _SHIFT
    if len(values) and values.min() < 0:
        np.negative(bins, out=bins, where=values < 0)
    return bins


def bin_values(bins: IntArray) -> FloatArray:
    """Return the middle of each bin, within ``RELATIVE_ACCURACY`` of every float64 in it."""
    middle = np.abs(bins)
    is_subnormal = middle < _FIRST_NORMAL
    middle <<= _SHIFT
    middle += 1 << (_SHIFT - 1)
    # Near 2**-1068 half a bin is half a step of the subnormals: the middle would be rounded out of the bin.
    middle -= is_subnormal
    values = middle.view(np.float64)
    values *= 1 / _SCALE
    np.negative(values, out=values, where=bins < 0)
    values[bins == 0] = 0.0
    return values


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """A quantile summary: the number of values in each bin.

    Attributes:
        bins: Bins that hold a value, ascending.
        counts: For each of ``bins`` the number of its values, at least 1.
    """

    bins: IntArray
    counts: IntArray

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sketch):
            return NotImplemented
        return np.array_equal(self.bins, other.bins) and np.array_equal(self.counts, other.counts)

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    def quantile(self, q: float) -> float:
        """Return the value of rank ``floor(q * (count - 1))``, within ``RELATIVE_ACCURACY`` of the exact one.

        Linear in the number of bins.

        Args:
            q: 0 to 1, both included.

        Raises:
            EmptySketchError: The sketch holds no value.
            ValueError: ``q`` lies outside its range.
        """
        if not 0 <= q <= 1:
            raise ValueError(f"quantile {q!r} is not in 0..1")
        cumulated = np.cumsum(self.counts)
        if not len(cumulated):
            raise EmptySketchError("no values, no quantile")
        rank = int(q * (int(cumulated[-1]) - 1))
        position = int(np.searchsorted(cumulated, rank, side="right"))
        return float(bin_values(self.bins[position : position + 1])[0])
