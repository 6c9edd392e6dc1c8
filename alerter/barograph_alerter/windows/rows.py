"""The series of a window that rules look at: as columns at first, and as rows where somebody asks for one."""

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from barograph_alerter.conditions.bounds import Bounds
from barograph_alerter.conditions.functions import Quantity
from barograph_alerter.conditions.row import SeriesRow
from barograph_core.numerics.arrays import FloatArray
from barograph_core.panes.series_table import SeriesTable
from barograph_core.panes.summary import SeriesSummary

# Rows that are made one by one; then all of them, because together each costs a tenth.
_ONE_BY_ONE: Final = 8
# So many are always made together.
_FEW: Final = 32
Values = tuple[str, ...]


class TableColumns:
    """The numbers of all series of a table in a window, as columns. Each is computed once, however many rules ask.

    Args:
        table: The series; ``None``: there are none.
        window_ms: Length of the window.
    """

    __slots__ = ("_columns", "_extremes", "_table", "_window_ms")

    def __init__(self, table: SeriesTable | None, window_ms: int) -> None:
        self._table = table
        self._window_ms = window_ms
        self._columns: dict[str, FloatArray] = {}
        self._extremes: dict[str, Bounds | None] = {}

    def column(self, quantity: Quantity) -> FloatArray:
        """Return the value of each row, NaN where there is none."""
        found = self._columns.get(quantity.key)
        if found is None:
            found = self._columns[quantity.key] = self._compute(quantity)
        return found

    def extremes(self, quantity: Quantity) -> Bounds | None:
        """Return the least and the greatest value of any row, ``None`` where none has one."""
        if quantity.key not in self._extremes:
            column = self.column(quantity)
            known = column[~np.isnan(column)]
            self._extremes[quantity.key] = Bounds(float(known.min()), float(known.max())) if len(known) else None
        return self._extremes[quantity.key]

    def _compute(self, quantity: Quantity) -> FloatArray:
        if self._table is None:
            return np.zeros(0, np.float64)
        compute = quantity.function.column
        if compute is not None:
            return compute(quantity, self._table, self._window_ms)
        value = quantity.function.value
        numbers = (value(quantity, series, self._window_ms) for series in self._table.series_summaries())
        return np.array([math.nan if number is None else number for number in numbers], np.float64)


class Rows(TableColumns, Mapping[Values, SeriesRow]):
    """Label values -> row, for each series that had an event, ascending by label values.

    Args:
        table: The series, labelled with these values; ``None``: there are none.
        window_ms: Length of the window.
    """

    __slots__ = ("_labels", "_made", "_singles")

    def __init__(self, table: SeriesTable | None, window_ms: int) -> None:
        super().__init__(table, window_ms)
        self._labels: Sequence[Values] = () if table is None else table.labels
        # Each label set, with its row once that is made.
        self._made: dict[Values, SeriesRow | None] = dict.fromkeys(self._labels)
        self._singles = 0

    @classmethod
    def of(cls, series: Sequence[SeriesSummary], window_ms: int) -> "Rows":
        """Return the rows of series that are made already, ascending by their labels."""
        rows = cls(None, window_ms)
        rows._labels = [one.labels for one in series]
        rows._made = {one.labels: SeriesRow(one, window_ms) for one in series}
        return rows

    def __len__(self) -> int:
        return len(self._labels)

    def __iter__(self) -> Iterator[Values]:
        return iter(self._labels)

    def __contains__(self, values: object) -> bool:
        return values in self._made

    def __getitem__(self, values: Values) -> SeriesRow:
        found = self._made[values]
        return self._make(values) if found is None else found

    def labels_at(self, places: Sequence[int]) -> list[Values]:
        """Return the label values at these places."""
        return [self._labels[place] for place in places]

    def _compute(self, quantity: Quantity) -> FloatArray:
        if self._table is not None:
            return super()._compute(quantity)
        numbers = (row.number(quantity) for row in self.values())
        return np.array([math.nan if number is None else number for number in numbers], np.float64)

    def _make(self, values: Values) -> SeriesRow:
        table = self._table
        if table is None:
            raise KeyError(values)
        self._singles += 1
        if self._singles <= _ONE_BY_ONE and len(self._labels) > _FEW:
            place = bisect_left(self._labels, values)
            (series,) = table.series(place, place + 1).series_summaries()
            row = self._made[values] = SeriesRow(series, self._window_ms)
            return row
        for series in table.series_summaries():
            if self._made[series.labels] is None:
                self._made[series.labels] = SeriesRow(series, self._window_ms)
        return self[values]
