"""Reads the small charts next to the rows of tables: the last minutes, a point a minute."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

from barograph_console.figures.points import DEFAULT_QUANTILES, Question
from barograph_console.figures.query_answer import QueryReader
from barograph_console.reading.panes import Reading
from barograph_console.rows.requests import Endpoint
from barograph_console.serving.numbers import Finite, significant_each
from barograph_core.events.kinds import KINDS, Kind, Labels
from barograph_core.numerics.arrays import FloatArray, IntArray
from barograph_core.store.cover import ceil_to
from barograph_core.store.figures import Figures

STEP_MS: Final = 60_000
POINTS: Final = 30
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Spark:
    """One row for each endpoint of the table next to it, one entry for each point; ``None`` without a request."""

    from_ms: int
    step_ms: int
    requests: list[list[int | None]]
    errors: list[list[int | None]]
    p95_ms: list[list[Finite | None]]


def read_spark(queries: QueryReader, reading: Reading, endpoints: Sequence[Endpoint]) -> Spark:
    """Return the charts of ``endpoints`` over the minutes that end with the newest closed one.

    Raises:
        QueryError: ``too_many_points``, when there are too many endpoints; ``too_much_work``.
    """
    wanted = [(endpoint.method, endpoint.route) for endpoint in endpoints]
    cells = read_cells(queries, reading, KINDS["request"], "duration_ms", ("method", "route"), wanted)
    return Spark(
        from_ms=cells.from_ms,
        step_ms=STEP_MS,
        requests=cells.counts(cells.figures.events),
        errors=cells.counts(cells.figures.errors),
        p95_ms=cells.values(cells.figures.quantiles[0.95]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class SparkCells:
    """Figures that each belong to one row and one point of small charts.

    Attributes:
        from_ms: Start of the first point.
        rows: How many rows there are.
        places: Of each figure, row by row.
        figures: Of the points.
    """

    from_ms: int
    rows: int
    places: IntArray
    figures: Figures

    def counts(self, column: IntArray) -> list[list[int | None]]:
        """Return the rows of a column of ``figures``; ``None`` where there was no event."""
        return self._spread(self.places, column.tolist())

    def values(self, column: FloatArray) -> list[list[float | None]]:
        """Return the rows of a column of ``figures``; ``None`` where the measure has no value."""
        is_known = self.figures.counts > 0
        return self._spread(self.places[is_known], significant_each(column[is_known]).tolist())

    def _spread(self, places: IntArray, values: Sequence[V]) -> list[list[V | None]]:
        spread: list[V | None] = [None] * (self.rows * POINTS)
        for place, value in zip(places.tolist(), values, strict=True):
            spread[place] = value
        return [spread[start : start + POINTS] for start in range(0, len(spread), POINTS)]


def read_cells(
    queries: QueryReader, reading: Reading, kind: Kind, measure: str, by: tuple[str, ...], wanted: Sequence[Labels]
) -> SparkCells:
    """Return the figures of the series ``wanted``, a row for each, over the minutes up to the newest closed one.

    Raises:
        QueryError: ``too_many_points``, when there are too many series; ``too_much_work``.
    """
    to_ms = ceil_to(reading.closed_ms, STEP_MS)
    from_ms = max(0, to_ms - POINTS * STEP_MS)
    question = Question(kind, measure, by, {}, DEFAULT_QUANTILES, only=frozenset(wanted))
    found = queries.collect(reading, queries.plan(reading, from_ms, to_ms, STEP_MS), question)
    row_of = {labels: row for row, labels in enumerate(wanted)}
    rows = np.array([row_of[labels] for labels in found.labels], np.int64)[found.figures.series]
    columns = (found.figures.starts_ms - from_ms) // STEP_MS
    inside = np.flatnonzero((columns >= 0) & (columns < POINTS))
    return SparkCells(from_ms, len(wanted), (rows * POINTS + columns)[inside], found.figures.take(inside))
