"""The aggregator's part of the consumer loop: entries to fenced commits, ticks to closings and trims."""

import logging
from collections.abc import Mapping, Sequence

from barograph_aggregator.admission import Admission
from barograph_aggregator.closing import Closer
from barograph_aggregator.commit import Commit, Committer, Part
from barograph_aggregator.lateness import keep_events, within_bounds
from barograph_aggregator.settings import AggregatorSettings
from barograph_core.clock import Clock
from barograph_core.consumer import UnreadableEntryError
from barograph_core.decode import EventBatch, decode_batch
from barograph_core.errors import MalformedEventError
from barograph_core.keys import ShardKeys
from barograph_core.pane import Pane
from barograph_core.self_metrics import Counters
from barograph_core.store import PaneStore
from barograph_core.stream import Connection, Entry, EntryId, as_int, as_list, as_text

log = logging.getLogger(__name__)

GROUP = "aggregator"
_TRIM_EVERY_MS = 5_000
_LEASE_MS = 300
# A pane this close to its expiry may be gone before its revision is written.
_EXPIRY_MARGIN_MS = 60_000


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
        self._admission = Admission(connection, keys, settings.series_cap, counters)
        self._closer = Closer(connection, keys, settings, counters)
        self._store = PaneStore(connection, keys, settings.steps)
        self._trim_due_ms = 0

    def handle(self, entries: Sequence[Entry], *, is_redelivered: bool) -> None:
        """Commit the panes of ``entries``; those claimed away meanwhile are left to their new owner."""
        del is_redelivered  # the fence treats both alike
        decoded = [(entry.id, _decode(entry)) for entry in entries]
        while decoded:
            commit, events = self._prepare(decoded)
            lost = frozenset(self._committer.commit(commit))
            if not lost:
                self._counters.add("commits")
                self._counters.add("events_committed", events)
                self._counters.add("events_late", sum(batch.n for _, batch in decoded) - events)
                return
            self._counters.add("fence_rejections", len(lost))
            decoded = [(entry_id, batch) for entry_id, batch in decoded if entry_id not in lost]

    def _prepare(self, decoded: Sequence[tuple[EntryId, EventBatch]]) -> tuple[Commit, int]:
        by_service: dict[str, list[EventBatch]] = {}
        for entry_id, batch in decoded:
            inside, _ = within_bounds(
                batch,
                entry_id.ms,
                allowed_lateness_ms=self._settings.allowed_lateness_ms,
                max_future_ms=self._settings.max_future_ms,
            )
            kept = inside and self._without_expired(inside)
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
            events += sum(batch.n for batch in batches)
        return Commit([entry_id for entry_id, _ in decoded], parts, requests, errors), events

    def _panes(self, service: str, batches: Sequence[EventBatch]) -> Mapping[int, Pane]:
        panes = Pane.of_batches(batches, self._settings.base_step_ms)
        return dict(zip(panes, self._admission.admit(service, panes.values()), strict=True))

    def _without_expired(self, batch: EventBatch) -> EventBatch | None:
        """Drop events whose pane was closed and has expired: a revision would overwrite its roll-ups."""
        step_ms = self._settings.base_step_ms
        horizon = self._clock.now_ms() - self._settings.steps[0].keep_ms + _EXPIRY_MARGIN_MS
        if int(batch.times_ms.min()) >= horizon - step_ms:
            return batch
        closed_through = self._store.closed_through_ms(batch.service) or 0
        return keep_events(batch, (batch.times_ms >= horizon - step_ms) | (batch.times_ms >= closed_through))

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
        self._closer.advance(as_int(watermark))
        if now_ms >= self._trim_due_ms:
            self._trim_due_ms = now_ms + _TRIM_EVERY_MS
            self._trim(as_text(oldest), as_int(server_ms))

    def _trim(self, oldest: str, server_ms: int) -> None:
        """Drop processed events past their retention, never one that is unread or pending."""
        limit = EntryId(server_ms - self._settings.keep_events_ms, 0)
        if oldest:
            limit = min(limit, EntryId.parse(oldest))
        self._connection.command("XTRIM", self._keys.events, "MINID", "~", str(limit))


def _decode(entry: Entry) -> EventBatch:
    try:
        return decode_batch(entry.fields)
    except MalformedEventError as error:
        raise UnreadableEntryError(entry, error.reason) from error
