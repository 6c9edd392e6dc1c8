"""Asks the server how far the log has come, and doubts its clock where that leaps ahead."""

import logging
from dataclasses import dataclass
from typing import Final

from barograph_aggregator.settings import AggregatorSettings
from barograph_core.clock import Clock
from barograph_core.keyspace.keys import AGGREGATOR_GROUP, ShardKeys
from barograph_core.log_limit import LogLimit
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value
from barograph_core.server.replies import EntryId, as_entry_id, as_int, as_list

log = logging.getLogger(__name__)

# Longer than a tick with many panes takes. If the lease ended during a tick, two closers would do the same work.
_LEASE_MS: Final = 1_000
# A clock that is ahead for longer than this is taken for right; so is one that has come back and stays.
_DOUBT_FOR_MS: Final = 15_000
# ``frontier.lua`` has the same number.
_MOST_AHEAD_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class FrontierReading:
    """How far the log has come.

    Attributes:
        watermark_ms: No event before it is still to come.
        is_closer: Whether this worker holds the closing lease.
        oldest: The oldest entry that is not finished, ``None`` when all are.
        server_ms: The server's clock, or the time that is expected of it while it is not believed.
        deletions: Number of services ever deleted.
        series_dropped: Number of lists of series ever deleted.
    """

    watermark_ms: int
    is_closer: bool
    oldest: EntryId | None
    server_ms: int
    deletions: int
    series_dropped: int


class Frontier:
    """Calls ``baro_frontier_1`` for one worker.

    It states which time this worker expects, that of the last reply and what has passed since by its monotonic clock,
    and what its wall clock says. A server whose clock is an hour ahead for a second would otherwise close an hour of
    panes, all of them too early and as though nothing had happened in them. If it did, the watermark goes back once
    the server's clock agrees with this worker's for a while. It does not if the server's alone was set back: that may
    be wrong, and panes that were judged would be judged again.
    """

    def __init__(
        self,
        connection: Connection,
        keys: ShardKeys,
        settings: AggregatorSettings,
        *,
        consumer: str,
        base_step_ms: int,
        clock: Clock,
    ) -> None:
        self._connection = connection
        self._keys = [keys.events, keys.progress, keys.closed]
        self._settings = settings
        self._consumer = consumer
        self._base_step_ms = base_step_ms
        self._clock = clock
        self._believed_ms: int | None = None
        self._read_ms = 0.0
        self._doubts_since_ms: float | None = None
        self._ahead_since_ms: float | None = None
        self._log_limit = LogLimit()

    def read(self) -> FrontierReading:
        """Return the frontier, and log what is wrong with the server's clock.

        Raises:
            BarographError: The server is gone or refuses.
        """
        now_ms = self._clock.monotonic_ms()
        expected = "" if self._believed_ms is None else round(self._believed_ms + now_ms - self._read_ms)
        if self._doubts_since_ms is not None and now_ms - self._doubts_since_ms > _DOUBT_FOR_MS:
            expected, self._doubts_since_ms = "", None
        settings = self._settings
        args: list[Value] = [AGGREGATOR_GROUP, settings.grace_ms, self._consumer, _LEASE_MS, settings.no_data_ms]
        has_waited = self._ahead_since_ms is not None and now_ms - self._ahead_since_ms > _DOUBT_FOR_MS
        args += [settings.allowed_lateness_ms, expected, self._clock.now_ms()]
        args.append(self._base_step_ms if has_waited else "")
        reply = as_list(self._connection.call("baro_frontier_1", self._keys, args))
        watermark, is_closer, oldest, believed, deletions, series_dropped, *more = reply
        self._believed_ms, self._read_ms = as_int(believed), now_ms
        # An earlier build of the library, in the middle of an upgrade, replies no more.
        server_ms, moved = map(as_int, more) if more else (self._believed_ms, 0)
        self._note_clock(server_ms - self._believed_ms, moved, now_ms)
        agrees = abs(server_ms - self._clock.now_ms()) <= _MOST_AHEAD_MS
        if not agrees or as_int(watermark) <= server_ms + _MOST_AHEAD_MS:
            self._ahead_since_ms = None
        elif self._ahead_since_ms is None:
            self._ahead_since_ms = now_ms
        return FrontierReading(
            watermark_ms=as_int(watermark),
            is_closer=bool(as_int(is_closer)),
            oldest=as_entry_id(oldest) if oldest else None,
            server_ms=self._believed_ms,
            deletions=as_int(deletions),
            series_dropped=as_int(series_dropped),
        )

    def _note_clock(self, ahead_ms: int, moved: int, now_ms: float) -> None:
        if ahead_ms > _MOST_AHEAD_MS:
            self._doubts_since_ms = now_ms if self._doubts_since_ms is None else self._doubts_since_ms
            if self._log_limit.allows("server.clock_ahead", now_ms):
                log.error("server.clock_ahead", extra={"ahead_ms": ahead_ms, "doubted_for_ms": _DOUBT_FOR_MS})
        else:
            self._doubts_since_ms = None
        if moved:
            log.error("server.clock_was_ahead", extra={"services_set_back": moved})
