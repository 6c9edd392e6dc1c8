"""Reads the tables of the newest closed minute, next to the minute that they are compared with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from barograph_console.figures.query_answer import QueryReader
from barograph_console.overview.before import OFFSETS_MS
from barograph_console.overview.document import EndpointTable
from barograph_console.overview.spark import Spark, read_spark
from barograph_console.reading.first_pane import CoveredWindows
from barograph_console.reading.panes import Reading
from barograph_console.reading.query_plan import QueryError
from barograph_console.reading.windows import MINUTE_MS, WindowReader
from barograph_console.rows.endpoints import COLUMNS, Row, endpoint_rows, p95_by_endpoint
from barograph_console.rows.models import ModelRow, model_rows
from barograph_console.rows.requests import Endpoint, Minute, minute_before, minute_of, requests_of
from barograph_console.rows.system import SystemRow, system_rows
from barograph_console.rules.bounds import system_limits
from barograph_console.settings import ConsoleSettings
from barograph_console.store.ports import Ports
from barograph_core.clock import Clock
from barograph_core.panes.pane import Pane

ROWS: Final = 100


@dataclass(frozen=True, slots=True)
class Tables:
    """What the newest closed minute holds."""

    service: str
    at_ms: int
    closed_through_ms: int
    minute: Minute
    endpoints: EndpointTable
    models: list[ModelRow]
    system: list[SystemRow]


class TableReader:
    """Merges the panes of a minute once, and makes all tables of them."""

    def __init__(self, ports: Ports, settings: ConsoleSettings, clock: Clock) -> None:
        self._rules = ports.rules
        self._apdex_t_ms = settings.apdex_t_ms
        self._windows = WindowReader(ports.panes)
        self._covered = CoveredWindows(ports.panes, clock)
        self._queries = QueryReader(ports.panes, max_series=settings.max_series, max_points=settings.max_points)

    def read(
        self,
        reading: Reading,
        *,
        endpoint: Endpoint | None = None,
        offsets_ms: Sequence[int] = OFFSETS_MS["auto"],
        limit: int = ROWS,
    ) -> Tables:
        """Return the tables.

        Args:
            reading: Of one service.
            endpoint: Only this one counts in the minute; all when ``None``.
            offsets_ms: How far before is compared with; the first at which there was something.
            limit: The most endpoints.

        Raises:
            QueryError: ``too_much_work``.
        """
        pane, covered_ms = self._covered.read(reading, window_ms=MINUTE_MS)
        earlier = minute_earlier(self._windows, reading, offsets_ms)
        before = minute_before(requests_of(earlier, endpoint), apdex_t_ms=self._apdex_t_ms)
        rows = endpoint_rows(pane, p95_by_endpoint(earlier))
        shown = rows[:limit]
        published = self._rules.read()
        limits = {} if published is None else system_limits(published.watching(reading.service))
        return Tables(
            service=reading.service,
            at_ms=reading.now_ms,
            closed_through_ms=reading.closed_ms,
            minute=minute_of(
                requests_of(pane, endpoint), covered_ms=covered_ms, apdex_t_ms=self._apdex_t_ms, before=before
            ),
            endpoints=EndpointTable(COLUMNS, shown, self._spark(reading, shown), len(rows)),
            models=model_rows(pane),
            system=system_rows(pane, limits),
        )

    def _spark(self, reading: Reading, shown: Sequence[Row]) -> Spark | None:
        try:
            return read_spark(self._queries, reading, [Endpoint(str(row[0]), str(row[1])) for row in shown])
        except QueryError:
            return None


def minute_earlier(windows: WindowReader, reading: Reading, offsets_ms: Sequence[int] = OFFSETS_MS["auto"]) -> Pane:
    """Return the minute that figures are compared with: at the first offset before where there was something."""
    for offset_ms in offsets_ms:
        pane = windows.minute_before(reading, offset_ms=offset_ms)
        if not pane.is_empty:
            return pane
    return Pane.EMPTY
