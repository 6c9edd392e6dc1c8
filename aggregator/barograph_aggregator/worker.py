"""The aggregator's handler of the consumer loop: commits entries, and on each tick closes panes and trims."""

import logging
from collections.abc import Collection, Mapping, Sequence
from itertools import compress, groupby
from operator import itemgetter

import numpy as np

from barograph_aggregator.close.closer import Closer
from barograph_aggregator.close.frontier import Frontier
from barograph_aggregator.close.pane_memory import PaneMemory
from barograph_aggregator.close.pane_span import EVERYTHING, PaneSpan
from barograph_aggregator.close.watch import ClosingWatch
from barograph_aggregator.commit.commit import Commit, Committer, Part, ServiceDeletedError
from barograph_aggregator.commit.lateness import Bounds, OutOfBounds, report
from barograph_aggregator.commit.pane_count import has_too_many_panes
from barograph_aggregator.commit.series_cap import SeriesCap
from barograph_aggregator.commit.service_cap import ServiceCap
from barograph_aggregator.keep.renewal import Renewal
from barograph_aggregator.keep.retention import EventRetention
from barograph_aggregator.keep.retirement import Retirement
from barograph_aggregator.keep.store_memory import StoreMemory
from barograph_aggregator.self_panes.writer import SelfPanes, ShardSnapshot
from barograph_aggregator.settings import AggregatorSettings
from barograph_core.clock import Clock
from barograph_core.decode.block import EventBlock
from barograph_core.decode.entries import EntryDecoder
from barograph_core.keyspace.keys import AGGREGATOR_GROUP, ShardKeys
from barograph_core.log_limit import LogLimit
from barograph_core.numerics.arrays import BoolArray
from barograph_core.panes.pane import Pane
from barograph_core.server.connection import Connection
from barograph_core.server.replies import Entry, EntryId
from barograph_core.steps import Step
from barograph_core.workers.consumer import UnreadableEntryError
from barograph_core.workers.counters import WorkerCounters

log = logging.getLogger(__name__)


