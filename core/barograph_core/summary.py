"""What a reader gets of a measure or a series: plain values, with their sketch."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from barograph_core.arrays import IntArray
from barograph_core.errors import EmptySketchError
from barograph_core.exact import ExactSum
from barograph_core.sketch import Sketch


@dataclass(frozen=True, slots=True)
class Summary:
    """What is kept of one measure, of one series or several merged.

    Attributes:
        count: How many values there were; events that lack the measure do not count.
        total: Their exact sum.
        squares: The exact sum of their squares, each rounded to a float64.
        minimum: The least of them; positive infinity when there was none.
        maximum: The greatest; negative infinity when there was none.
        sketch: How they are spread.
    """

    count: int
    total: ExactSum
    squares: ExactSum
    minimum: float
    maximum: float
    sketch: Sketch

    @property
    def bins(self) -> IntArray:
        """Return the sketch's bins that hold anything, ascending."""
        return self.sketch.bins

    @property
    def bin_counts(self) -> IntArray:
        """Return how many values fell in each of ``bins``."""
        return self.sketch.counts

    @property
    def sum(self) -> float:
        return float(self.total)

    @property
    def average(self) -> float:
        """Return the mean, rounded once.

        Raises:
            EmptySketchError: There was no value.
        """
        self._require_values()
        return self.total.over(self.count)

    @property
    def stddev(self) -> float:
        """Return the standard deviation of the population.

        It comes from exact sums, so only the rounding of the squares counts: a spread below about 1e-8 of
        the values is lost in it.

        Raises:
            EmptySketchError: There was no value.
        """
        self._require_values()
        # The rounding of the squares alone would make a constant look spread.
        if self.minimum == self.maximum:
            return 0.0
        square = ExactSum.scaled(self.total.mantissa**2, 2 * self.total.exponent)
        scaled = ExactSum.scaled(self.squares.mantissa * self.count, self.squares.exponent)
        spread = scaled + ExactSum(-square.mantissa, square.exponent)
        return math.sqrt(max(0.0, spread.over(self.count**2)))

    def quantile(self, q: float) -> float:
        """Return the value of rank ``floor(q * (count - 1))``, within ``sketch.RELATIVE_ACCURACY`` of the exact one.

        Args:
            q: 0 to 1, both included.

        Raises:
            EmptySketchError: There was no value.
            ValueError: ``q`` lies outside its range.
        """
        return min(max(self.sketch.quantile(q), self.minimum), self.maximum)

    def _require_values(self) -> None:
        if not self.count:
            raise EmptySketchError("no values")


@dataclass(frozen=True, slots=True)
class SeriesSummary:
    """One series, or several merged.

    Attributes:
        labels: Values of the kind's labels (custom: ``(name, k1, v1, …)``), or of the labels grouped by.
        count: How many events there were.
        errors: How many of them had a status of 500 or above.
        status: How many of them had which status code; empty where the kind has none.
        measures: Each measure of the kind, also one that no event had.
        estimated: How many of ``count`` came in sampled records: the sum of the weights above 1. The others
            were recorded one by one; a figure is an estimate when this is not 0.
    """

    labels: tuple[str, ...]
    count: int
    errors: int
    status: Mapping[int, int]
    measures: Mapping[str, Summary]
    estimated: int = 0
