"""The alerts of all shards: their state, the stream of transitions, and resolving by hand."""

import logging
from collections.abc import Iterator, Sequence
from typing import Final

from barograph_console.connection_pool import ConnectionPool
from barograph_console.ports import (
    AlertConflictError,
    AlertEntry,
    AlertNotFoundError,
    EpisodeCounts,
    HistoryPage,
)
from barograph_core.alert_changes import Change, Cursors, Written, write_changes
from barograph_core.alerts import AlertRecord, AlertState
from barograph_core.errors import MalformedEventError
from barograph_core.keys import ShardKeys
from barograph_core.layout import LayoutView
from barograph_core.stream import Connection, Entry, EntryId, as_bytes, as_entries, as_hash, as_list, as_text
from barograph_core.transitions import Transition, resolve_by_hand

log = logging.getLogger(__name__)
_FIELD: Final = "alert:"
_PAGE: Final = 500
_SCAN_PAGES: Final = 20
_ATTEMPTS: Final = 5
# The server takes an end before it for no id at all.
_FIRST_ID: Final = EntryId(0, 0)


class RedisAlerts:
    """See ``AlertBook``."""

    def __init__(self, pool: ConnectionPool, layouts: LayoutView) -> None:
        self._pool = pool
        self._layouts = layouts

    def records(self, services: Sequence[str]) -> list[AlertRecord]:
        with self._pool.borrow() as connection:
            layout = self._layouts.current(connection)
            replies = connection.pipeline([("HGETALL", layout.keys_of(name).state(name)) for name in services])
        return [
            record
            for reply in replies
            for field, text in as_hash(reply).items()
            if field.startswith(_FIELD) and (record := _record(text)) is not None
        ]

    def history(self, *, before: EntryId | None, limit: int, service: str) -> HistoryPage:
        if before == _FIRST_ID:
            return HistoryPage((), None)
        with self._pool.borrow() as connection:
            layout = self._layouts.current(connection)
            shards = [layout.keys_of(service)] if service else layout.shards
            pages = [_scan_back(connection, keys, before, limit, service) for keys in shards]
        entries = sorted((entry for page in pages for entry in page.entries), key=lambda entry: entry.id, reverse=True)
        # Older than where some shard stopped reading, the order is not known yet.
        ends = [page.next_before for page in pages if page.next_before is not None]
        if len(entries) > limit:
            ends.append(entries[limit - 1].id)
        reached = max(ends, default=None)
        # All with the last id, which several shards may have given: the next page begins before it.
        return HistoryPage(tuple(entry for entry in entries if reached is None or entry.id >= reached), reached)

    def count_since(self, from_ms: int) -> EpisodeCounts:
        fired = resolved = 0
        is_capped = False
        with self._pool.borrow() as connection:
            for keys in self._layouts.current(connection).shards:
                scanned = 0
                for entry in _scan_on(connection, keys, from_ms):
                    before, after = entry.fields.get(b"from"), entry.fields.get(b"to")
                    fired += after == b"firing" and before != b"firing"
                    resolved += after == b"resolved" and before == b"firing"
                    scanned += 1
                is_capped = is_capped or scanned >= _PAGE * _SCAN_PAGES
        return EpisodeCounts(fired, resolved, is_capped)

    def resolve(self, alert_id: str, actor: str, now_ms: int) -> tuple[AlertRecord, Transition]:
        with self._pool.borrow() as connection:
            service = self._find(connection, alert_id)
            for _ in range(_ATTEMPTS):
                resolved = self._try_resolve(connection, service, alert_id, actor, now_ms)
                if resolved is not None:
                    return resolved
        raise AlertConflictError(f"the alerts of service {service!r} keep changing; try again")

    def _find(self, connection: Connection, alert_id: str) -> str:
        layout = self._layouts.current(connection)
        services = [
            service
            for keys in layout.shards
            for service in map(as_text, as_list(connection.command("HKEYS", keys.closed)))
        ]
        found = connection.pipeline(
            [("HEXISTS", layout.keys_of(name).state(name), f"{_FIELD}{alert_id}") for name in services]
        )
        for service, is_here in zip(services, found, strict=True):
            if is_here:
                return service
        raise AlertNotFoundError(f"there is no alert {alert_id!r}")

    def _try_resolve(
        self, connection: Connection, service: str, alert_id: str, actor: str, now_ms: int
    ) -> tuple[AlertRecord, Transition] | None:
        """Resolve against the state as read now; ``None`` when somebody changed it in between."""
        keys = self._layouts.current(connection).keys_of(service)
        version, text = as_list(connection.command("HMGET", keys.state(service), "version", f"{_FIELD}{alert_id}"))
        record = None if text is None else _record(as_bytes(text))
        if record is None:
            raise AlertNotFoundError(f"there is no alert {alert_id!r}")
        if record.state not in (AlertState.PENDING, AlertState.FIRING):
            raise AlertConflictError(f"alert {alert_id!r} is {record.state.value} already")
        after, transition = resolve_by_hand(record, actor, now_ms)
        change = Change(alert_id=alert_id, record=after, transition=transition, cooldown="clear")
        cursors = Cursors(version="0" if version is None else as_text(version))
        written = write_changes(connection, keys, service, [change], cursors=cursors)
        return (after, transition) if isinstance(written, Written) else None


def _record(text: bytes) -> AlertRecord | None:
    try:
        return AlertRecord.from_json(text)
    except MalformedEventError as error:
        log.warning("console.alert_unreadable", extra={"reason": error.reason})
        return None


def _scan_back(
    connection: Connection, keys: ShardKeys, before: EntryId | None, limit: int, service: str
) -> HistoryPage:
    """Read entries of one shard newest first, until ``limit`` match or a bound of entries was read."""
    found: list[AlertEntry] = []
    cursor = before
    count = _PAGE if service else min(_PAGE, limit + 1)
    for _ in range(_SCAN_PAGES):
        start = "+" if cursor is None else f"({cursor}"
        entries = as_entries(connection.command("XREVRANGE", keys.alerts, start, "-", "COUNT", count))
        for entry in entries:
            if len(found) == limit:
                return HistoryPage(tuple(found), cursor)
            cursor = entry.id
            found += _matching(entry, service)
        if len(entries) < count:
            return HistoryPage(tuple(found), None)
    return HistoryPage(tuple(found), cursor)


def _matching(entry: Entry, service: str) -> list[AlertEntry]:
    if service and entry.fields.get(b"service") != service.encode():
        return []
    try:
        return [AlertEntry(entry.id, Transition.from_fields(entry.fields))]
    except MalformedEventError as error:
        log.warning("console.entry_unreadable", extra={"entry_id": str(entry.id), "reason": error.reason})
        return []


def _scan_on(connection: Connection, keys: ShardKeys, from_ms: int) -> Iterator[Entry]:
    start = str(from_ms)
    for _ in range(_SCAN_PAGES):
        entries = as_entries(connection.command("XRANGE", keys.alerts, start, "+", "COUNT", _PAGE))
        yield from entries
        if len(entries) < _PAGE:
            return
        start = f"({entries[-1].id}"
