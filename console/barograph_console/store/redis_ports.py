"""The console's ports over the server: panes, pipeline, health."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from barograph_console.store.connection_pool import ConnectionPool
from barograph_console.store.pane_memory import PaneMemory
from barograph_console.store.ports import ReadinessProblem, Retention
from barograph_core.clock import Clock
from barograph_core.errors import BarographError, StreamUnavailableError
from barograph_core.events.kinds import Kind, Labels
from barograph_core.functions.library import loaded_version
from barograph_core.keyspace.layout import LayoutView
from barograph_core.pipeline.halt import look_for_halt
from barograph_core.pipeline.reader import PipelineReader
from barograph_core.pipeline.status import PipelineStatus, ServiceProducers
from barograph_core.server.connection import Connection, read_now
from barograph_core.server.memory import read_memory
from barograph_core.server.replies import as_int, as_list
from barograph_core.steps import Step
from barograph_core.store.figure_store import FigureRange, FigureStore, SeriesNames
from barograph_core.store.figures import Figures
from barograph_core.store.pane_store import PackedPane, PaneStore, StoredPane
from barograph_core.store.rebuilt import read_rebuilt

# Late events of a pane are in it when the watermark has passed them, and in its roll-ups within a few ticks more.
_ROLLED_UP_MS: Final = 60_000
_PROBE_EVERY_MS: Final = 1_000
_PROBE_LIFE_MS: Final = 60_000
# Ids this far ahead of the server's clock are not ready: aggregators begin such a stream again as soon as they can.
_MOST_AHEAD_MS: Final = 60_000
_GONE: Final = frozenset({"unreachable", "timeout"})


class RedisPanes:
    """The query store of all shards."""

    def __init__(self, pool: ConnectionPool, layouts: LayoutView, steps: Sequence[Step]) -> None:
        self._pool = pool
        self._layouts = layouts
        self._steps = tuple(steps)
        self._names = SeriesNames()
        self._memory = PaneMemory()

    def retention(self, service: str, now_ms: int) -> Retention:
        with self._pool.borrow() as connection:
            keys = self._layouts.current(connection).keys_of(service)
            kept_from_ms = PaneStore(connection, keys, self._steps).kept_from_ms()
            rebuilt = read_rebuilt(connection, keys)
        present_ms = now_ms if rebuilt is None else rebuilt.ends_ms.get(service, now_ms)
        return Retention(
            present_ms,
            [
                replace(step, keep_ms=min(step.keep_ms, max(0, present_ms - kept_from_ms.get(step.step_ms, 0))))
                for step in (self._steps if rebuilt is None else rebuilt.steps(self._steps, service, now_ms))
            ],
        )

    def services(self) -> dict[str, int]:
        found: dict[str, int] = {}
        with self._pool.borrow() as connection:
            for keys in self._layouts.current(connection).shards:
                closed_ms = PaneStore(connection, keys, self._steps).services()
                rebuilt = read_rebuilt(connection, keys)
                # A rebuild closes everything up to its own time; after the end of its log there is nothing.
                ends_ms: Mapping[str, int] = {} if rebuilt is None else rebuilt.ends_ms
                found |= {name: min(at_ms, ends_ms.get(name, at_ms)) for name, at_ms in closed_ms.items()}
        return dict(sorted(found.items()))

    def pending_roll_ups(self, service: str, through_ms: int) -> Sequence[tuple[int, int]]:
        with self._pool.borrow() as connection:
            keys = self._layouts.current(connection).keys_of(service)
            return PaneStore(connection, keys, self._steps).pending_roll_ups(service, through_ms)

    def settled_ms(self, service: str) -> int | None:
        with self._pool.borrow() as connection:
            keys = self._layouts.current(connection).keys_of(service)
            watermark, lateness = as_list(connection.command("HMGET", keys.progress, "watermark_ms", "lateness_ms"))
        return None if watermark is None or lateness is None else as_int(watermark) - as_int(lateness) - _ROLLED_UP_MS

    def read(self, service: str, step_ms: int, from_ms: int, to_ms: int) -> Sequence[StoredPane]:
        packed = self.read_packed(service, step_ms, from_ms, to_ms)
        return [self.unpack(service, step_ms, one) for one in packed]

    def read_changed(
        self, service: str, step_ms: int, from_ms: int, to_ms: int, known: Mapping[int, int]
    ) -> Sequence[StoredPane]:
        with self._pool.borrow() as connection:
            keys = self._layouts.current(connection).keys_of(service)
            return PaneStore(connection, keys, self._steps).read_changed(service, step_ms, from_ms, to_ms, known)

    def unpack(self, service: str, step_ms: int, packed: PackedPane) -> StoredPane:
        return self._memory.unpack(service, step_ms, packed)

    def read_packed(self, service: str, step_ms: int, from_ms: int, to_ms: int) -> Sequence[PackedPane]:
        with self._pool.borrow() as connection:
            keys = self._layouts.current(connection).keys_of(service)
            return PaneStore(connection, keys, self._steps).read_packed(service, step_ms, from_ms, to_ms)

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
        self._problems: list[ReadinessProblem] = []

    def problems(self) -> list[ReadinessProblem]:
        with self._lock:
            if self._clock.monotonic_ms() - self._asked_ms >= _PROBE_EVERY_MS:
                self._problems = self._ask()
                self._asked_ms = self._clock.monotonic_ms()
            return list(self._problems)

    def _ask(self) -> list[ReadinessProblem]:
        try:
            with self._pool.borrow() as connection:
                # A full disk makes even PING fail, so an error here need not mean that no one is there.
                connection.command("PING")
                found = [ReadinessProblem("no_library", "no_library")] if loaded_version(connection) is None else []
                return found + self._ask_about_memory(connection) + self._ask_to_write(connection)
        except BarographError as error:
            return [_problem(error)]

    def _ask_about_memory(self, connection: Connection) -> list[ReadinessProblem]:
        memory = read_memory(connection)
        return [ReadinessProblem("evicts", "can_evict")] if memory is not None and memory.can_evict else []

    def _ask_to_write(self, connection: Connection) -> list[ReadinessProblem]:
        try:
            # To every shard: in a Cluster each may lie on a node of its own.
            shards = self._layouts.current(connection).shards
            probes = [keys.worker("console", "probe") for keys in shards]
            connection.pipeline([("SET", key, self._clock.now_ms(), "PX", _PROBE_LIFE_MS) for key in probes])
            from_ms = read_now(connection) + _MOST_AHEAD_MS
            found = connection.pipeline([("XREVRANGE", keys.events, "+", from_ms, "COUNT", 1) for keys in shards])
            halted = {kind for keys in shards for kind in look_for_halt(connection, keys)}
        except BarographError as error:
            return [_problem(error)]
        kinds = [*(["ids_ahead"] if any(map(as_list, found)) else []), *sorted(halted)]
        return [ReadinessProblem(kind, kind) for kind in kinds]


def _problem(error: BarographError) -> ReadinessProblem:
    reason = error.reason if isinstance(error, StreamUnavailableError) else "refused"
    return ReadinessProblem("gone" if reason in _GONE else "refuses", reason)
