"""Closes panes when the watermark has passed them: in order, without holes, by compare-and-set."""

import logging
from collections.abc import Callable, Sequence

from barograph_aggregator.closing_call import ClosingCall, empty_source
from barograph_aggregator.pane_memory import PaneMemory
from barograph_aggregator.pane_queue import OpenPane, PaneQueue
from barograph_aggregator.settings import AggregatorSettings
from barograph_aggregator.span import EVERYTHING, Span
from barograph_aggregator.store_memory import Block
from barograph_core.errors import BarographError, CommandRefusedError, MalformedEventError
from barograph_core.keys import ShardKeys
from barograph_core.self_metrics import Counters
from barograph_core.steps import Step
from barograph_core.stream import Connection, Reply, Value, as_hash, as_int, as_list, as_text

log = logging.getLogger(__name__)

# A worker that comes back after hours must not spend one tick on a whole outage: between ticks it reads, claims and
# looks whether it is to stop. A pane takes 0.5 to 2 ms.
_PANES_A_TICK = 400
_TAKEN_OFF_AT_ONCE = 2_000
_EMPTY_PANES_A_TICK = 600
_EMPTY_PANES_A_SERVICE = 60
# Even when that is used up, each service gains on the clock.
_EMPTY_PANES_AT_LEAST = 2
# About 5 s: a service whose data cannot be read is given a try of its oldest pane then.
_RETRY_TICKS = 100
_REMEMBERED_COMPLAINTS = 1_000


