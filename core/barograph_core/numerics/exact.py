"""Many exact sums at once, as columns of 32-bit digits, so that numpy adds them without rounding.

A float64 is an integer times a power of two, and so a few digits of a long fixed-point number. int64 holds the sum
of two thousand million digits before a carry is needed. For example, 1.0 is ``2**18`` units of digit 33.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from barograph_core.numerics.arrays import FloatArray, IntArray
from barograph_core.numerics.grouping import RowGroups


@dataclass(frozen=True, slots=True)
class ExactSum:
    """The exact sum of finite float64 values, ``mantissa * 2**exponent``.

    Equal sums are equal objects, whatever the order of adding: the mantissa is odd, or mantissa and exponent are 0.
    ``float()`` rounds once, to the nearest float64, as ``math.fsum`` does.
    """

    mantissa: int = 0
    exponent: int = 0

    @classmethod
    def scaled(cls, mantissa: int, exponent: int) -> "ExactSum":
        """Return ``mantissa * 2**exponent`` in its canonical form."""
        if mantissa == 0:
            return cls()
        zeros = (mantissa & -mantissa).bit_length() - 1
        return cls(mantissa >> zeros, exponent + zeros)

    def __add__(self, other: "ExactSum") -> "ExactSum":
        exponent = min(self.exponent, other.exponent)
        return self.scaled(
            (self.mantissa << (self.exponent - exponent)) + (other.mantissa << (other.exponent - exponent)), exponent
        )

    def __float__(self) -> float:
        return self.over(1)

    def over(self, divisor: int) -> float:
        """Return the sum divided by ``divisor``, rounded once; infinite when a float64 cannot hold it."""
        try:
            # Python's division of integers rounds correctly, whatever their size.
            if self.exponent < 0:
                return self.mantissa / (divisor << -self.exponent)
            return (self.mantissa << self.exponent) / divisor
        except OverflowError:
            return math.copysign(math.inf, self.mantissa)


DIGIT_BITS: Final = 32
# Exponent of the lowest bit of digit 0: the exponent of the smallest subnormal.
LOWEST_EXPONENT: Final = -1074
# Number of digits: the largest float64 ends in digit 65, and two more hold the carry of any count.
MAX_DIGITS: Final = 68
# Limit of values that are added as floats: a digit of one value is up to 2**32, and a float64 is exact up to 2**53.
MAX_VALUES: Final = 1 << 20
_HALF: Final = 1 << (DIGIT_BITS - 1)
_MASK: Final = (1 << DIGIT_BITS) - 1
# Number in units of a digit, so large that its last bit is one unit, whatever digit is added to it or subtracted.
_ANCHOR: Final = 1.5 * 2.0**52
_SCALE: Final = 2.0**-128
# Highest digit whose anchor is far from overflow: the anchor of digit 62 is 2**962.6.
_LAST_UNSCALED: Final = 60


@dataclass(frozen=True, slots=True, eq=False)
class ExactSums:
    """One exact sum for each row.

    Attributes:
        digits: Shape (digits, rows). Each is in -2**31 .. 2**31 - 1, which makes the digits of a sum unique.
        low: Position of ``digits[0]``; the unit of digit ``i`` is ``2**(32 * (low + i) - 1074)``.
    """

    digits: IntArray
    low: int

    @classmethod
    def of_grouped(cls, values: FloatArray, groups: RowGroups, size: int) -> "ExactSums":
        """Add up ``values``, each into its row.

        Cuts each float64 into its digits from the highest down. Adding and subtracting a number so large that the
        sum cannot hold the lower digits rounds to a multiple of the digit's unit, and the remainder is exact (as in
        Rump's ExtractVector and Demmel and Nguyen's reproducible sums). Then adds the digits of a row as floats, which
        is exact too because there are at most ``MAX_VALUES``.

        Args:
            values: Finite, in the order of ``groups``; at most ``MAX_VALUES``.
            groups: The row of each value.
            size: Number of rows.
        """
        if len(values) > MAX_VALUES:
            raise ValueError(f"{len(values)} values at once are more than {MAX_VALUES}")
        magnitudes = np.abs(values)
        low, high = _span(magnitudes)
        if low > high:
            return cls(np.zeros((0, size), np.int64), 0)
        digits = np.zeros((high - low + 2, size), np.int64)
        rest, piece = values, magnitudes
        for position in range(high, low, -1):
            rest = _cut(rest, position, piece)
            digits[position - low, groups.rows] = _digits(piece, position, groups)
        digits[0, groups.rows] = _digits(rest, low, groups)
        return cls._carried(digits, low)

    @classmethod
    def fold(cls, parts: Sequence["ExactSums"], rows: Sequence[IntArray], size: int) -> "ExactSums":
        """Add up ``parts``; row ``i`` of part ``p`` is added to row ``rows[p][i]``."""
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
        """Carry every digit into its range, in place, and drop the digits that are 0 in every row."""
        for position in range(len(digits) - 1):
            carry = (digits[position] + _HALF) >> DIGIT_BITS
            digits[position] -= carry << DIGIT_BITS
            digits[position + 1] += carry
        used = np.flatnonzero(digits.any(axis=1))
        if not len(used):
            return cls(digits[:0], 0)
        first, end = int(used[0]), int(used[-1]) + 1
        return cls(digits[first:end], low + first)

    @classmethod
    def concatenated(cls, parts: Sequence["ExactSums"]) -> "ExactSums":
        """Return the rows of ``parts``, one after the other."""
        filled = [part for part in parts if len(part.digits)]
        low = min((part.low for part in filled), default=0)
        high = max((part.low + len(part.digits) for part in filled), default=low)
        digits = np.zeros((high - low, sum(part.digits.shape[1] for part in parts)), np.int64)
        first = 0
        for part in parts:
            count, size = part.digits.shape
            digits[part.low - low : part.low - low + count, first : first + size] = part.digits
            first += size
        return cls(digits, low)

    def rows(self, start: int, end: int) -> "ExactSums":
        """Return the rows from ``start`` to before ``end``."""
        return ExactSums(self.digits[:, start:end], self.low)

    def take(self, rows: IntArray) -> "ExactSums":
        """Return the rows whose numbers are in ``rows``."""
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


def digits_spanned(values: FloatArray) -> int:
    """Return the number of digits that the sum of ``values`` may need, without carries."""
    low, high = _span(np.abs(values))
    return high - low + 1


def _span(magnitudes: FloatArray) -> tuple[int, int]:
    """Return the lowest and highest digit that any of ``magnitudes`` uses; 0 and -1 if all are zero."""
    largest = float(magnitudes.max(initial=0.0))
    if not largest:
        return 0, -1
    smallest = float(magnitudes.min())
    if not smallest:
        # A zero would extend the digits down to the smallest subnormal.
        smallest = float(magnitudes.min(initial=math.inf, where=magnitudes > 0))
    return _lowest_digit_of(smallest), _highest_digit_of(largest)


def _lowest_digit_of(value: float) -> int:
    """Return the position of the lowest digit that ``value``, above 0, may use."""
    return max(math.frexp(value)[1] - 53 - LOWEST_EXPONENT, 0) // DIGIT_BITS


def _highest_digit_of(value: float) -> int:
    """Return the position of the digit that holds the leading bit of ``value``, above 0."""
    return (math.frexp(value)[1] - 1 - LOWEST_EXPONENT) // DIGIT_BITS


def _cut(rest: FloatArray, position: int, piece: FloatArray) -> FloatArray:
    """Write the nearest multiples of a digit's unit into ``piece`` and return ``rest`` without them."""
    unit = _unit(position)
    if position > _LAST_UNSCALED:
        # The anchor itself would overflow. Scaling is exact, except for values far too small to matter here.
        np.multiply(rest, _SCALE, out=piece)
        anchor = _ANCHOR * (unit * _SCALE)
        piece += anchor
        piece -= anchor
        piece /= _SCALE
    else:
        np.add(rest, _ANCHOR * unit, out=piece)
        piece -= _ANCHOR * unit
    return rest - piece


def _digits(pieces: FloatArray, position: int, groups: RowGroups) -> IntArray:
    """Return the sum of ``pieces`` for each group, in units of the digit."""
    sums = np.add.reduceat(pieces, groups.starts)
    sums /= _unit(position)
    return sums.astype(np.int64)


def _unit(position: int) -> float:
    return math.ldexp(1.0, DIGIT_BITS * position + LOWEST_EXPONENT)
