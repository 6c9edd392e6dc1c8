"""Keeps the events stream within its time and memory limits, and counts the entries lost by that."""

import logging
from typing import Final

from barograph_aggregator.settings import AggregatorSettings
from barograph_core.clock import Clock
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.log_limit import LogLimit
from barograph_core.pipeline.account import COUNT_LIMIT, EventsAccount, parse_account
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value
from barograph_core.server.memory import read_memory
from barograph_core.server.replies import as_int, as_list
from barograph_core.workers.counters import WorkerCounters

log = logging.getLogger(__name__)

# Workers that do not close panes check too, but rarely: after a flush, any worker may be the only one with the old
# counts.
_CLOSER_EVERY_MS: Final = 1_000
_OTHERS_EVERY_MS: Final = 5_000
# Limit of the time for repeated calls, each of which drops up to a thousand entries. If the rest waited for the next
# tick, fast producers could add entries faster than we trim, and memory would grow without bound. The closing lease
# lasts a second, and closing panes needs its share of it.
_MOST_MS: Final = 200
# Part of the server's memory from which on processed entries are dropped regardless of their age: a full server refuses
# new events, although what fills it has done its work.
_FULL_RATIO: Final = 0.9
# When the server is full, each step keeps this part of the time that the last one kept.
_SHORTER: Final = 4
_NOTHING_SEEN: Final[tuple[Value, ...]] = ("0-0", 0, 0, 0, 0, 0, 0)


class EventRetention:
    """Trims the events stream of one shard.

    The time limit removes only processed entries. The memory limit removes the oldest entries even if unprocessed;
    those are counted, with their events, and logged as an error. On a server that is nearly full, processed entries go
    before their time, the oldest first and only as many as needed. The account also finds entries that other clients
    trimmed, deleted or flushed. It counts them without their events, whose number is unknown.
    """

    def __init__(
        self,
        connection: Connection,
        keys: ShardKeys,
        settings: AggregatorSettings,
        clock: Clock,
        counters: WorkerCounters,
        *,
        group: str,
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._settings = settings
        self._clock = clock
        self._counters = counters
        self._group = group
        self._due_ms = 0.0
        self._keep_ms = settings.keep_events_ms
        self._early_log = LogLimit()
        self._account: EventsAccount | None = None
        self._size_bytes = 0

    @property
    def account(self) -> EventsAccount | None:
        """Return the account at the last check, ``None`` before the first."""
        return self._account

    @property
    def size_bytes(self) -> int:
        """Return the stream's memory at the last check; 0 if the server does not report memory."""
        return self._size_bytes

    def trim(self, now_ms: float, *, is_closer: bool) -> None:
        """Trim and count lost entries, if a check is due.

        Args:
            now_ms: Monotonic: the wall clock may be set back, and memory would have no bound until it has caught up.
            is_closer: Whether this worker closes panes; it checks more often, and frees memory of a full server.

        Raises:
            BarographError: The server is unreachable or refuses.
        """
        if now_ms < self._due_ms:
            return
        until_ms = self._clock.monotonic_ms() + _MOST_MS
        self._keep_ms = self._settings.keep_events_ms
        while self._drop() or (is_closer and self._is_full()):
            if self._clock.monotonic_ms() >= until_ms:
                # Continue in the next tick.
                return
        self._due_ms = now_ms + (_CLOSER_EVERY_MS if is_closer else _OTHERS_EVERY_MS)

    def _is_full(self) -> bool:
        """Say whether the server is nearly full and processed entries are left; if so, keep them for less time."""
        memory = read_memory(self._connection) if self._keep_ms else None
        if memory is None or memory.fullness_ratio < _FULL_RATIO:
            return False
        self._keep_ms //= _SHORTER
        return True

    def _drop(self) -> bool:
        """Drop the oldest entries, and say whether there may be more to drop."""
        reply = self._connection.call(
            "baro_retain_1",
            [self._keys.events, self._keys.progress],
            [
                self._group,
                self._keep_ms,
                self._settings.keep_events_bytes,
                COUNT_LIMIT,
                *_remembered(self._account),
            ],
        )
        if reply is None:
            # There is no stream or group yet; the consumer loop creates them.
            return False
        figures = as_list(reply)
        account = parse_account(figures)
        processed, overtaken, overtaken_events, booked, size_bytes = (as_int(figure) for figure in figures[10:])
        self._counters.add("entries_trimmed", processed)
        self._counters.add("entries_lost", overtaken + booked)
        self._counters.add("events_lost", overtaken_events)
        if self._keep_ms < self._settings.keep_events_ms:
            self._note_early(processed)
        self._log_lost(overtaken, overtaken_events, booked)
        self._account, self._size_bytes = account, size_bytes
        return bool(processed or overtaken)

    def _note_early(self, processed: int) -> None:
        """Count and log processed entries that are dropped before their time: a replay lacks them."""
        self._counters.add("entries_trimmed_early", processed)
        if processed and self._early_log.allows("events", self._clock.monotonic_ms()):
            facts = {"entries": processed, "kept_ms": self._keep_ms, "keep_events_ms": self._settings.keep_events_ms}
            log.warning("events.dropped_early", extra={**facts, "reason": "the server is full"})

    def _log_lost(self, overtaken: int, overtaken_events: int, booked: int) -> None:
        if overtaken:
            facts = {"entries": overtaken, "events": overtaken_events, "stream": self._keys.events}
            log.error("events.lost", extra={**facts, "reason": "keep_events_bytes", "size_bytes": self._size_bytes})
        if booked:
            facts = {"entries": booked, "events": None, "stream": self._keys.events}
            log.error("events.lost", extra={**facts, "reason": "trimmed, deleted or flushed by another client"})


def _remembered(account: EventsAccount | None) -> tuple[Value, ...]:
    if account is None:
        return _NOTHING_SEEN
    return (
        str(account.last_id),
        account.added,
        account.committed,
        account.dead,
        account.lost,
        account.lost_counted,
        account.lost_events,
    )
