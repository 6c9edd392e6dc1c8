"""Keeps the events stream within its time and its memory, and keeps the books on what was lost with it."""

import logging
from typing import Final

from barograph_aggregator.settings import AggregatorSettings
from barograph_core.clock import Clock
from barograph_core.events_account import COUNT_LIMIT, EventsAccount, parse_account
from barograph_core.keys import ShardKeys
from barograph_core.self_metrics import Counters
from barograph_core.stream import Connection, Value, as_int, as_list

log = logging.getLogger(__name__)

# Who does not close looks too, but seldom: after a flush any worker may be the one that remembers.
_CLOSER_EVERY_MS: Final = 1_000
_OTHERS_EVERY_MS: Final = 5_000
# A call drops up to a thousand entries. Left to the next look, the rest would never go while something is processed
# that goes first: memory would have no bound against producers that are faster than us. Yet the closing lease is for a
# second, and panes are to be closed within it too.
_MOST_MS: Final = 200
_NOTHING_SEEN: Final[tuple[Value, ...]] = ("0-0", 0, 0, 0, 0, 0, 0)


class EventRetention:
    """Trims the events stream of one shard.

    By time only entries that are processed go. Memory is the harder bound: past it the oldest entries go, processed
    or not, and every one that was not is counted, entry by entry and event by event, and told as an error. What
    others trim, delete or flush is found by the account and counted too, in entries: nobody can say how many
    events were in them.
    """

    def __init__(
        self,
        connection: Connection,
        keys: ShardKeys,
        settings: AggregatorSettings,
        clock: Clock,
        counters: Counters,
        *,
        group: str,
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._settings = settings
        self._clock = clock
        self._counters = counters
        self._group = group
        self._due_ms = 0
        self._account: EventsAccount | None = None
        self._size_bytes = 0

    @property
    def account(self) -> EventsAccount | None:
        """Return the account as of the last look, ``None`` before the first."""
        return self._account

    @property
    def size_bytes(self) -> int:
        """Return the stream's memory as of the last look; 0 where the server cannot tell."""
        return self._size_bytes

    def trim(self, now_ms: int, *, is_closer: bool) -> None:
        """Trim, and count what is lost, when it is time to.

        Raises:
            BarographError: The server is gone or refuses.
        """
        if now_ms < self._due_ms:
            return
        until_ms = self._clock.monotonic_ms() + _MOST_MS
        while self._drop():
            if self._clock.monotonic_ms() >= until_ms:
                # The next tick goes on.
                return
        self._due_ms = now_ms + (_CLOSER_EVERY_MS if is_closer else _OTHERS_EVERY_MS)

    def _drop(self) -> bool:
        """Drop the oldest, and say whether there may be more to drop."""
        reply = self._connection.call(
            "baro_retain_1",
            [self._keys.events, self._keys.progress],
            [
                self._group,
                self._settings.keep_events_ms,
                self._settings.keep_events_bytes,
                COUNT_LIMIT,
                *_remembered(self._account),
            ],
        )
        if reply is None:
            # No stream, or no group yet: the loop is about to make it.
            return False
        figures = as_list(reply)
        account = parse_account(figures)
        processed, overtaken, overtaken_events, booked, size_bytes = (as_int(figure) for figure in figures[10:])
        self._counters.add("entries_trimmed", processed)
        self._counters.add("entries_lost", overtaken + booked)
        self._counters.add("events_lost", overtaken_events)
        self._complain(overtaken, overtaken_events, booked)
        self._account, self._size_bytes = account, size_bytes
        return bool(processed or overtaken)

    def _complain(self, overtaken: int, overtaken_events: int, booked: int) -> None:
        if overtaken:
            facts = {"entries": overtaken, "events": overtaken_events, "stream": self._keys.events}
            log.error("events.lost", extra={**facts, "reason": "keep_events_bytes", "size_bytes": self._size_bytes})
        if booked:
            facts = {"entries": booked, "events": None, "stream": self._keys.events}
            log.error("events.lost", extra={**facts, "reason": "trimmed, deleted or flushed by somebody else"})


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
