"""Many exact sums at once, as columns of 32-bit digits, so that numpy adds them without rounding.

A float64 is an integer times a power of two, and so lands in three neighbouring digits of a long fixed-point
number. int64 holds the sum of two thousand million digits before any carrying is due.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from barograph_core.exact import ExactSum

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

DIGIT_BITS: Final = 32
# Exponent of the lowest bit of digit 0: that of the smallest subnormal.
LOWEST_EXPONENT: Final = -1074
# The largest float64 ends in digit 65; two more hold the carry of any count.
MAX_DIGITS: Final = 68
_HALF: Final = 1 << (DIGIT_BITS - 1)
_MASK: Final = (1 << DIGIT_BITS) - 1
# So many values at once stay in the processor's cache; ten times as many cost four times as much each.
_BLOCK: Final = 4_096


@dataclass(frozen=True, slots=True, eq=False)
class ExactSums:
    """One exact sum for each row.

    Attributes:
        digits: Shape (digits, rows). Each is in -2**31 .. 2**31 - 1, which makes the digits of a sum unique.
        low: Position of ``digits[0]``; digit ``i`` weighs ``2**(32 * (low + i) - 1074)``.
    """

    digits: IntArray
    low: int

    @classmethod
    def of_values_and_squares(cls, values: FloatArray, rows: IntArray, size: int) -> tuple["ExactSums", "ExactSums"]:
        """Add up ``values``, and their squares, each into the row below ``size`` that ``rows`` names.

        Args:
            values: Finite, and so are their squares.
            rows: As many as values.
            size: How many rows there are.
        """
        magnitudes = np.abs(values)
        largest = float(magnitudes.max(initial=0.0))
        # Zeros would stretch the digits down to the smallest subnormal.
        smallest = float(magnitudes.min(initial=math.inf, where=magnitudes > 0))
        if not largest:
            return cls(np.zeros((0, size), np.int64), 0), cls(np.zeros((0, size), np.int64), 0)
        low, high = _digit_of(min(smallest, smallest * smallest)), _digit_of(max(largest, largest * largest))
        digits = np.zeros((high - low + 4, 2 * size), np.int64)
        for start in range(0, len(values), _BLOCK):
            block, targets = values[start : start + _BLOCK], rows[start : start + _BLOCK]
            _add(digits, low, np.concatenate((block, block * block)), np.concatenate((targets, targets + size)))
        both = cls._carried(digits, low)
        return both.rows(0, size), both.rows(size, 2 * size)

    @classmethod
    def fold(cls, parts: Sequence["ExactSums"], rows: Sequence[IntArray], size: int) -> "ExactSums":
        """Add up ``parts``; row ``i`` of a part goes into the row that its entry of ``rows`` names at ``i``."""
        filled = [part for part in parts if len(part.digits)]
        if not filled:
            return cls(np.zeros((0, size), np.int64), 0)
        low = min(part.low for part in filled)
        high = max(part.low + len(part.digits) for part in filled) - low
        digits = np.zeros((high + 1, size), np.int64)
        for part, target in zip(parts, rows, strict=True):
            for position, digit in enumerate(part.digits, part.low - low):
                np.add.at(digits[position], target, digit)
        return cls._carried(digits, low)

    @classmethod
    def _carried(cls, digits: IntArray, low: int) -> "ExactSums":
        """Bring every digit into its range, in place, and drop the digits that are 0 in every row."""
        for position in range(len(digits) - 1):
            carry = (digits[position] + _HALF) >> DIGIT_BITS
            digits[position] -= carry << DIGIT_BITS
            digits[position + 1] += carry
        used = np.flatnonzero(digits.any(axis=1))
        if not len(used):
            return cls(digits[:0], 0)
        first, end = int(used[0]), int(used[-1]) + 1
        return cls(digits[first:end], low + first)

    def rows(self, start: int, end: int) -> "ExactSums":
        """Return the rows from ``start`` to before ``end``."""
        return ExactSums(self.digits[:, start:end], self.low)

    def take(self, rows: IntArray) -> "ExactSums":
        """Return the rows that ``rows`` names."""
        return ExactSums(self.digits[:, rows], self.low)

    def sums(self) -> list[ExactSum]:
        """Return the sum of each row."""
        count, size = self.digits.shape
        carried = np.zeros((count + 1, size), np.int64)
        carried[:count] = self.digits
        for position in range(count):
            carried[position + 1] += carried[position] >> DIGIT_BITS
        content = np.ascontiguousarray((carried & _MASK).T).astype("<u4").tobytes()
        width = 4 * (count + 1)
        exponent = LOWEST_EXPONENT + DIGIT_BITS * self.low
        return [
            ExactSum.scaled(int.from_bytes(content[start : start + width], "little", signed=True), exponent)
            for start in range(0, width * size, width)
        ]


def _digit_of(value: float) -> int:
    """Return the position of the lowest digit that a finite ``value``, not negative, reaches into."""
    return max(math.frexp(value)[1] + 1021, 0) // DIGIT_BITS if value else 0


def _add(digits: IntArray, low: int, values: FloatArray, rows: IntArray) -> None:
    """Add each of ``values`` to its row of ``digits``, without carrying."""
    bits = values.view(np.int64)
    exponent = (bits >> 52) & 0x7FF
    implicit = np.minimum(exponent, 1)
    mantissa = (bits & ((1 << 52) - 1)) | (implicit << 52)
    if int(bits.min()) < 0:
        mantissa = np.where(bits < 0, -mantissa, mantissa)
    exponent -= implicit
    # A zero, and a square too small for a float64, adds nothing wherever it lands.
    at = np.maximum((exponent >> 5) - low, 0) * digits.shape[1] + rows
    exponent &= DIGIT_BITS - 1
    lower = (mantissa & _MASK) << exponent
    upper = ((mantissa >> DIGIT_BITS) << exponent) + (lower >> DIGIT_BITS)
    flat = digits.reshape(-1)
    np.add.at(flat, at, lower & _MASK)
    at += digits.shape[1]
    np.add.at(flat, at, upper & _MASK)
    at += digits.shape[1]
    np.add.at(flat, at, upper >> DIGIT_BITS)
