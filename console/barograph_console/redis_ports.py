"""The console's ports over the server: panes, pipeline, health."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from barograph_console.connection_pool import ConnectionPool
from barograph_console.ports import Complaint
from barograph_core.clock import Clock
from barograph_core.errors import BarographError, StreamUnavailableError
from barograph_core.events import Kind, Labels
from barograph_core.figure_store import FigureRange, FigureStore, SeriesNames
from barograph_core.figures import Figures
from barograph_core.layout import LayoutView
from barograph_core.library import loaded_version
from barograph_core.pipeline import PipelineReader, PipelineStatus
from barograph_core.pipeline_status import ServiceProducers
from barograph_core.steps import Step
from barograph_core.store import PaneStore, StoredPane
from barograph_core.stream import Connection

_PROBE_EVERY_MS: Final = 1_000
_PROBE_LIFE_MS: Final = 60_000
_GONE: Final = frozenset({"unreachable", "timeout"})


class RedisPanes:
    """The query store of all shards."""

    def __init__(self, pool: ConnectionPool, layouts: LayoutView, steps: Sequence[Step]) -> None:
        self._pool = pool
        self._layouts = layouts
        self._steps = tuple(steps)
        self._names = SeriesNames()

    def steps(self, service: str, now_ms: int) -> Sequence[Step]:
        with self._pool.borrow() as connection:
            keys = self._layouts.current(connection).keys_of(service)
            kept_from_ms = PaneStore(connection, keys, self._steps).kept_from_ms()
        return [
            replace(step, keep_ms=min(step.keep_ms, max(0, now_ms - kept_from_ms.get(step.step_ms, 0))))
            for step in self._steps
        ]

    def services(self) -> dict[str, int]:
        found: dict[str, int] = {}
        with self._pool.borrow() as connection:
            for keys in self._layouts.current(connection).shards:
                found |= PaneStore(connection, keys, self._steps).services()
        return dict(sorted(found.items()))

    def read(self, service: str, step_ms: int, from_ms: int, to_ms: int) -> Sequence[StoredPane]:
        with self._pool.borrow() as connection:
            keys = self._layouts.current(connection).keys_of(service)
            return PaneStore(connection, keys, self._steps).read(service, step_ms, from_ms, to_ms)

    def series(self, where: FigureRange, kind: str) -> Sequence[Labels]:
        with self._pool.borrow() as connection:
            return self._figures(connection, where.service).series(where, kind)

    def figures(self, where: FigureRange, kind: Kind, measure: int, series: Sequence[Labels]) -> tuple[Figures, int]:
        with self._pool.borrow() as connection:
            return self._figures(connection, where.service).read(where, kind, measure, series)

    def _figures(self, connection: Connection, service: str) -> FigureStore:
        return FigureStore(connection, self._layouts.current(connection).keys_of(service), self._names)


class RedisPipeline:
    """The status of all shards."""

    def __init__(self, pool: ConnectionPool, layouts: LayoutView) -> None:
        self._pool = pool
        self._layouts = layouts

    def read(self) -> list[PipelineStatus]:
        with self._pool.borrow() as connection:
            return [PipelineReader(connection, keys).read() for keys in self._layouts.current(connection).shards]

    def producers_of(self, services: Sequence[str]) -> dict[str, ServiceProducers]:
        found: dict[str, ServiceProducers] = {}
        with self._pool.borrow() as connection:
            layout = self._layouts.current(connection)
            for keys in layout.shards:
                own = [service for service in services if layout.tag_of(service) == keys.tag]
                found |= PipelineReader(connection, keys).producers_of(own)
        return found


class RedisHealth:
    """Asks the server, at most once a second, whether it is there, has the library and takes writes.

    A server that is out of memory or cannot write its log still answers reads: that is another trouble
    than one that is gone, and another person's to mend. Only a real write tells.
    """

    def __init__(self, pool: ConnectionPool, layouts: LayoutView, clock: Clock) -> None:
        self._pool = pool
        self._layouts = layouts
        self._clock = clock
        self._lock = threading.Lock()
        self._asked_ms = float("-inf")
        self._complaints: list[Complaint] = []

    def complaints(self) -> list[Complaint]:
        with self._lock:
            if self._clock.monotonic_ms() - self._asked_ms >= _PROBE_EVERY_MS:
                self._complaints = self._ask()
                self._asked_ms = self._clock.monotonic_ms()
            return list(self._complaints)

    def _ask(self) -> list[Complaint]:
        try:
            with self._pool.borrow() as connection:
                # A full disk makes even PING fail, so an error here need not mean that nobody is there.
                connection.command("PING")
                found = [Complaint("no_library", "no_library")] if loaded_version(connection) is None else []
                return found + self._ask_to_write(connection)
        except BarographError as error:
            return [_complaint(error)]

    def _ask_to_write(self, connection: Connection) -> list[Complaint]:
        try:
            # To every shard: in a Cluster each may lie on a node of its own.
            shards = self._layouts.current(connection).shards
            probes = [keys.worker("console", "probe") for keys in shards]
            connection.pipeline([("SET", key, self._clock.now_ms(), "PX", _PROBE_LIFE_MS) for key in probes])
        except BarographError as error:
            return [_complaint(error)]
        return []


def _complaint(error: BarographError) -> Complaint:
    reason = error.reason if isinstance(error, StreamUnavailableError) else "refused"
    return Complaint("gone" if reason in _GONE else "refuses", reason)
