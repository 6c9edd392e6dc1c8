"""Reads the tables of models and processes, each row next to the minute it is compared with and its last half hour."""

from collections.abc import Sequence

from barograph_console.figures.query_answer import QueryReader
from barograph_console.overview.spark import STEP_MS, SparkCells, read_cells
from barograph_console.overview.tables import minute_earlier
from barograph_console.panels.models import ModelBefore, Models, ModelSpark, System, SystemBefore, SystemSpark
from barograph_console.reading.panes import Reading
from barograph_console.reading.query_plan import QueryError
from barograph_console.reading.windows import MINUTE_MS, WindowReader
from barograph_console.rows.models import ModelRow, model_rows
from barograph_console.rows.system import SystemRow, system_rows
from barograph_console.rules.bounds import system_limits
from barograph_console.settings import ConsoleSettings
from barograph_console.store.ports import Ports
from barograph_core.events.kinds import KINDS, Labels

_VERSION = ("model", "version")
_INSTANCE = ("instance", "scope")


class RowTables:
    """Reads the newest closed minute, the minute before, and the figures of half an hour."""

    def __init__(self, ports: Ports, settings: ConsoleSettings) -> None:
        self._rules = ports.rules
        self._windows = WindowReader(ports.panes)
        self._queries = QueryReader(ports.panes, max_series=settings.max_series, max_points=settings.max_points)

    def models(self, reading: Reading) -> Models:
        """Return the versions of each model.

        Raises:
            QueryError: ``too_much_work``.
        """
        rows = model_rows(self._windows.read(reading, to_ms=reading.closed_ms, window_ms=MINUTE_MS))
        earlier = {(row.model, row.version): row for row in model_rows(minute_earlier(self._windows, reading))}
        return Models(
            service=reading.service,
            at_ms=reading.now_ms,
            closed_through_ms=reading.closed_ms,
            models=rows,
            before=[_model_before(earlier.get((row.model, row.version))) for row in rows],
            spark=self._model_spark(reading, [(row.model, row.version) for row in rows]),
        )

    def system(self, reading: Reading) -> System:
        """Return the processes and hosts.

        Raises:
            QueryError: ``too_much_work``.
        """
        published = self._rules.read()
        limits = {} if published is None else system_limits(published.watching(reading.service))
        rows = system_rows(self._windows.read(reading, to_ms=reading.closed_ms, window_ms=MINUTE_MS), limits)
        earlier = {(row.instance, row.scope): row for row in system_rows(minute_earlier(self._windows, reading), {})}
        return System(
            service=reading.service,
            at_ms=reading.now_ms,
            closed_through_ms=reading.closed_ms,
            system=rows,
            before=[_system_before(earlier.get((row.instance, row.scope))) for row in rows],
            spark=self._system_spark(reading, [(row.instance, row.scope) for row in rows]),
        )

    def _model_spark(self, reading: Reading, wanted: Sequence[Labels]) -> ModelSpark | None:
        try:
            latency = self._cells(reading, "model", "latency_ms", _VERSION, wanted)
            error = self._cells(reading, "model", "absolute_error", _VERSION, wanted)
        except QueryError:
            return None
        return ModelSpark(
            from_ms=latency.from_ms,
            step_ms=STEP_MS,
            events=latency.counts(latency.figures.events),
            errors=latency.counts(latency.figures.errors),
            mae=error.values(error.figures.averages),
            p95_ms=latency.values(latency.figures.quantiles[0.95]),
        )

    def _system_spark(self, reading: Reading, wanted: Sequence[Labels]) -> SystemSpark | None:
        try:
            cpu = self._cells(reading, "system", "cpu_percent", _INSTANCE, wanted)
            memory = self._cells(reading, "system", "memory_mb", _INSTANCE, wanted)
        except QueryError:
            return None
        return SystemSpark(
            from_ms=cpu.from_ms,
            step_ms=STEP_MS,
            cpu_percent=cpu.values(cpu.figures.averages),
            memory_mb=memory.values(memory.figures.averages),
        )

    def _cells(
        self, reading: Reading, kind: str, measure: str, by: tuple[str, ...], wanted: Sequence[Labels]
    ) -> SparkCells:
        return read_cells(self._queries, reading, KINDS[kind], measure, by, wanted)


def _model_before(row: ModelRow | None) -> ModelBefore | None:
    if row is None:
        return None
    return ModelBefore(row.events, row.share_ratio, row.mae, row.confidence, row.p95_ms, row.error_ratio)


def _system_before(row: SystemRow | None) -> SystemBefore | None:
    if row is None:
        return None
    return SystemBefore(row.cpu_percent, row.memory_mb, row.memory_percent, row.disk_percent)
