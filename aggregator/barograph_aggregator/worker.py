"""The aggregator's part of the consumer loop: entries to fenced commits, ticks to closings and trims."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np

from barograph_aggregator.admission import Admission
from barograph_aggregator.closing import Closer
from barograph_aggregator.commit import Commit, Committer, Part
from barograph_aggregator.lateness import keep_events, within_bounds
from barograph_aggregator.settings import AggregatorSettings
from barograph_core.clock import Clock
from barograph_core.consumer import UnreadableEntryError
from barograph_core.decode import EventBatch, decode_batch, decode_batches
from barograph_core.errors import MalformedEventError
from barograph_core.keys import ShardKeys
from barograph_core.pane import Pane
from barograph_core.self_metrics import Counters
from barograph_core.store import PaneStore
from barograph_core.stream import Connection, Entry, EntryId, as_int, as_list, as_text

log = logging.getLogger(__name__)

GROUP = "aggregator"
_TRIM_EVERY_MS = 5_000
# Longer than a tick with many panes: two closers at once do all work twice.
_LEASE_MS = 1_000
# A block this close to its expiry may be gone before the revision is written.
_EXPIRY_MARGIN_MS = 60_000
# PTTL of a key that stays.
_NEVER = -1


class AggregatorHandler:
    """Turns events into panes. All its effects go through functions that are fenced or compare-and-set."""

    def __init__(
        self,
        connection: Connection,
        keys: ShardKeys,
        settings: AggregatorSettings,
        *,
        consumer: str,
        committer: Committer,
        clock: Clock,
        counters: Counters,
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._settings = settings
        self._consumer = consumer
        self._committer = committer
        self._clock = clock
        self._counters = counters
        self._admission = Admission(connection, keys, settings.series_cap, clock, counters)
        self._closer = Closer(connection, keys, settings, counters)
        # Reading the steps out of their text for each entry cost as much as decoding it.
        self._base = settings.steps[0]
        self._store = PaneStore(connection, keys, settings.steps)
        self._trim_due_ms = 0
        self._decoded: dict[EntryId, EventBatch] = {}
        self._bad_until: EntryId | None = None

    def handle(self, entries: Sequence[Entry], *, is_redelivered: bool) -> None:
        """Commit the panes of ``entries``; those claimed away meanwhile are left to their new owner."""
        del is_redelivered  # the fence treats both alike
        decoded = self._decode(entries)
        while decoded:
            commit, events = self._prepare(decoded)
            lost = frozenset(self._committer.commit(commit))
            if not lost:
                self._counters.add("commits")
                self._counters.add("events_committed", events)
                self._counters.add("events_late", sum(batch.events for _, batch in decoded) - events)
                return
            self._counters.add("fence_rejections", len(lost))
            decoded = [(entry_id, batch) for entry_id, batch in decoded if entry_id not in lost]

    def _decode(self, entries: Sequence[Entry]) -> list[tuple[EntryId, EventBatch]]:
        if entries and not self._decoded and entries[-1].id != self._bad_until:
            try:
                # Several times as fast as one by one, but it does not tell which entry is bad.
                batches = decode_batches([entry.fields for entry in entries])
            except MalformedEventError:
                self._bad_until = entries[-1].id
            else:
                return [(entry.id, batch) for entry, batch in zip(entries, batches, strict=True)]
        # After each unreadable entry the others come again: decoded anew each time, a flood of bad entries would
        # take quadratic time.
        self._decoded = {entry.id: self._decoded[entry.id] for entry in entries if entry.id in self._decoded}
        for entry in entries:
            if entry.id not in self._decoded:
                self._decoded[entry.id] = _decode(entry)
        decoded = [(entry.id, self._decoded[entry.id]) for entry in entries]
        self._decoded = {}
        return decoded

    def _prepare(self, decoded: Sequence[tuple[EntryId, EventBatch]]) -> tuple[Commit, int]:
        by_service: dict[str, list[EventBatch]] = {}
        closed_ms: dict[str, int] = {}
        for entry_id, batch in decoded:
            inside, _ = within_bounds(
                batch,
                entry_id.ms,
                allowed_lateness_ms=self._settings.allowed_lateness_ms,
                max_future_ms=self._settings.max_future_ms,
            )
            kept = inside and self._without_expired(inside, closed_ms)
            if kept:
                by_service.setdefault(batch.service, []).append(kept)
        parts: list[Part] = []
        requests = errors = events = 0
        for service, batches in by_service.items():
            panes = self._panes(service, batches)
            for start, pane in panes.items():
                parts.append(Part(service, start, pane.pack()))
                requests += pane.requests
                errors += pane.errors
            events += sum(batch.events for batch in batches)
        return Commit([entry_id for entry_id, _ in decoded], parts, requests, errors), events

    def _panes(self, service: str, batches: Sequence[EventBatch]) -> Mapping[int, Pane]:
        panes = Pane.of_batches(batches, self._base.step_ms)
        return dict(zip(panes, self._admission.admit(service, panes.values()), strict=True))

    def _without_expired(self, batch: EventBatch, closed_ms: dict[str, int]) -> EventBatch | None:
        """Drop events whose pane was closed and has expired: a revision would overwrite its roll-ups.

        The server says what has expired: after a long pause of the aggregators panes close late, and live on
        from then. Our clock only says what is young enough not to be asked about.
        """
        step = self._base
        horizon_ms = self._clock.now_ms() - step.keep_ms + _EXPIRY_MARGIN_MS - step.step_ms
        if batch.first_ms >= horizon_ms:
            return batch
        if batch.service not in closed_ms:
            closed_ms[batch.service] = self._store.closed_through_ms(batch.service) or 0
        is_asked = (batch.times_ms < horizon_ms) & (batch.times_ms < closed_ms[batch.service])
        if not is_asked.any():
            return batch
        blocks = batch.times_ms - batch.times_ms % step.span_ms
        asked = np.unique(blocks[is_asked]).tolist()
        keys = [self._store.block_key(batch.service, step.step_ms, block) for block in asked]
        lives = [as_int(reply) for reply in self._connection.pipeline([["PTTL", key] for key in keys])]
        gone = [block for block, life in zip(asked, lives, strict=True) if life != _NEVER and life < _EXPIRY_MARGIN_MS]
        return keep_events(batch, ~(is_asked & np.isin(blocks, gone))) if gone else batch

    def tick(self, now_ms: int) -> None:
        """Move the watermark; close what it has passed if the closing lease is ours; trim."""
        reply = self._connection.call(
            "baro_frontier_1",
            [self._keys.events, self._keys.progress],
            [GROUP, self._settings.grace_ms, self._consumer, _LEASE_MS],
        )
        watermark, is_closer, oldest, server_ms = as_list(reply)
        if not as_int(is_closer):
            return
        if now_ms >= self._trim_due_ms:
            # A trim ends after some thousand entries: until nothing is left to drop, go on with the next tick.
            has_trimmed = self._trim(as_text(oldest), as_int(server_ms))
            self._trim_due_ms = now_ms + (0 if has_trimmed else _TRIM_EVERY_MS)
        self._closer.advance(as_int(watermark))

    def _trim(self, oldest: str, server_ms: int) -> bool:
        """Drop processed events past their retention, never one that is unread or pending."""
        limit = EntryId(server_ms - self._settings.keep_events_ms, 0)
        if oldest:
            limit = min(limit, EntryId.parse(oldest))
        return as_int(self._connection.command("XTRIM", self._keys.events, "MINID", "~", str(limit))) > 0


def _decode(entry: Entry) -> EventBatch:
    try:
        return decode_batch(entry.fields)
    except MalformedEventError as error:
        raise UnreadableEntryError(entry, error.reason) from error
