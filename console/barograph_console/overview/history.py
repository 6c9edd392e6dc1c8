"""Reads charts over a grid of points, without unpacking panes whole."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

from barograph_console.figures.points import DEFAULT_QUANTILES, Question
from barograph_console.figures.query_answer import QueryReader
from barograph_console.overview.grid import Grid
from barograph_console.reading.panes import Reading, read_pieces
from barograph_console.reading.query_plan import plan_query
from barograph_console.rows.columns import ChartPoints, RequestColumns
from barograph_console.rows.requests import Endpoint
from barograph_console.serving.numbers import known_each
from barograph_console.store.ports import PaneSource
from barograph_core.events.kinds import KINDS, Kind, Labels
from barograph_core.numerics.arrays import IntArray
from barograph_core.panes.outline import read_outline

_REQUEST = KINDS["request"]
_DURATION = _REQUEST.measure_names.index("duration_ms")
_ALL_REQUESTS: Final = Question(_REQUEST, "duration_ms", (), {}, DEFAULT_QUANTILES)
# Few enough that the columns of all their bins stay in the processor's cache: an hour takes two thirds of the time.
_OUTLINED_AT_ONCE: Final = 32
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Chart:
    """Points of one measure over a grid. ``covered_from_ms``: what lies before it may have expired."""

    covered_from_ms: int
    points: ChartPoints


@dataclass(frozen=True, slots=True)
class History:
    """Charts of requests over a grid.

    Attributes:
        covered_from_ms: What lies before it may have expired.
        columns: Figures by point.
        heat: Column of the heatmap by point.
    """

    covered_from_ms: int
    columns: RequestColumns
    heat: list[list[int]]

    @property
    def is_empty(self) -> bool:
        return all(count is None for count in self.columns.requests)


def read_chart(
    panes: PaneSource,
    reading: Reading,
    grid: Grid,
    kind: Kind,
    measure: int,
    keep: Callable[[Labels], bool] | None = None,
) -> Chart:
    """Return the points of a measure.

    Args:
        panes: The store.
        reading: Of the service.
        grid: The points.
        kind: Kind of the events.
        measure: Place of the measure among the kind's.
        keep: Says of the labels of a series whether it counts; all count when ``None``.

    Raises:
        QueryError: ``too_much_work``.
    """
    plan = plan_query(
        reading.steps,
        from_ms=grid.from_ms,
        to_ms=grid.to_ms,
        step_ms=grid.step_ms,
        closed_through_ms=reading.closed_ms,
        now_ms=reading.now_ms,
        pending=reading.pending,
        max_points=grid.points + 1,
    )
    points = ChartPoints(grid.points)
    for run in plan.runs:
        for piece in read_pieces(panes, reading, run):
            within = [pane for pane in piece if grid.from_ms <= pane.start_ms < grid.to_ms]
            for at in range(0, len(within), _OUTLINED_AT_ONCE):
                some = within[at : at + _OUTLINED_AT_ONCE]
                starts_ms = np.array([pane.start_ms for pane in some], np.int64)
                points.add(
                    read_outline([pane.content for pane in some], kind, measure, keep),
                    (starts_ms - grid.from_ms) // grid.step_ms,
                    [pane.missing for pane in some],
                )
    return Chart(max(grid.from_ms, plan.covered_from_ms), points)


def read_history(
    panes: PaneSource, reading: Reading, grid: Grid, endpoint: Endpoint | None, *, with_heat: bool = True
) -> History:
    """Return the charts of requests to ``endpoint``, of all when ``None``.

    Raises:
        QueryError: ``too_much_work``.
    """
    keep = None if endpoint is None else _keeping(endpoint)
    chart = read_chart(panes, reading, grid, _REQUEST, _DURATION, keep)
    return History(chart.covered_from_ms, chart.points.columns(), chart.points.heat() if with_heat else [])


def read_ready_history(queries: QueryReader, reading: Reading, grid: Grid) -> History:
    """Return the charts of all requests out of the figures that lie ready: without 4xx and without a heatmap.

    Raises:
        QueryError: ``too_much_work``.
    """
    plan = queries.plan(reading, grid.from_ms, grid.to_ms, grid.step_ms)
    figures = queries.collect(reading, plan, _ALL_REQUESTS).figures
    places = (figures.starts_ms - grid.from_ms) // grid.step_ms
    inside = (places >= 0) & (places < grid.points)
    figures, places = figures.take(np.flatnonzero(inside)), places[inside]
    nothing: list[int | None] = [None] * grid.points
    is_known = figures.counts > 0
    p50, p95, p99 = (
        _spread(known_each(figures.quantiles[quantile], is_known), places, grid.points)
        for quantile in _ALL_REQUESTS.quantiles.values()
    )
    columns = RequestColumns(
        requests=_spread(figures.events.tolist(), places, grid.points),
        errors=_spread(figures.errors.tolist(), places, grid.points),
        e4xx=nothing,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        missing=[0] * grid.points,
    )
    return History(max(grid.from_ms, plan.covered_from_ms), columns, [[] for _ in range(grid.points)])


def _spread(values: Sequence[V | None], places: IntArray, points: int) -> list[V | None]:
    """Return a list of ``points`` values: each of ``values`` at its place, and ``None`` elsewhere."""
    spread: list[V | None] = [None] * points
    for place, value in zip(places.tolist(), values, strict=True):
        spread[place] = value
    return spread


def _keeping(endpoint: Endpoint) -> Callable[[Labels], bool]:
    """Return what says of the labels of a series whether it is of ``endpoint``; free labels follow the fixed ones."""
    wanted = (endpoint.route, endpoint.method)
    return lambda labels: labels[: len(wanted)] == wanted
