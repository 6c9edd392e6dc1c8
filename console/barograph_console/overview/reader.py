"""Puts an overview together out of what the ports know."""

from dataclasses import dataclass
from typing import Final

from barograph_console.alerts.episodes import episode_row, episodes_of
from barograph_console.alerts.silence_rows import active_silences, rows_about
from barograph_console.alerts.view import active_rows
from barograph_console.figures.query_answer import QueryReader
from barograph_console.health.pipeline_summary import pipeline_summary
from barograph_console.markers.reader import MarkerReader
from barograph_console.overview.before import CompareName, read_before
from barograph_console.overview.document import Heat, Overview
from barograph_console.overview.grid import Grid
from barograph_console.overview.history import History, read_history, read_ready_history
from barograph_console.overview.live_position import LivePositions
from barograph_console.overview.tables import TableReader
from barograph_console.reading.panes import Reading
from barograph_console.reading.query_plan import QueryError
from barograph_console.rows.heat import ROW0, ROWS_PER_OCTAVE
from barograph_console.rows.requests import Endpoint
from barograph_console.rules.bounds import thresholds_of
from barograph_console.serving.memo import Memo
from barograph_console.settings import ConsoleSettings
from barograph_console.store.ports import Ports
from barograph_core.clock import Clock
from barograph_core.pipeline.status import PipelineStatus

_PIPELINE_AGE_MS: Final = 1_000


@dataclass(frozen=True, slots=True)
class OverviewQuestion:
    """What is asked.

    Attributes:
        grid: The points of the charts.
        endpoint: Only this one in charts and minute; all when ``None``.
        compare: What to compare with.
    """

    grid: Grid
    endpoint: Endpoint | None
    compare: CompareName


class OverviewReader:
    """Reads everything of one service, as of one moment."""

    def __init__(self, ports: Ports, settings: ConsoleSettings, clock: Clock, live: LivePositions) -> None:
        self._ports = ports
        self._live = live
        self._queries = QueryReader(ports.panes, max_series=settings.max_series, max_points=settings.max_points)
        self._tables = TableReader(ports, settings, clock)
        self._markers = MarkerReader(ports, clock)
        # Some twenty round trips, and the same for every service.
        self._pipeline = Memo[list[PipelineStatus]](clock, bound=1)

    def read(self, reading: Reading, asked: OverviewQuestion) -> Overview:
        """Return the overview.

        Raises:
            QueryError: ``too_much_work``.
        """
        # Before anything else is read: a page that applies a tick twice is right, one that misses it is not.
        position = self._live.position(reading.service)
        service, grid, closed_ms, now_ms = reading.service, asked.grid, reading.closed_ms, reading.now_ms
        history = self._history(reading, grid, asked.endpoint)
        before = read_before(reading, grid, asked.compare, lambda grid: self._earlier(reading, grid, asked.endpoint))
        tables = self._tables.read(
            reading, endpoint=asked.endpoint, offsets_ms=() if before is None else (before.offset_ms,)
        )
        statuses = self._pipeline.get("", self._ports.pipeline.read, max_age_ms=_PIPELINE_AGE_MS)
        summary = pipeline_summary(statuses, now_ms=now_ms, service=service, closed_ms=closed_ms)
        published = self._ports.rules.read()
        watching = [] if published is None else published.watching(service)
        records = self._ports.alerts.records([service])
        entries = self._ports.alerts.between(service, grid.from_ms, now_ms + 1)
        markers = self._markers.read(reading)
        silences = self._ports.silences.all()
        return Overview(
            service=service,
            route="" if asked.endpoint is None else f"{asked.endpoint.method} {asked.endpoint.route}",
            at_ms=now_ms,
            epoch=position.epoch,
            seq=position.seq,
            from_ms=grid.from_ms,
            step_ms=grid.step_ms,
            points=grid.points,
            covered_from_ms=history.covered_from_ms,
            closed_through_ms=closed_ms,
            missing=summary.producers.missing,
            is_open=grid.to_ms > closed_ms,
            red=history.columns,
            before=before,
            heat=Heat(ROWS_PER_OCTAVE, ROW0, history.heat),
            minute=tables.minute,
            endpoints=tables.endpoints,
            models=tables.models,
            system=tables.system,
            alerts=active_rows(records, published, active_silences(silences, now_ms)),
            episodes=[
                episode_row(one)
                for one in episodes_of([entry.transition for entry in entries], records)
                if one.end_ms is None or one.end_ms >= grid.from_ms
            ],
            markers=[marker for marker in markers if grid.from_ms <= marker.at_ms < _end_ms(grid, closed_ms, now_ms)],
            silences=rows_about(silences, service, now_ms),
            thresholds=thresholds_of(watching, asked.endpoint),
            rules=None if published is None else len(watching),
            pipeline=summary,
        )

    def _history(self, reading: Reading, grid: Grid, endpoint: Endpoint | None) -> History:
        """Return the charts; where their panes are too many, what figures alone say of all requests together."""
        try:
            return read_history(self._ports.panes, reading, grid, endpoint)
        except QueryError as error:
            if endpoint is not None or error.code != "too_much_work":
                raise
            return read_ready_history(self._queries, reading, grid)

    def _earlier(self, reading: Reading, grid: Grid, endpoint: Endpoint | None) -> History:
        if endpoint is None:
            return read_ready_history(self._queries, reading, grid)
        return read_history(self._ports.panes, reading, grid, endpoint, with_heat=False)


def _end_ms(grid: Grid, closed_ms: int, now_ms: int) -> int:
    """Return where the markers of ``grid`` end: with the newest points, those that were told just now belong to it."""
    is_newest = grid.to_ms + grid.step_ms > closed_ms
    return max(grid.to_ms, now_ms + 1) if is_newest else grid.to_ms
