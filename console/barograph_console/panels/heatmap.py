"""Reads the heatmap of any measure."""

from barograph_console.overview.grid import Grid
from barograph_console.overview.history import read_chart
from barograph_console.panels.models import Heatmap
from barograph_console.reading.panes import Reading
from barograph_console.rows.heat import ROW0, ROWS_PER_OCTAVE
from barograph_console.store.ports import PaneSource
from barograph_core.events.kinds import Kind


def read_heatmap(panes: PaneSource, reading: Reading, grid: Grid, kind: Kind, measure: str) -> Heatmap:
    """Return a column for each point of ``grid``.

    Raises:
        QueryError: ``too_much_work``.
    """
    chart = read_chart(panes, reading, grid, kind, kind.measure_names.index(measure))
    return Heatmap(
        service=reading.service,
        kind=kind.name,
        measure=measure,
        from_ms=grid.from_ms,
        step_ms=grid.step_ms,
        points=grid.points,
        covered_from_ms=chart.covered_from_ms,
        closed_through_ms=reading.closed_ms,
        rows_per_octave=ROWS_PER_OCTAVE,
        row0=ROW0,
        cols=chart.points.heat(),
    )
