"""What a few values come to, for tests that compare with it."""

from collections.abc import Iterable

import numpy as np

from barograph_core.numerics.arrays import FloatArray
from barograph_core.numerics.exact import ExactSum
from barograph_core.numerics.sketch import Sketch
from barograph_core.panes.summary_table import SummaryTable


def exact_sum(values: Iterable[float]) -> ExactSum:
    """Add up ``values`` one by one, as integers of any length."""
    total = ExactSum()
    for value in values:
        numerator, denominator = value.as_integer_ratio()
        total += ExactSum.scaled(numerator, 1 - denominator.bit_length())
    return total


def row_of(values: FloatArray) -> SummaryTable:
    """Summarise ``values`` in a table of one row."""
    return SummaryTable.of_values(values, np.zeros(len(values), np.int64), 1)


def merged(rows: list[SummaryTable]) -> SummaryTable:
    """Merge tables of one row each."""
    return SummaryTable.fold(rows, [np.zeros(1, np.int64)] * len(rows), 1)


def sketch_of(values: FloatArray) -> Sketch:
    """Return the sketch of ``values``."""
    return row_of(values).summaries()[0].sketch
