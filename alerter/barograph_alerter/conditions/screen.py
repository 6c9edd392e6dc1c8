"""Which of many conditions can be true of any row, and of which rows: seen from columns, before any row is made.

Most rules are in breach nowhere. To judge each of them on each series would be nearly all of an alerter's work, so what
their conditions need at least, comparisons of a quantity with a constant, is compared for all of them at once.
"""

import math
from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np

from barograph_alerter.conditions.bounds import Bounds
from barograph_alerter.conditions.functions import Quantity
from barograph_alerter.conditions.truth import Comparison, Truth
from barograph_core.numerics.arrays import BoolArray, FloatArray, IntArray

# Nothing compares with it, as with missing data.
_NOTHING: Final = Bounds(math.nan, math.nan)


class Columns(Protocol):
    """The rows of a selection of series, as columns."""

    def column(self, quantity: Quantity) -> FloatArray:
        """Return the value of each row, NaN where there is none."""
        ...

    def extremes(self, quantity: Quantity) -> Bounds | None:
        """Return the least and the greatest value of any row, ``None`` where none has one."""
        ...


class Screen:
    """What some conditions need, as columns: a line for each comparison.

    Args:
        truths: The conditions.
    """

    def __init__(self, truths: Sequence[Truth]) -> None:
        self._needs = [truth.alternatives() for truth in truths]
        self._quantities: list[Quantity] = []
        numbers: dict[str, int] = {}
        of: list[int] = []
        allowed: list[tuple[float, float, bool]] = []
        needs_at: list[int] = []
        condition_at: list[int] = []
        for alternatives in self._needs:
            condition_at.append(len(needs_at))
            for needs in alternatives:
                needs_at.append(len(of))
                for quantity, bounds, has_ends in map(_allowed_of, needs):
                    if quantity.key not in numbers:
                        numbers[quantity.key] = len(self._quantities)
                        self._quantities.append(quantity)
                    of.append(numbers[quantity.key])
                    allowed.append((bounds.lowest, bounds.highest, has_ends))
                if not needs:
                    # Nothing is known: a line that every row fulfils. Its quantity is the one after the last.
                    of.append(-1)
                    allowed.append((-math.inf, math.inf, True))
        self._of = np.array(of, np.int64)
        self._lowest = np.array([one[0] for one in allowed], np.float64)
        self._highest = np.array([one[1] for one in allowed], np.float64)
        self._has_ends = np.array([one[2] for one in allowed], np.bool_)
        self._needs_at = np.array(needs_at, np.int64)
        self._condition_at = np.array(condition_at, np.int64)

    def may_hold(self, rows: Columns) -> BoolArray:
        """Say of each condition whether it can be true of any of ``rows``."""
        if not len(self._of):
            return np.zeros(0, np.bool_)
        found = [rows.extremes(quantity) or _NOTHING for quantity in self._quantities]
        found.append(Bounds(-math.inf, math.inf))
        least, greatest = (np.array(ends, np.float64)[self._of] for ends in zip(*found, strict=True))
        inside = (greatest > self._lowest) & (least < self._highest)
        inside |= self._has_ends & (greatest >= self._lowest) & (least <= self._highest)
        return np.logical_or.reduceat(np.logical_and.reduceat(inside, self._needs_at), self._condition_at)

    def rows(self, number: int, rows: Columns) -> IntArray | None:
        """Return the places of the rows of which condition ``number`` can be true, ascending; ``None``: any of them."""
        may_hold: BoolArray | None = None
        for needs in self._needs[number]:
            if not needs:
                return None
            found = _fulfils(needs[0], rows)
            for comparison in needs[1:]:
                found &= _fulfils(comparison, rows)
            may_hold = found if may_hold is None else may_hold | found
        return None if may_hold is None else np.flatnonzero(may_hold)


def _allowed_of(comparison: Comparison) -> tuple[Quantity, Bounds, bool]:
    found = comparison.allowed
    if found is None:
        raise ValueError(f"{comparison} compares no quantity with a constant")
    return found


def _fulfils(comparison: Comparison, rows: Columns) -> BoolArray:
    quantity, bounds, has_ends = _allowed_of(comparison)
    values = rows.column(quantity)
    if has_ends:
        return (values >= bounds.lowest) & (values <= bounds.highest)
    return (values > bounds.lowest) & (values < bounds.highest)
