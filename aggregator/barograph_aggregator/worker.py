"""The aggregator's part of the consumer loop: entries to fenced commits, ticks to closings and trims."""

import logging
from collections.abc import Mapping, Sequence
from itertools import compress, groupby
from operator import itemgetter

import numpy as np

from barograph_aggregator.admission import Admission
from barograph_aggregator.closing import Closer
from barograph_aggregator.commit import Commit, Committer, Part, ServiceDeletedError
from barograph_aggregator.lateness import Bounds, OutOfBounds, report
from barograph_aggregator.pane_memory import PaneMemory
from barograph_aggregator.retention import EventRetention
from barograph_aggregator.retirement import Retirement
from barograph_aggregator.self_panes import Moment, SelfPanes
from barograph_aggregator.settings import AggregatorSettings
from barograph_aggregator.span import EVERYTHING, Span
from barograph_aggregator.store_memory import StoreMemory
from barograph_core.arrays import BoolArray
from barograph_core.clock import Clock
from barograph_core.consumer import UnreadableEntryError
from barograph_core.entry_decoder import EntryDecoder
from barograph_core.event_block import EventBlock
from barograph_core.keys import AGGREGATOR_GROUP, ShardKeys
from barograph_core.pane import Pane
from barograph_core.self_metrics import Counters
from barograph_core.steps import Step
from barograph_core.stream import Connection, Entry, EntryId, as_int, as_list, as_text

log = logging.getLogger(__name__)

# Longer than a tick with many panes: two closers at once do all work twice.
_LEASE_MS = 1_000


class AggregatorHandler:
    """Turns events into panes. All its effects go through functions that are fenced or compare-and-set."""

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
        counters: Counters,
        span: Span = EVERYTHING,
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._settings = settings
        self._consumer = consumer
        self._committer = committer
        self._clock = clock
        self._counters = counters
        self._admission = Admission(connection, keys, settings.series_cap, clock, counters)
        self._memory = PaneMemory()
        self._closer = Closer(connection, keys, settings, steps, counters, span, self._memory)
        self._base = steps[0]
        self._bounds = Bounds(settings.allowed_lateness_ms, settings.max_future_ms)
        self._retirement = Retirement(connection, keys, settings, group=AGGREGATOR_GROUP)
        self._retention = EventRetention(connection, keys, settings, clock, counters, group=AGGREGATOR_GROUP)
        self._store_memory = StoreMemory(connection, keys, settings, steps, counters)
        self_panes = SelfPanes(connection, keys, self._closer.close_now, step_ms=steps[0].step_ms)
        self._self_panes = self_panes if settings.self_panes else None
        self._decoder = EntryDecoder()

    def handle(self, entries: Sequence[Entry], *, is_redelivered: bool) -> None:
        """Commit the panes of ``entries``; those claimed away meanwhile are left to their new owner."""
        del is_redelivered  # the fence treats both alike
        blocks = self._decode(entries)
        waiting = [np.ones(len(entries), np.bool_)]
        deleted: dict[str, EntryId] = {}
        while waiting:
            is_taken = waiting.pop()
            if not is_taken.any():
                continue
            commit, events, late = self._prepare(entries, is_taken, blocks, deleted)
            try:
                lost = frozenset(self._committer.commit(commit))
            except ServiceDeletedError as error:
                # Those before the deletion without its events, then those after it: it may have come back.
                deleted[error.service] = error.entry_id
                # The list that its series were admitted to went with it.
                self._admission.start_over()
                is_after = np.array([entry.id > error.entry_id for entry in entries])
                waiting += [is_taken & is_after, is_taken & ~is_after]
                continue
            if lost:
                self._counters.add("fence_rejections", len(lost))
                waiting.append(is_taken & np.array([entry.id not in lost for entry in entries]))
            else:
                self._counters.add("commits")
                self._counters.add("events_committed", events)
                self._counters.add("events_late", late.total)
                report(self._connection, self._keys, late)

    def _decode(self, entries: Sequence[Entry]) -> Sequence[EventBlock]:
        decoded = self._decoder.decode([entry.fields for entry in entries])
        if decoded.bad:
            (entry, reason), *more = [(entries[bad.position], bad.reason) for bad in decoded.bad]
            raise UnreadableEntryError(entry, reason, *more)
        return decoded.blocks

    def _prepare(
        self,
        entries: Sequence[Entry],
        is_taken: BoolArray,
        blocks: Sequence[EventBlock],
        deleted: Mapping[str, EntryId],
    ) -> tuple[Commit, int, OutOfBounds]:
        """Return the commit of the entries that ``is_taken`` names, how many events it holds, and those it drops."""
        dropped = OutOfBounds()
        kept: list[EventBlock] = []
        for block in blocks:
            taken = block if is_taken.all() else block.select(is_taken[block.entry_of])
            inside = self._bounds.split(_without_deleted(taken, entries, deleted), entries, dropped)
            if len(inside):
                kept.append(inside)
        parts: list[Part] = []
        requests = errors = 0
        panes = Pane.of_blocks(kept, self._base.step_ms)
        for service, keys in groupby(panes, key=itemgetter(0)):
            starts = [start_ms for _, start_ms in keys]
            admitted = self._admission.admit(service, [panes[service, start_ms] for start_ms in starts])
            for start_ms, pane in zip(starts, admitted, strict=True):
                blob = pane.pack()
                self._memory.put(blob, pane)
                parts.append(Part(service, start_ms, blob))
                requests += pane.requests
                errors += pane.errors
        ids = [entry.id for entry in compress(entries, is_taken.tolist())]
        return Commit(ids, parts, requests, errors), sum(block.events for block in kept), dropped

    def tick(self, now_ms: int) -> None:
        """Move the watermark; close what it has passed if the closing lease is ours; trim."""
        reply = self._connection.call(
            "baro_frontier_1",
            [self._keys.events, self._keys.progress],
            [AGGREGATOR_GROUP, self._settings.grace_ms, self._consumer, _LEASE_MS, self._settings.no_data_ms],
        )
        watermark, is_closer, oldest, server_ms, deletions, series_dropped = as_list(reply)
        self._admission.follow(as_int(series_dropped))
        self._retention.trim(now_ms, is_closer=bool(as_int(is_closer)))
        if not as_int(is_closer):
            return
        self.close_panes(now_ms, as_int(watermark), as_int(deletions))
        if self._self_panes:
            oldest_ms = EntryId.parse(as_text(oldest)).ms if oldest else None
            moment = Moment(
                as_int(server_ms),
                as_int(watermark),
                oldest_ms,
                self._retention.account,
                self._retention.size_bytes,
                self._store_memory.held_bytes,
            )
            self._self_panes.write(moment)
        self._retirement.sweep(now_ms, as_int(watermark))

    def close_panes(self, now_ms: int, watermark_ms: int, deletions: int) -> None:
        """Close what ``watermark_ms`` has passed, and keep closed panes within their memory.

        Args:
            now_ms: Our clock.
            watermark_ms: From the log's progress; a replay tells its own.
            deletions: As ``Closer.advance`` has it.
        """
        self._closer.advance(watermark_ms, deletions)
        self._store_memory.keep_within(now_ms, watermark_ms, self._closer.take_written())


def _without_deleted(block: EventBlock, entries: Sequence[Entry], deleted: Mapping[str, EntryId]) -> EventBlock:
    for service, entry_id in deleted.items():
        if service in block.services:
            is_gone = np.array([entry.id <= entry_id for entry in entries])[block.entry_of]
            if block.service_of is not None:
                is_gone &= block.service_of == list(block.services).index(service)
            block = block.select(~is_gone)
    return block
