"""The quantile sketch: a histogram whose bins are the leading bits of a float64.

64 bins an octave, so that a bin's middle lies within 1/128 of every value in it, at any magnitude. The same
class of guarantee as DDSketch (Masson et al., VLDB 2019), with a shift where that takes a logarithm: integer
work only, so every machine finds the same bin.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from barograph_core.errors import EmptySketchError

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

RELATIVE_ACCURACY: Final = 1 / 128
# Multiplied by this every subnormal becomes normal, and so keeps the full accuracy too.
_SCALE: Final = 2.0**52
_SHIFT: Final = 46
_FIRST_NORMAL: Final = (1 + 52) << (52 - _SHIFT)
# Bins of values up to MAX_MAGNITUDE (and far beyond) fit in 18 bits with their sign.
BIN_LIMIT: Final = 1 << 17


def bins_of(values: FloatArray) -> IntArray:
    """Return the bin of each value: 0 for zero, rising with the value, negative for negative values.

    Args:
        values: Finite, of magnitude up to ``events.MAX_MAGNITUDE``.
    """
    bins = np.abs(values * _SCALE).view(np.int64) >> _SHIFT
    return np.where(values < 0, -bins, bins)


def bin_values(bins: IntArray) -> FloatArray:
    """Return the middle of each bin, within ``RELATIVE_ACCURACY`` of every float64 in it."""
    magnitude = np.abs(bins)
    # Half a bin is half a step of the subnormals near 2**-1068, and would round away from the bin.
    middle = (magnitude << _SHIFT) + (1 << (_SHIFT - 1)) - (magnitude < _FIRST_NORMAL)
    return np.where(bins == 0, 0.0, np.copysign(middle.view(np.float64) / _SCALE, bins))


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """A quantile summary: how many values fell in which bin.

    Attributes:
        bins: Bins that hold anything, ascending.
        counts: How many values each holds, at least 1.
    """

    bins: IntArray
    counts: IntArray

    @classmethod
    def of(cls, values: FloatArray) -> "Sketch":
        """Return the sketch of finite ``values``."""
        bins, counts = np.unique(bins_of(values), return_counts=True)
        return cls(bins, counts.astype(np.int64))

    @classmethod
    def merge(cls, sketches: Sequence["Sketch"]) -> "Sketch":
        """Return the sketch of all that went into any of ``sketches``."""
        if not sketches:
            return EMPTY
        bins, positions = np.unique(np.concatenate([sketch.bins for sketch in sketches]), return_inverse=True)
        counts = np.zeros(len(bins), np.int64)
        np.add.at(counts, positions, np.concatenate([sketch.counts for sketch in sketches]))
        return cls(bins, counts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sketch):
            return NotImplemented
        return np.array_equal(self.bins, other.bins) and np.array_equal(self.counts, other.counts)

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    @property
    def count(self) -> int:
        return int(self.counts.sum())

    def quantile(self, q: float) -> float:
        """Return the value of rank ``floor(q * (count - 1))``, within ``RELATIVE_ACCURACY`` of the exact one.

        Linear in the number of bins.

        Args:
            q: 0 to 1, both included.

        Raises:
            EmptySketchError: Nothing was added.
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


EMPTY: Final = Sketch(np.empty(0, np.int64), np.empty(0, np.int64))
