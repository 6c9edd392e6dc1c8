"""Writes an alerter's changes, and acknowledges their hints."""

from collections.abc import Sequence

from barograph_core.alerts.change import Change, Cursors, Hints, LostHints, Stale, Written, write_changes
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import EntryId


class TransitionWriter:
    """Writes changes on behalf of one consumer."""

    def __init__(
        self, connection: Connection, keys: ShardKeys, *, group: str, consumer: str, keep_alerts_ms: int
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._group = group
        self._consumer = consumer
        self._keep_alerts_ms = keep_alerts_ms

    def write(
        self, service: str, cursors: Cursors, changes: Sequence[Change], ids: Sequence[EntryId]
    ) -> Written | Stale | LostHints:
        """Apply ``changes``, move the cursors and acknowledge ``ids``, or do nothing at all."""
        return write_changes(
            self._connection,
            self._keys,
            service,
            changes,
            cursors=cursors,
            hints=Hints(self._group, self._consumer, tuple(ids)) if ids else None,
            keep_alerts_ms=self._keep_alerts_ms,
        )

    def acknowledge(self, ids: Sequence[EntryId]) -> None:
        """Acknowledge hints that need no judgement. They have no effect, so no fence is needed."""
        if ids:
            self._connection.command("XACK", self._keys.metrics, self._group, *map(str, ids))
