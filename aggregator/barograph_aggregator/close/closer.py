"""Closes panes when they are whole or the watermark has passed them: in order, without gaps, by compare-and-set."""

import logging
from collections.abc import Sequence

from barograph_aggregator.close.call import ClosingCall, no_parts
from barograph_aggregator.close.pane_filter import PaneFilter, RollUpFilter
from barograph_aggregator.close.pane_memory import PaneMemory
from barograph_aggregator.close.pane_queue import OpenPane, PaneQueue
from barograph_aggregator.close.pane_span import EVERYTHING, PaneSpan
from barograph_aggregator.close.watch import ClosingWatch
from barograph_aggregator.close.whole_panes import WholePanes
from barograph_aggregator.settings import AggregatorSettings
from barograph_core.errors import BarographError, CommandRefusedError, MalformedEventError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.log_limit import ONCE, LogLimit
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply, Value
from barograph_core.server.replies import as_int, as_list, as_text
from barograph_core.steps import Step
from barograph_core.store.blocks import Block
from barograph_core.store.closed import parse_closed
from barograph_core.workers.counters import WorkerCounters

log = logging.getLogger(__name__)

# Limit of panes closed in one tick; a pane takes 0.5 to 2 ms. A worker that comes back after hours must not spend one
# tick on the whole outage: between ticks it reads, claims and checks whether to stop.
_PANES_A_TICK = 400
_EMPTY_PANES_A_TICK = 600
_EMPTY_PANES_A_SERVICE = 60
# Least number of empty panes for each service, even when the limit of the tick is used up, so that each catches up.
_EMPTY_PANES_AT_LEAST = 2
# Time until the oldest pane of a service whose data cannot be read is tried again: about 5 s.
_RETRY_TICKS = 100
_CHANGED = "each time that it was read, the server says that it has changed since"


