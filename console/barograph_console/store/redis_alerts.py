"""The alerts of all shards: their state, the stream of transitions, and what people do to them."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

from barograph_console.store.connection_pool import ConnectionPool
from barograph_console.store.ports import (
    EVERY_ENTRY,
    AlertEntry,
    EpisodeCounts,
    HistoryFilter,
    HistoryPage,
    SilenceChange,
)
from barograph_core.alerts.actions import Applied, Once, apply_by_hand, find_service
from barograph_core.alerts.by_hand import HandChange
from barograph_core.alerts.record import AlertRecord
from barograph_core.alerts.state import ServiceState, alert_field, inhibited_field
from barograph_core.alerts.transition import Transition, is_about_alert
from barograph_core.errors import MalformedEventError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.keyspace.layout import LayoutView
from barograph_core.pipeline.deliveries import DeliveryPage, next_end_ms, scan_deliveries
from barograph_core.server.connection import Connection, read_now
from barograph_core.server.replies import Entry, EntryId, as_bytes, as_entries, as_hash, as_list
from barograph_core.silences.entry import KIND as SILENCE_KIND
from barograph_core.silences.entry import SilenceEntry

log = logging.getLogger(__name__)
_PAGE: Final = 500
_SCAN_PAGES: Final = 20
# Alerts and entries that are held decoded, some 2 kB each.
_REMEMBERED: Final = 16_384
# The server takes an end before it for no id at all.
_FIRST_ID: Final = EntryId(0, 0)


class RedisAlerts:
    """See ``AlertBook``."""

    def __init__(self, pool: ConnectionPool, layouts: LayoutView) -> None:
        self._pool = pool
        self._layouts = layouts
        # In a storm of alerts most are as they were a second ago, and an entry never changes.
        self._read_record = lru_cache(_REMEMBERED)(AlertRecord.from_json)
        self._read_entry = lru_cache(_REMEMBERED)(_read_entry)

    def records(self, services: Sequence[str]) -> list[AlertRecord]:
        with self._pool.borrow() as connection:
            layout = self._layouts.current(connection)
            replies = connection.pipeline([("HGETALL", layout.keys_of(name).state(name)) for name in services])
        return [record for reply in replies for record in self._state(as_hash(reply)).shown]

    def find(self, alert_id: str) -> AlertRecord | None:
        with self._pool.borrow() as connection:
            layout = self._layouts.current(connection)
            service = find_service(connection, layout, alert_id)
            if not service:
                return None
            key = layout.keys_of(service).state(service)
            names = (alert_field(alert_id), inhibited_field(alert_id))
            found = zip(names, as_list(connection.command("HMGET", key, *names)), strict=True)
        state = self._state({name: as_bytes(text) for name, text in found if text is not None})
        return next(iter(state.shown), None)

    def quiet_until(self, service: str, alert_id: str) -> int | None:
        with self._pool.borrow() as connection:
            key = self._layouts.current(connection).keys_of(service).quiet(alert_id)
            values = map(as_bytes, as_list(connection.command("HVALS", key)))
            return next_end_ms(values, read_now(connection))

    def deliveries(
        self, *, transitions: Collection[str] | None, channel: str, before: EntryId | None, limit: int
    ) -> DeliveryPage:
        with self._pool.borrow() as connection:
            pages = [
                scan_deliveries(connection, keys, transitions=transitions, channel=channel, before=before, limit=limit)
                for keys in self._layouts.current(connection).shards
            ]
        found = sorted((one for page in pages for one in page.deliveries), key=lambda one: one.id, reverse=True)
        ends = [page.next_before for page in pages if page.next_before is not None]
        if len(found) > limit:
            ends.append(found[limit - 1].id)
        reached = max(ends, default=None)
        return DeliveryPage(tuple(one for one in found if reached is None or one.id >= reached), reached)

    def history(
        self, *, before: EntryId | None, limit: int, service: str, only: HistoryFilter = EVERY_ENTRY
    ) -> HistoryPage:
        if before == _FIRST_ID:
            return HistoryPage((), None)
        with self._pool.borrow() as connection:
            layout = self._layouts.current(connection)
            shards = [layout.keys_of(service)] if service else layout.shards
            pages = [self._scan_back(connection, keys, before, limit, service, only) for keys in shards]
        entries = sorted((entry for page in pages for entry in page.entries), key=lambda entry: entry.id, reverse=True)
        silences = _once([change for page in pages for change in page.silences])
        # Older than where some shard stopped reading, the order is not known yet.
        ends = [page.next_before for page in pages if page.next_before is not None]
        ids = sorted([*(one.id for one in entries), *(one.id for one in silences)], reverse=True)
        if len(ids) > limit:
            ends.append(ids[limit - 1])
        reached = max(ends, default=None)
        # All with the last id, which several shards may have given: the next page begins before it.
        return HistoryPage(
            tuple(entry for entry in entries if reached is None or entry.id >= reached),
            reached,
            tuple(change for change in silences if reached is None or change.id >= reached),
        )

    def between(self, service: str, from_ms: int, to_ms: int) -> list[AlertEntry]:
        found: list[AlertEntry] = []
        with self._pool.borrow() as connection:
            keys = self._layouts.current(connection).keys_of(service)
            end = f"({to_ms}"
            for _ in range(_SCAN_PAGES):
                entries = as_entries(connection.command("XREVRANGE", keys.alerts, end, from_ms, "COUNT", _PAGE))
                for entry in entries:
                    found += self._matching(entry, service)
                if len(entries) < _PAGE:
                    break
                end = f"({entries[-1].id}"
        return found[::-1]

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

    def change(self, alert_id: str, decide: Callable[[AlertRecord], HandChange], once: Once | None) -> Applied:
        with self._pool.borrow() as connection:
            return apply_by_hand(connection, self._layouts.current(connection), alert_id, decide, once)

    def _state(self, fields: Mapping[str, bytes]) -> ServiceState:
        state = ServiceState.from_hash(fields, self._read_record)
        for alert in state.unreadable:
            log.warning("console.alert_unreadable", extra={"alert_id": alert})
        return state

    def _scan_back(
        self,
        connection: Connection,
        keys: ShardKeys,
        before: EntryId | None,
        limit: int,
        service: str,
        only: HistoryFilter,
    ) -> HistoryPage:
        """Read entries of one shard newest first, until ``limit`` match or a bound of entries was read."""
        found: list[AlertEntry] = []
        silences: list[SilenceChange] = []
        cursor, oldest = before, only.from_ms or "-"
        count = _PAGE if service or only != EVERY_ENTRY else min(_PAGE, limit + 1)
        for _ in range(_SCAN_PAGES):
            start = "+" if cursor is None else f"({cursor}"
            entries = as_entries(connection.command("XREVRANGE", keys.alerts, start, oldest, "COUNT", count))
            for entry in entries:
                if len(found) + len(silences) == limit:
                    return HistoryPage(tuple(found), cursor, tuple(silences))
                cursor = entry.id
                found += [one for one in self._matching(entry, service) if only.fits(one.transition)]
                silences += [one for one in _silence_changes(entry) if only.fits_silence(one.entry, service)]
            if len(entries) < count:
                return HistoryPage(tuple(found), None, tuple(silences))
        return HistoryPage(tuple(found), cursor, tuple(silences))

    def _matching(self, entry: Entry, service: str) -> list[AlertEntry]:
        if not is_about_alert(entry.fields) or (service and entry.fields.get(b"service") != service.encode()):
            return []
        try:
            return [AlertEntry(entry.id, self._read_entry(tuple(entry.fields.items())))]
        except MalformedEventError as error:
            log.warning("console.entry_unreadable", extra={"entry_id": str(entry.id), "reason": error.reason})
            return []


def _silence_changes(entry: Entry) -> list[SilenceChange]:
    if entry.fields.get(b"kind") != SILENCE_KIND.encode():
        return []
    try:
        return [SilenceChange(entry.id, SilenceEntry.from_fields(entry.fields))]
    except MalformedEventError as error:
        log.warning("console.entry_unreadable", extra={"entry_id": str(entry.id), "reason": error.reason})
        return []


def _once(changes: Sequence[SilenceChange]) -> list[SilenceChange]:
    """Return each change of a silence once, newest first: it stands on every shard, under an id of its own."""
    found: dict[tuple[str, str, int], SilenceChange] = {}
    for one in sorted(changes, key=lambda change: change.id):
        found.setdefault((one.entry.silence_id, one.entry.change, one.entry.at_ms), one)
    return sorted(found.values(), key=lambda change: change.id, reverse=True)


def _read_entry(fields: tuple[tuple[bytes, bytes], ...]) -> Transition:
    return Transition.from_fields(dict(fields))


def _scan_on(connection: Connection, keys: ShardKeys, from_ms: int) -> Iterator[Entry]:
    start = str(from_ms)
    for _ in range(_SCAN_PAGES):
        entries = as_entries(connection.command("XRANGE", keys.alerts, start, "+", "COUNT", _PAGE))
        yield from entries
        if len(entries) < _PAGE:
            return
        start = f"({entries[-1].id}"