class Closer:
    """Closes what the watermark has passed. Any number may work at once; one wins each pane."""

    def __init__(
        self,
        connection: Connection,
        keys: ShardKeys,
        settings: AggregatorSettings,
        steps: Sequence[Step],
        counters: Counters,
        span: Span = EVERYTHING,
        memory: PaneMemory | None = None,
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._settings = settings
        self._counters = counters
        self._span = span
        self._steps = tuple(steps)
        self._lengths_ms = {step.step_ms for step in self._steps}
        self._base = self._steps[0]
        self._open, self._roll_ups = PaneQueue(connection, keys.open), PaneQueue(connection, keys.rollups)
        self._calls = ClosingCall(connection, keys, settings, steps, memory or PaneMemory())
        self._watermark_ms = self._deletions = 0
        self._ticked_through_ms = 0
        self._empty_left = 0
        self._complaints: set[tuple[str, int]] = set()

    def advance(self, watermark_ms: int, deletions: int = 0) -> None:
        """Close every pane that ends at or before ``watermark_ms``, move quiet services on, then roll up.

        Args:
            watermark_ms: No event before it is still to come.
            deletions: How many services had ever been deleted at that time: what was read of one before its
                deletion is not written after it.
        """
        self._watermark_ms, self._deletions = watermark_ms, deletions
        self._empty_left = _EMPTY_PANES_A_TICK
        self._open.begin_tick()
        self._roll_ups.begin_tick()
        self._close_in_order(self._open, self._due(self._open, lambda _: True))
        through_ms = watermark_ms - watermark_ms % self._base.step_ms
        if through_ms > self._ticked_through_ms:
            # Before the roll-ups: they wait until their service is closed through their end.
            self._move_quiet_services(through_ms)
            self._ticked_through_ms = through_ms
        # Closing a child makes its parent due, up to the coarsest step.
        for _ in self._steps[1:]:
            if not self._roll_up():
                break

    def close_now(self, opened: OpenPane) -> None:
        """Close a pane of the base step whatever the watermark: one that no event will ever come into."""
        (source,) = self._calls.read([opened])
        self._calls.close({opened.service: [(opened, source)]}, self._watermark_ms, self._deletions)

    def take_written(self) -> set[Block]:
        """Return the blocks that were written to since the last call."""
        return self._calls.take_written()

    def _roll_up(self) -> bool:
        closed: dict[str, bytes] | None = None

        def is_ready(opened: OpenPane) -> bool:
            nonlocal closed
            if closed is None:
                closed = as_hash(self._connection.command("HGETALL", self._keys.closed))
            # A service that is not listed has retired: nothing of it is still to be closed.
            return opened.end_ms <= int(closed.get(opened.service, opened.end_ms))

        due = self._due(self._roll_ups, is_ready)
        self._close_in_order(self._roll_ups, due)
        return bool(due)

    def _due(self, queue: PaneQueue, is_ready: Callable[[OpenPane], bool]) -> list[OpenPane]:
        """Return the oldest panes of ``queue`` that can be tried, and take those off that lie outside our span."""
        outside: list[OpenPane] = []

        def may_close(opened: OpenPane) -> bool:
            if not self._span.holds(opened.start_ms, opened.end_ms):
                if len(outside) < _TAKEN_OFF_AT_ONCE:
                    outside.append(opened)
                return False
            if opened.step_ms not in self._lengths_ms:
                # Left over from other settings, or those of another worker are right and ours are not.
                self._complain(opened, "no step of these settings is that long")
                return False
            return is_ready(opened)

        due = queue.take(self._watermark_ms, _PANES_A_TICK, may_close)
        if outside:
            members: list[Value] = [opened.member for opened in outside]
            parts: list[Value] = [self._calls.parts_key(opened) for opened in outside]
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
        """Close ``batch``, add services that cannot go on to ``held_back``, and return panes to try once more."""
        by_service: dict[str, list[OpenPane]] = {}
        for opened in batch:
            by_service.setdefault(opened.service, []).append(opened)
        try:
            sources = dict(zip(batch, self._calls.read(batch), strict=True))
            calls = {service: [(one, sources[one]) for one in panes] for service, panes in by_service.items()}
            replies = self._calls.close(calls, self._watermark_ms, self._deletions)
            for opened in batch:
                if opened.step_ms == self._base.step_ms:
                    self._counters.observe("parts_per_pane", sources[opened].parts)
        except (MalformedEventError, CommandRefusedError) as error:
            # Foreign data under our keys, or a newer worker's: this service waits, the others go on.
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
        """Count what became of one service's panes and return those behind a hole that is filled now."""
        for at, (status, *rest) in enumerate(replies):
            outcome = as_text(status)
            if outcome == "hole":
                service, start_ms = panes[at].service, panes[at].start_ms
                if self._close_empty(service, as_int(rest[0]), start_ms):
                    return list(panes[at:])
                queue.hold(service, ticks=1)
                held_back.add(service)
            elif outcome == "changed":
                self._counters.add("close_conflicts")
                held_back.add(panes[at].service)
            else:
                self._note_closed(queue, panes[at])
                is_first = outcome == "ok" and as_int(rest[0]) == 0
                self._counters.add("panes_closed" if is_first else "panes_revised")
        return []

    def _give_up(self, queue: PaneQueue, opened: OpenPane, error: BarographError) -> None:
        """Leave the service alone for some seconds: its data cannot be read or written."""
        self._counters.add("loop_errors")
        self._complain(opened, str(error))
        queue.hold(opened.service, ticks=_RETRY_TICKS)

    def _note_closed(self, queue: PaneQueue, opened: OpenPane) -> None:
        queue.release(opened.service)
        self._complaints.discard((opened.service, opened.step_ms))

    def _complain(self, opened: OpenPane, reason: str) -> None:
        """Say why a pane cannot be closed: once, until panes of its service and step close again."""
        about = (opened.service, opened.step_ms)
        if about in self._complaints:
            return
        if len(self._complaints) >= _REMEMBERED_COMPLAINTS:
            self._complaints.clear()
        self._complaints.add(about)
        facts = {"service": opened.service, "step_ms": opened.step_ms, "start_ms": opened.start_ms}
        log.error("pane.cannot_close", extra={**facts, "reason": reason})

    def _move_quiet_services(self, through_ms: int) -> None:
        closed = as_hash(self._connection.command("HGETALL", self._keys.closed))
        behind = sorted(
            service
            for service, cursor in closed.items()
            if int(cursor) < through_ms and not self._open.is_held(service)
        )
        if not behind:
            return
        keys = [self._keys.closed, self._keys.open, self._keys.metrics]
        keys += [self._keys.producers(service) for service in behind]
        args: list[Value] = [self._base.step_ms, through_ms, self._settings.no_data_ms, self._settings.keep_metrics_ms]
        args += behind
        for held in as_list(self._connection.call("baro_tick_1", keys, args)):
            self._close_empty(as_text(held), int(closed[as_text(held)]), through_ms)

    def _close_empty(self, service: str, from_ms: int, through_ms: int) -> bool:
        """Close empty panes: each records how many instances are missing.

        Returns:
            Whether all of them are closed; a long hole is filled over several ticks.
        """
        step_ms = self._base.step_ms
        starts = range(from_ms - from_ms % step_ms, through_ms, step_ms)
        most = min(_EMPTY_PANES_A_SERVICE, max(_EMPTY_PANES_AT_LEAST, self._empty_left))
        self._empty_left -= min(most, len(starts))
        panes = [(OpenPane(start + step_ms, step_ms, service), empty_source()) for start in starts[:most]]
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
        return closed == len(starts)
