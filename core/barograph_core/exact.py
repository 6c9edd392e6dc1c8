"""Sums that do not depend on the order of adding: exact, as an odd integer times a power of two."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ExactSum:
    """The exact sum of finite float64 values, ``mantissa * 2**exponent``.

    Equal sums are equal objects, whatever was added in what order: the mantissa is odd, or both are 0.
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
            # Division of integers rounds correctly, whatever their size.
            if self.exponent < 0:
                return self.mantissa / (divisor << -self.exponent)
            return (self.mantissa << self.exponent) / divisor
        except OverflowError:
            return math.copysign(math.inf, self.mantissa)