class AggregatorHandler:
    """Turns events into panes. All its writes go through functions that are fenced or compare-and-set."""

    def __init__(
        self,
        connection: Connection,
        keys: ShardKeys,
        settings: AggregatorSettings,
        *,
        steps: Sequence[Step],
        consumer: str,
        committer: Committer,
        clock: Clock,
        counters: WorkerCounters,
        span: PaneSpan = EVERYTHING,
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._settings = settings
        self._consumer = consumer
        self._committer = committer
        self._clock = clock
        self._counters = counters
        self._series_cap = SeriesCap(connection, keys, settings.series_cap, clock, counters)
        self._service_cap = ServiceCap(connection, keys, settings.service_cap, clock)
        self._memory = PaneMemory()
        self._frontier = Frontier(
            connection, keys, settings, consumer=consumer, base_step_ms=steps[0].step_ms, clock=clock
        )
        self._watch = ClosingWatch(connection, keys, steps)
        self._closer = Closer(connection, keys, settings, steps, counters, span, self._memory, self._watch)
        self._base = steps[0]
        self._bounds = Bounds(settings.allowed_lateness_ms, settings.max_future_ms)
        self._retirement = Retirement(connection, keys, settings, group=AGGREGATOR_GROUP, base=self._base)
        self._retention = EventRetention(connection, keys, settings, clock, counters, group=AGGREGATOR_GROUP)
        self._renewal = Renewal(connection, keys)
        self._store_memory = StoreMemory(connection, keys, settings, steps, counters)
        self_panes = SelfPanes(connection, keys, self._closer.close_now, step_ms=steps[0].step_ms)
        self._self_panes = self_panes if settings.self_panes else None
        self._decoder = EntryDecoder()
        self._log_limit = LogLimit()

    def handle(self, entries: Sequence[Entry], *, is_redelivered: bool) -> None:
        """Commit the panes of ``entries``; entries that another consumer has claimed meanwhile are left to it."""
        del is_redelivered  # the fence treats both the same
        blocks = self._decode(entries)
        waiting = [np.ones(len(entries), np.bool_)]
        deleted: dict[str, EntryId] = {}
        while waiting:
            is_taken = waiting.pop()
            if not is_taken.any():
                continue
            kept, dropped = self._select(entries, is_taken, blocks, deleted)
            if is_taken.sum() > 1 and has_too_many_panes(kept, self._base.step_ms):
                is_early = is_taken & (np.cumsum(is_taken) <= is_taken.sum() // 2)
                waiting += [is_taken & ~is_early, is_early]
                continue
            commit = self._prepare([entry.id for entry in compress(entries, is_taken.tolist())], kept)
            began_ms = self._clock.monotonic_ms()
            try:
                lost = frozenset(self._committer.commit(commit))
            except ServiceDeletedError as error:
                # First commit the entries before the deletion without the service's events, then those after it: the
                # service may have come back.
                deleted[error.service] = error.entry_id
                # Its list of admitted series was deleted too.
                self._series_cap.start_over()
                is_after = np.array([entry.id > error.entry_id for entry in entries])
                waiting += [is_taken & is_after, is_taken & ~is_after]
                continue
            self._counters.observe("commit_ms", self._clock.monotonic_ms() - began_ms)
            if lost:
                self._counters.add("fence_rejections", len(lost))
                waiting.append(is_taken & np.array([entry.id not in lost for entry in entries]))
            else:
                self._counters.add("commits")
                self._counters.add("events_committed", sum(block.events for block in kept))
                self._counters.add("events_late", dropped.total)
                self._note_refused(dropped.refused)
                report(self._connection, self._keys, dropped)

    def _decode(self, entries: Sequence[Entry]) -> Sequence[EventBlock]:
        decoded = self._decoder.decode([entry.fields for entry in entries])
        if decoded.bad:
            (entry, reason), *more = [(entries[bad.position], bad.reason) for bad in decoded.bad]
            raise UnreadableEntryError(entry, reason, *more)
        return decoded.blocks

    def _note_refused(self, refused: int) -> None:
        if refused:
            self._counters.add("events_refused", refused)
            if self._log_limit.allows("service.refused", self._clock.monotonic_ms()):
                log.error("service.refused", extra={"events": refused, "service_cap": self._settings.service_cap})

    def _select(
        self,
        entries: Sequence[Entry],
        is_taken: BoolArray,
        blocks: Sequence[EventBlock],
        deleted: Mapping[str, EntryId],
    ) -> tuple[list[EventBlock], OutOfBounds]:
        """Return the events that count of the entries selected by ``is_taken``, and numbers of those that do not."""
        dropped = OutOfBounds()
        kept: list[EventBlock] = []
        for block in blocks:
            taken = block if is_taken.all() else block.select(is_taken[block.entry_of])
            inside = self._bounds.split(_without_deleted(taken, entries, deleted), entries, dropped)
            if len(inside):
                admitted = _without(self._service_cap.refused(inside.services), inside)
                dropped.refused += inside.events - admitted.events
                kept.append(admitted)
        return kept, dropped

    def _prepare(self, ids: Sequence[EntryId], kept: Sequence[EventBlock]) -> Commit:
        """Return the commit of entries whose events that count are ``kept``."""
        parts: list[Part] = []
        requests = errors = 0
        panes = Pane.of_blocks(kept, self._base.step_ms)
        for service, keys in groupby(panes, key=itemgetter(0)):
            starts = [start_ms for _, start_ms in keys]
            admitted = self._series_cap.admit(service, [panes[service, start_ms] for start_ms in starts])
            for start_ms, pane in zip(starts, admitted, strict=True):
                blob = pane.pack()
                self._memory.put(blob, pane)
                parts.append(Part(service, start_ms, blob))
                requests += pane.requests
                errors += pane.errors
        return Commit(ids, parts, requests, errors)

    def tick(self, now_ms: int) -> None:
        """Advance the watermark and trim; if this worker holds the closing lease, close the panes that it passed."""
        frontier = self._frontier.read()
        del now_ms  # due times must not hang on a clock that may be set back
        monotonic_ms = self._clock.monotonic_ms()
        self._series_cap.follow(frontier.series_dropped)
        self._retention.trim(monotonic_ms, is_closer=frontier.is_closer)
        if not frontier.is_closer:
            return
        if self._retention.account is not None:
            self._renewal.look(self._retention.account.last_id, frontier.server_ms, monotonic_ms)
        # Before closing, which may be what fails.
        self._watch.look(monotonic_ms, frontier.watermark_ms)
        try:
            self.close_panes(monotonic_ms, frontier.watermark_ms, frontier.deletions, server_ms=frontier.server_ms)
        except Exception as error:
            self._watch.note_failure(f"{type(error).__name__}: {error}")
            raise
        self._watch.note_failure("")
        if self._self_panes:
            snapshot = ShardSnapshot(
                frontier.server_ms,
                frontier.watermark_ms,
                frontier.oldest.ms if frontier.oldest else None,
                self._retention.account,
                self._retention.size_bytes,
                self._store_memory.held_bytes,
                self._watch.stuck,
            )
            self._self_panes.write(snapshot)
        self._retirement.sweep(monotonic_ms, frontier.watermark_ms)

    def close_panes(self, now_ms: float, watermark_ms: int, deletions: int, *, server_ms: int | None = None) -> None:
        """Close the panes that are whole or passed by ``watermark_ms``, and keep closed panes within their memory.

        Args:
            now_ms: This process's monotonic clock.
            watermark_ms: From the log's progress; a replay sets its own.
            deletions: Number of services ever deleted when the watermark was read.
            server_ms: The server's clock; ``None`` for the watermark alone.
        """
        self._closer.advance(watermark_ms, deletions, server_ms=server_ms)
        self._store_memory.keep_within(now_ms, watermark_ms, self._closer.take_written())


def _without(services: Collection[str], block: EventBlock) -> EventBlock:
    """Return the events of the other services."""
    if not services:
        return block
    is_other = np.array([service not in services for service in block.services])
    return block.select(is_other[block.service_of] if block.service_of is not None else is_other.repeat(len(block)))


def _without_deleted(block: EventBlock, entries: Sequence[Entry], deleted: Mapping[str, EntryId]) -> EventBlock:
    for service, entry_id in deleted.items():
        if service in block.services:
            is_gone = np.array([entry.id <= entry_id for entry in entries])[block.entry_of]
            if block.service_of is not None:
                is_gone &= block.service_of == list(block.services).index(service)
            block = block.select(~is_gone)
    return block