class Closer:
    """Closes panes that are whole or that the watermark has passed. Of any number of closers, one wins each pane."""

    def __init__(
        self,
        connection: Connection,
        keys: ShardKeys,
        settings: AggregatorSettings,
        steps: Sequence[Step],
        counters: WorkerCounters,
        span: PaneSpan = EVERYTHING,
        memory: PaneMemory | None = None,
        watch: ClosingWatch | None = None,
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._settings = settings
        self._counters = counters
        self._span = span
        self._steps = tuple(steps)
        self._lengths_ms = frozenset(step.step_ms for step in self._steps)
        self._base = self._steps[0]
        self._open, self._roll_ups = PaneQueue(connection, keys.open), PaneQueue(connection, keys.rollups)
        self._calls = ClosingCall(connection, keys, settings, steps, memory or PaneMemory())
        self._watermark_ms = self._deletions = 0
        self._ticked_through_ms = 0
        self._empty_left = 0
        self._log_limit = LogLimit(ONCE)
        self._watch = watch or ClosingWatch(connection, keys, steps)
        self._whole_panes = WholePanes(
            connection, keys, base_step_ms=self._base.step_ms, no_data_ms=settings.no_data_ms
        )

    def advance(self, watermark_ms: int, deletions: int = 0, *, server_ms: int | None = None) -> None:
        """Close every pane that ends at or before ``watermark_ms``, advance quiet services, then close roll-ups.

        Args:
            watermark_ms: All events before it have arrived.
            deletions: Number of services ever deleted when the watermark was read. A write is refused if the number
                has grown, so that a deleted service's panes do not return.
            server_ms: The server's clock: panes that end by then and are whole close too. ``None`` for the watermark
                alone, as in a replay, where no producers report.
        """
        if watermark_ms < self._watermark_ms:
            # It was set back with the cursors, because the server's clock had been ahead.
            self._ticked_through_ms = 0
        self._watermark_ms, self._deletions = watermark_ms, deletions
        self._empty_left = _EMPTY_PANES_A_TICK
        self._open.begin_tick()
        self._roll_ups.begin_tick()
        whole = frozenset[OpenPane]() if server_ms is None else self._whole_panes.find(watermark_ms, server_ms)
        newest_ms = max([watermark_ms, *(opened.end_ms for opened in whole)])
        panes = PaneFilter(self._span, self._lengths_ms, self._log_refused, watermark_ms, whole)
        self._close_in_order(self._open, self._due(self._open, panes, newest_ms))
        through_ms = watermark_ms - watermark_ms % self._base.step_ms
        if through_ms > self._ticked_through_ms:
            # Before the roll-ups, which wait until their service is closed through their end.
            self._advance_quiet_services(through_ms)
            self._ticked_through_ms = through_ms
        # Closing a roll-up makes the next coarser one due, up to the coarsest step.
        for _ in self._steps[1:]:
            ready = RollUpFilter(self._span, self._lengths_ms, self._log_refused, watermark_ms, self._read_cursors)
            due = self._due(self._roll_ups, ready, newest_ms)
            if not due:
                break
            self._close_in_order(self._roll_ups, due)

    def close_now(self, opened: OpenPane) -> None:
        """Close a pane of the base step ahead of the watermark: a pane that receives no events."""
        (stored,) = self._calls.read([opened])
        self._calls.close({opened.service: [(opened, stored)]}, self._watermark_ms, self._deletions)

    def take_written(self) -> set[Block]:
        """Return the blocks that were written to since the last call."""
        return self._calls.take_written()

    def _read_cursors(self) -> dict[str, int]:
        return parse_closed(self._connection.command("HGETALL", self._keys.closed))

    def _due(self, queue: PaneQueue, ready: PaneFilter, newest_ms: int) -> list[OpenPane]:
        """Return the oldest panes of ``queue`` that can be tried, and remove those that lie outside our span."""
        due = queue.take(newest_ms, _PANES_A_TICK, ready.may_close)
        if ready.outside:
            members: list[Value] = [opened.member for opened in ready.outside]
            parts: list[Value] = [self._calls.parts_key(opened) for opened in ready.outside]
            self._connection.pipeline([["ZREM", queue.key, *members], ["UNLINK", *parts]])
        return due

    def _close_in_order(self, queue: PaneQueue, due: Sequence[OpenPane]) -> None:
        waiting = list(due)
        held_back: set[str] = set()
        while waiting:
            most = self._calls.panes_at_once
            batch = [opened for opened in waiting[:most] if opened.service not in held_back]
            waiting = self._close(queue, batch, held_back) + waiting[most:]

    def _close(self, queue: PaneQueue, batch: Sequence[OpenPane], held_back: set[str]) -> list[OpenPane]:
        """Close ``batch``, add blocked services to ``held_back``, and return panes to try once more."""
        by_service: dict[str, list[OpenPane]] = {}
        for opened in batch:
            by_service.setdefault(opened.service, []).append(opened)
        try:
            stored = dict(zip(batch, self._calls.read(batch), strict=True))
            calls = {service: [(one, stored[one]) for one in panes] for service, panes in by_service.items()}
            replies = self._calls.close(calls, self._watermark_ms, self._deletions)
            for opened in batch:
                if opened.step_ms == self._base.step_ms:
                    self._counters.observe("parts_per_pane", stored[opened].parts)
        except (MalformedEventError, CommandRefusedError) as error:
            # The data is foreign or of a newer worker. Find its service by trying each alone; the others continue.
            if len(by_service) == 1:
                self._give_up(queue, batch[0], error)
                held_back.update(by_service)
                return []
            return [again for panes in by_service.values() for again in self._close(queue, panes, held_back)]
        return [
            again
            for service, panes in by_service.items()
            for again in self._settle(queue, panes, replies[service], held_back)
        ]

    def _settle(
        self, queue: PaneQueue, panes: Sequence[OpenPane], replies: Sequence[list[Reply]], held_back: set[str]
    ) -> list[OpenPane]:
        """Count the results of one service's panes, and return the panes after a gap that is filled now."""
        for at, (status, *rest) in enumerate(replies):
            result = as_text(status)
            if result == "hole":
                service, start_ms = panes[at].service, panes[at].start_ms
                if self._close_empty(service, as_int(rest[0]), start_ms):
                    return list(panes[at:])
                self._watch.note_reason(service, panes[at].step_ms, "the empty panes before it do not close")
                queue.hold(service, ticks=1)
                held_back.add(service)
            elif result == "changed":
                self._counters.add("close_conflicts")
                self._watch.note_reason(panes[at].service, panes[at].step_ms, _CHANGED)
                held_back.add(panes[at].service)
            else:
                self._note_closed(queue, panes[at])
                is_first = result == "ok" and as_int(rest[0]) == 0
                self._whole_panes.note_closed(panes[at])
                self._counters.add("panes_closed" if is_first else "panes_revised")
        return []

    def _give_up(self, queue: PaneQueue, opened: OpenPane, error: BarographError) -> None:
        """Skip the service for some seconds: its data cannot be read or written."""
        self._counters.add("loop_errors")
        self._log_refused(opened, str(error))
        queue.hold(opened.service, ticks=_RETRY_TICKS)

    def _note_closed(self, queue: PaneQueue, opened: OpenPane) -> None:
        queue.release(opened.service)
        self._log_limit.forget((opened.service, opened.step_ms))
        self._watch.note_closed(opened.service, opened.step_ms)

    def _log_refused(self, opened: OpenPane, reason: str) -> None:
        """Log why a pane cannot be closed: once, until panes of its service and step close again."""
        self._watch.note_reason(opened.service, opened.step_ms, reason)
        if self._log_limit.allows((opened.service, opened.step_ms)):
            facts = {"service": opened.service, "step_ms": opened.step_ms, "start_ms": opened.start_ms}
            log.error("pane.cannot_close", extra={**facts, "reason": reason})

    def _advance_quiet_services(self, through_ms: int) -> None:
        closed = self._read_cursors()
        behind = sorted(
            service for service, cursor in closed.items() if cursor < through_ms and not self._open.is_held(service)
        )
        if not behind:
            return
        keys = [self._keys.closed, self._keys.open, self._keys.metrics]
        keys += [self._keys.producers(service) for service in behind]
        args: list[Value] = [self._base.step_ms, through_ms, self._settings.no_data_ms, self._settings.keep_metrics_ms]
        args += behind
        for held in as_list(self._connection.call("baro_tick_1", keys, args)):
            self._close_empty(as_text(held), closed[as_text(held)], through_ms)

    def _close_empty(self, service: str, from_ms: int, through_ms: int) -> bool:
        """Close empty panes, each of which records how many instances are missing.

        Returns:
            Whether all of them are closed. A long gap is filled over several ticks.
        """
        step_ms = self._base.step_ms
        starts = range(from_ms - from_ms % step_ms, through_ms, step_ms)
        most = min(_EMPTY_PANES_A_SERVICE, max(_EMPTY_PANES_AT_LEAST, self._empty_left))
        self._empty_left -= min(most, len(starts))
        panes = [(OpenPane(start + step_ms, step_ms, service), no_parts()) for start in starts[:most]]
        try:
            replies = self._calls.close({service: panes}, self._watermark_ms, self._deletions)[service]
        except (MalformedEventError, CommandRefusedError) as error:
            self._give_up(self._open, panes[0][0], error)
            return False
        closed = sum(as_text(status) == "ok" for status, *_ in replies)
        self._counters.add("panes_closed", closed)
        if closed:
            self._note_closed(self._open, panes[0][0])
        if closed < len(panes):
            self._counters.add("close_conflicts")
            self._watch.note_reason(service, step_ms, _CHANGED)
        return closed == len(starts)
