"""What changes, read from the streams `metrics` and `alerts` of each shard as it is written."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from barograph_console.store.connection_pool import ConnectionPool
from barograph_console.store.ports import AlertEntry, Change, MarkerTold, PaneClosed, SilenceChanged
from barograph_core.alerts.transition import Transition, is_about_alert
from barograph_core.errors import MalformedEventError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.keyspace.layout import LayoutView
from barograph_core.markers.marker import KIND as MARKER
from barograph_core.markers.marker import Marker
from barograph_core.server.connection import Connection
from barograph_core.server.replies import Entry, as_entries, as_list, as_text
from barograph_core.silences.entry import KIND as SILENCE
from barograph_core.silences.entry import SilenceEntry

log = logging.getLogger(__name__)
_ENTRIES: Final = 500
_FIRST: Final = "0-0"


class RedisChanges:
    """See ``ChangeSource``. Each open stream has a connection of its own, since it waits most of the time."""

    def __init__(self, pool: ConnectionPool, layouts: LayoutView, connect: Callable[[], Connection]) -> None:
        self._pool = pool
        self._layouts = layouts
        self._connect = connect

    def shards(self) -> list[str]:
        with self._pool.borrow() as connection:
            return [keys.tag for keys in self._layouts.current(connection).shards]

    def open(self, shard: str) -> "ShardChanges":
        connection = self._connect()
        return ShardChanges(connection, ShardKeys(self._layouts.current(connection).prefix, shard))


class ShardChanges:
    """See ``ChangeStream``. Without a consumer group: every console reads everything, and acknowledges nothing."""

    def __init__(self, connection: Connection, keys: ShardKeys) -> None:
        self._connection = connection
        # Last ids by stream. Not "$": what is written between two reads would be skipped.
        self._read_to = {stream: self._newest_id(stream) for stream in (keys.metrics, keys.alerts)}
        self._alerts = keys.alerts

    def read(self, wait_ms: int) -> list[Change]:
        reply = self._connection.command(
            "XREAD", "COUNT", _ENTRIES, "BLOCK", wait_ms, "STREAMS", *self._read_to, *self._read_to.values()
        )
        changes: list[Change] = []
        for part in as_list(reply) if reply is not None else ():
            name, entries = as_list(part)
            stream, found = as_text(name), as_entries(entries)
            if found:
                self._read_to[stream] = str(found[-1].id)
            for entry in found:
                changes += _alert(entry) if stream == self._alerts else _closed(entry)
        return changes

    def close(self) -> None:
        self._connection.close()

    def _newest_id(self, stream: str) -> str:
        newest = as_entries(self._connection.command("XREVRANGE", stream, "+", "-", "COUNT", 1))
        return str(newest[0].id) if newest else _FIRST


def _closed(entry: Entry) -> Iterator[Change]:
    """Yield what an entry of the stream `metrics` says. Others than those of closed panes are of no interest here."""
    fields = entry.fields
    if fields.get(b"type") != b"closed":
        return
    try:
        through_ms = int(fields[b"through_ms"])
        is_revision = int(fields.get(b"revision", b"0")) > 0
        revised_ms = int(fields[b"start_ms"]) if is_revision else None
        services: Sequence[str] = fields[b"service"].decode().split(",")
    except (KeyError, ValueError):
        log.warning("console.entry_unreadable", extra={"entry_id": str(entry.id), "reason": "not a closed pane"})
        return
    for service in services:
        yield PaneClosed(service, through_ms, revised_ms)


def _alert(entry: Entry) -> Iterator[Change]:
    """Yield what an entry of the stream `alerts` says; nothing for kinds that only newer versions know."""
    try:
        if is_about_alert(entry.fields):
            yield AlertEntry(entry.id, Transition.from_fields(entry.fields))
        elif entry.fields.get(b"kind") == MARKER.encode():
            yield MarkerTold(Marker.from_fields(entry.fields))
        elif entry.fields.get(b"kind") == SILENCE.encode():
            yield SilenceChanged(SilenceEntry.from_fields(entry.fields))
    except MalformedEventError as error:
        log.warning("console.entry_unreadable", extra={"entry_id": str(entry.id), "reason": error.reason})
