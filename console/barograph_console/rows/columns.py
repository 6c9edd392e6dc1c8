"""Charts of requests over time: one array for each figure, and the columns of the heatmap."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Final

import numpy as np
from pydantic import Field

from barograph_console.rows.heat import ROWS, heat_rows
from barograph_console.serving.numbers import Finite, significant_each
from barograph_core.events.kinds import ERROR_STATUS
from barograph_core.numerics.arrays import IntArray
from barograph_core.numerics.sketch import bin_values
from barograph_core.panes.outline import Outline

_FIRST_4XX: Final = 400


@dataclass(frozen=True, slots=True)
class RequestColumns:
    """Figures of requests, an entry for each point; ``None`` where there was no request."""

    requests: list[int | None]
    errors: Annotated[list[int | None], Field(description="status 500 or above")]
    e4xx: Annotated[list[int | None], Field(description="status 400 to 499")]
    p50_ms: list[Finite | None]
    p95_ms: list[Finite | None]
    p99_ms: list[Finite | None]
    missing: Annotated[list[int], Field(description="instances that had not sent everything when the point was closed")]


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """How many values fell in which bin of which point."""

    points: IntArray
    bins: IntArray
    counts: IntArray


class ChartPoints:
    """Merges outlines of panes into points as they come. What is held grows with the points, not with the panes.

    Attributes:
        points: How many points there are.
    """

    def __init__(self, points: int) -> None:
        self.points = points
        self._events = np.zeros(points, np.int64)
        self._errors = np.zeros(points, np.int64)
        self._e4xx = np.zeros(points, np.int64)
        self._missing = np.zeros(points, np.int64)
        self._minimum = np.full(points, np.inf)
        self._maximum = np.full(points, -np.inf)
        self._cells: list[_Cells] = []

    def add(self, outline: Outline, point_of: IntArray, missing: Sequence[int]) -> None:
        """Merge more panes.

        Args:
            outline: Of the panes.
            point_of: The point that each pane belongs to.
            missing: For each pane, the instances that were missing.
        """
        np.add.at(self._events, point_of, outline.events)
        np.maximum.at(self._missing, point_of, np.array(missing, np.int64))
        np.minimum.at(self._minimum, point_of, outline.minimum)
        np.maximum.at(self._maximum, point_of, outline.maximum)
        is_error = outline.status >= ERROR_STATUS
        is_4xx = (outline.status >= _FIRST_4XX) & ~is_error
        of_status = point_of[outline.status_panes]
        np.add.at(self._errors, of_status, outline.status_counts * is_error)
        np.add.at(self._e4xx, of_status, outline.status_counts * is_4xx)
        if len(outline.bins):
            self._cells.append(_merged(_Cells(point_of[outline.bin_panes], outline.bins, outline.bin_counts)))

    def quantiles(self, quantiles: Sequence[float]) -> list[list[float | None]]:
        """Return for each quantile its value at each point, as ``Summary.quantile`` of the merged panes."""
        if not self._cells:
            return [[None] * self.points for _ in quantiles]
        cells = self._all_cells()
        lowest = int(cells.bins.min())
        width = int(cells.bins.max()) - lowest + 1
        # Counted in a table of points and bins: of a day 1,440 points by about 1,000 bins.
        table = _table(cells.points * width + (cells.bins - lowest), cells.counts, self.points * width)
        cumulated = np.cumsum(table)
        ends = cumulated[width - 1 :: width]
        totals = np.diff(ends, prepend=0)
        filled = np.flatnonzero(totals)
        before, counts = (ends - totals)[filled], totals[filled]
        found: list[list[float | None]] = []
        for quantile in quantiles:
            ranks = before + (quantile * (counts - 1)).astype(np.int64)
            bins = np.searchsorted(cumulated, ranks, side="right") % width + lowest
            values = np.minimum(np.maximum(bin_values(bins), self._minimum[filled]), self._maximum[filled])
            column: list[float | None] = [None] * self.points
            for point, value in zip(filled.tolist(), significant_each(values).tolist(), strict=True):
                column[point] = value
            found.append(column)
        return found

    def heat(self) -> list[list[int]]:
        """Return a column for each point, as ``heat_column`` of the merged panes."""
        cells = self._all_cells()
        totals = _table(cells.points * ROWS + heat_rows(cells.bins), cells.counts, self.points * ROWS)
        used = np.flatnonzero(totals)
        pairs = np.column_stack((used % ROWS, totals[used]))
        ends = np.searchsorted(used, np.arange(self.points + 1) * ROWS).tolist()
        columns: list[list[int]] = [pairs[start:end].ravel().tolist() for start, end in pairwise(ends)]
        return columns

    def columns(self) -> RequestColumns:
        """Return the figures of requests at each point: those that ``request_point`` gives of the merged panes."""
        p50, p95, p99 = self.quantiles((0.5, 0.95, 0.99))
        return RequestColumns(
            requests=_where_any(self._events, self._events),
            errors=_where_any(self._errors, self._events),
            e4xx=_where_any(self._e4xx, self._events),
            p50_ms=p50,
            p95_ms=p95,
            p99_ms=p99,
            missing=self._missing.tolist(),
        )

    def _all_cells(self) -> _Cells:
        nothing = np.empty(0, np.int64)
        return _Cells(
            np.concatenate([nothing, *(cells.points for cells in self._cells)]),
            np.concatenate([nothing, *(cells.bins for cells in self._cells)]),
            np.concatenate([nothing, *(cells.counts for cells in self._cells)]),
        )


def _merged(cells: _Cells) -> _Cells:
    """Return the cells, each once."""
    first, lowest = int(cells.points.min()), int(cells.bins.min())
    width = int(cells.bins.max()) - lowest + 1
    size = (int(cells.points.max()) - first + 1) * width
    totals = _table((cells.points - first) * width + (cells.bins - lowest), cells.counts, size)
    used = np.flatnonzero(totals)
    points, bins = np.divmod(used, width)
    return _Cells(points + first, bins + lowest, totals[used])


def _table(keys: IntArray, counts: IntArray, size: int) -> IntArray:
    """Return the sum of ``counts`` by key; exact, since a float64 holds every count below 2^53."""
    return np.bincount(keys, counts, size).astype(np.int64)


def _where_any(counts: IntArray, events: IntArray) -> list[int | None]:
    return [count if any_ else None for count, any_ in zip(counts.tolist(), events.tolist(), strict=True)]
