"""Begins the events stream again when its ids are far ahead of the server's clock and everything in it is finished."""

import logging
from typing import Final

from barograph_core.errors import StreamUnavailableError
from barograph_core.keyspace.keys import AGGREGATOR_GROUP, ShardKeys
from barograph_core.log_limit import LogLimit
from barograph_core.server.connection import Connection
from barograph_core.server.replies import EntryId, as_list, as_text

log = logging.getLogger(__name__)

# Ids that are less far ahead do no harm, and the clock soon catches up with them.
MOST_AHEAD_MS: Final = 60_000


class Renewal:
    """Watches the ids of one shard's events stream. Any number of workers may: the function checks everything first."""

    def __init__(self, connection: Connection, keys: ShardKeys) -> None:
        self._connection = connection
        self._keys = keys
        self._log_limit = LogLimit()

    def look(self, last_id: EntryId, server_ms: int, now_ms: float) -> None:
        """Log that ids are ahead, and begin the stream again as soon as nothing in it is pending or unread.

        Args:
            last_id: The newest id of the stream.
            server_ms: The server's clock.
            now_ms: Monotonic.

        Raises:
            StreamUnavailableError: The server is unreachable.
        """
        ahead_ms = last_id.ms - server_ms
        if ahead_ms <= MOST_AHEAD_MS:
            return
        facts = {"stream": self._keys.events, "last_id": str(last_id), "ahead_ms": ahead_ms}
        if self._log_limit.allows("ids_ahead", now_ms):
            log.error("stream.ids_ahead", extra=facts)
        try:
            keys = [self._keys.events, self._keys.progress]
            status, detail, *_ = as_list(self._connection.call("baro_renew_1", keys, [AGGREGATOR_GROUP, MOST_AHEAD_MS]))
        except StreamUnavailableError as error:
            if error.reason == "no_library":
                # An earlier build of the library, in the middle of an upgrade.
                return
            raise
        if as_text(status) == "ok":
            log.warning("stream.begun_again", extra={**facts, "entries_dropped": detail})
