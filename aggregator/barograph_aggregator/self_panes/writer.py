"""Writes the pipeline's own metrics as panes of a service of its own, so that rules can watch them.

They are panes and not events, because events would wait in the backlog that they report, and an alert on the lag would
come after it. The worker that closes panes writes and closes them each second, ahead of the watermark.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from barograph_aggregator.close.pane_queue import OpenPane
from barograph_aggregator.self_panes.silent import SilentServices
from barograph_aggregator.self_panes.totals import Totals
from barograph_core.errors import CommandRefusedError, MalformedEventError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.keyspace.layout import read_layout, self_service
from barograph_core.log_limit import ONCE, LogLimit
from barograph_core.panes.self_values import WATERMARK_AGE, SelfValue, pane_of_values
from barograph_core.pipeline.account import EventsAccount
from barograph_core.pipeline.reader import PipelineReader
from barograph_core.pipeline.samples import number
from barograph_core.pipeline.status import WorkerStatus
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value
from barograph_core.server.memory import ServerMemory, read_memory
from barograph_core.server.refusals import skip_if_full
from barograph_core.server.replies import as_int, as_text
from barograph_core.store.parts import marked

log = logging.getLogger(__name__)

_TOLD: Final = "told"
_LAYOUT_EVERY_MS: Final = 60_000
_LONG_MS: Final = 60_000
# Figures of each aggregator by itself. A rule looks at the worst of them.
# How often the server is asked what it does when its memory is full.
_MEMORY_EVERY_MS: Final = 10_000
_MEASURED: Final = ("commit_ms_p50", "commit_ms_p99", "parts_per_pane_p99")


@dataclass(frozen=True, slots=True)
class ShardSnapshot:
    """A snapshot of the shard, taken by the worker that closes panes.

    Attributes:
        server_ms: The server's clock.
        oldest_ms: Arrival of the oldest entry that is unread or pending; ``None`` without one.
        account: ``None`` before the first check of the stream.
        events_bytes: Memory of the events stream; 0 if the server does not report memory.
        store_bytes: Memory of closed panes when they were last weighed.
        stuck_closings: Services, steps and cursors that have not moved for long.
    """

    server_ms: int
    watermark_ms: int
    oldest_ms: int | None
    account: EventsAccount | None
    events_bytes: int
    store_bytes: int
    stuck_closings: int = 0


class SelfPanes:
    """Writes one pane a second of the shard's own service.

    Each metric is a custom value: ``barograph.lag_ms``, ``barograph.events_lost`` and so on (the aggregator's README
    lists them). Growth is reported once, whichever worker writes: the totals reported so far are stored in
    ``progress``, in the same step as the pane.
    """

    def __init__(
        self, connection: Connection, keys: ShardKeys, close: Callable[[OpenPane], None], *, step_ms: int
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._close_pane = close
        self._reader = PipelineReader(connection, keys)
        self._step_ms = step_ms
        self._written_ms = 0
        self._service = ""
        self._named_until_ms = 0
        self._reported = Totals()
        self._memory: ServerMemory | None = None
        self._memory_due_ms = 0
        self._log_limit = LogLimit(ONCE)
        self._silent = SilentServices(connection, keys)

    def write(self, snapshot: ShardSnapshot) -> None:
        """Write and close the pane of the last whole step, once.

        Raises:
            StreamUnavailableError: The server is unreachable.
        """
        end_ms = snapshot.server_ms - snapshot.server_ms % self._step_ms
        # Far behind it is the first one after the server's clock was ahead.
        if self._written_ms - _LONG_MS < end_ms <= self._written_ms:
            return
        self._written_ms = end_ms
        if end_ms >= self._named_until_ms:
            self._service = self_service(read_layout(self._connection, self._keys.prefix), self._keys.tag)
            self._named_until_ms = end_ms + _LAYOUT_EVERY_MS
        opened = OpenPane(end_ms, self._step_ms, self._service)
        try:
            with skip_if_full():
                if self._report(snapshot, opened):
                    # If this worker dies here, the pane closes like any other.
                    self._close_pane(opened)
                self._log_limit.forget("cannot_close")
        except (MalformedEventError, CommandRefusedError) as error:
            # Foreign data under our keys must not stop the work that these figures report on.
            if self._log_limit.allows("cannot_close"):
                log.error("self_panes.cannot_close", extra={"service": self._service, "error": str(error)})

    def _report(self, snapshot: ShardSnapshot, opened: OpenPane) -> bool:
        """Write the figures, and say whether we did: another closer may have reported them meanwhile."""
        workers = self._reader.workers(snapshot.server_ms)
        if snapshot.server_ms >= self._memory_due_ms:
            self._memory, self._memory_due_ms = read_memory(self._connection), snapshot.server_ms + _MEMORY_EVERY_MS
        held = self._connection.command("HGET", self._keys.progress, _TOLD)
        told_before = "" if held is None else as_text(held)
        # After a flush, this worker may be the only one with the totals.
        before = Totals.parse(told_before) or self._reported
        totals = Totals.of(snapshot.account, workers, before)
        aggregators = [worker for worker in workers if worker.stage == "aggregator"]
        values = self._gauges(snapshot, aggregators) + totals.growth_since(before)
        values += self._silent.values(snapshot.server_ms)
        pane = pane_of_values(values, opened.end_ms - 1, self._step_ms)
        keys = [self._keys.parts(opened.service, opened.start_ms), self._keys.open, self._keys.progress]
        args: list[Value] = [opened.end_ms, opened.member, marked(pane.pack()), told_before, totals.to_json()]
        if not as_int(self._connection.call("baro_tell_1", keys, args)):
            return False
        self._reported = totals
        return True

    def _gauges(self, snapshot: ShardSnapshot, workers: list[WorkerStatus]) -> list[SelfValue]:
        lag_ms = 0 if snapshot.oldest_ms is None else max(0, snapshot.server_ms - snapshot.oldest_ms)
        values: list[tuple[str, float]] = [
            ("lag_ms", lag_ms),
            (WATERMARK_AGE, max(0, snapshot.server_ms - snapshot.watermark_ms)),
            ("events_bytes", snapshot.events_bytes),
            ("store_bytes", snapshot.store_bytes),
            ("stuck_closings", snapshot.stuck_closings),
            ("aggregators", sum(worker.is_alive for worker in workers)),
        ]
        if self._memory is not None:
            values.append(("can_evict", float(self._memory.can_evict)))
        if snapshot.account is not None:
            values += [("unread_entries", snapshot.account.unread), ("pending_entries", snapshot.account.pending)]
            values += [("ids_ahead_ms", max(0, snapshot.account.last_id.ms - snapshot.server_ms))]
        for worker in workers:
            values += [(name, number(worker, name)) for name in _MEASURED if name in worker.facts]
        return [SelfValue(name, value) for name, value in values]
