"""The summary of a measure or a series as plain values, with the sketch."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from barograph_core.errors import EmptySketchError
from barograph_core.events.kinds import FAILED
from barograph_core.numerics.arrays import IntArray
from barograph_core.numerics.exact import ExactSum
from barograph_core.numerics.sketch import Sketch


@dataclass(frozen=True, slots=True)
class Summary:
    """The summary of one measure, of one series or several merged.

    Attributes:
        count: Number of values; events that lack the measure do not count.
        total: The exact sum of the values.
        squares: The exact sum of their squares, each rounded to a float64.
        minimum: The least value; positive infinity when there is none.
        maximum: The greatest value; negative infinity when there is none.
        sketch: The distribution of the values.
    """

    count: int
    total: ExactSum
    squares: ExactSum
    minimum: float
    maximum: float
    sketch: Sketch

    @property
    def bins(self) -> IntArray:
        """Return the bins of the sketch that hold a value, ascending."""
        return self.sketch.bins

    @property
    def bin_counts(self) -> IntArray:
        """Return the number of values in each of ``bins``."""
        return self.sketch.counts

    @property
    def sum(self) -> float:
        return float(self.total)

    @property
    def average(self) -> float:
        """Return the mean, rounded once.

        Raises:
            EmptySketchError: There is no value.
        """
        self._require_values()
        return self.total.over(self.count)

    @property
    def stddev(self) -> float:
        """Return the standard deviation of the population.

        The sums are exact, so the only error comes from rounding the squares: it hides a deviation below about 1e-8
        of the values.

        Raises:
            EmptySketchError: There is no value.
        """
        self._require_values()
        # Without this, the rounding of the squares would give a constant a deviation.
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
            EmptySketchError: There is no value.
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
        count: Number of events.
        errors: Number of events that failed: with a status of 500 or above, or with the flag ``failed``.
        status: Status code -> number of events; empty where the kind has no status.
        measures: Every measure of the kind, also one that no event had.
        estimated: How many of ``count`` came in sampled records: the sum of the weights above 1. If this is not 0, the
            figures of the series are estimates.
    """

    labels: tuple[str, ...]
    count: int
    errors: int
    status: Mapping[int, int]
    measures: Mapping[str, Summary]
    estimated: int = 0

    @property
    def outcomes(self) -> int:
        """Return how many events say whether they failed: all that have a status, or those with the flag ``failed``."""
        failed = self.measures.get(FAILED)
        return self.count if failed is None else failed.count
