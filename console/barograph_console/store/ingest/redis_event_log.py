"""Appends events on the shards of their services, each event once."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from barograph_console.store.connection_pool import ConnectionPool
from barograph_console.store.ingest.event_log import AHEAD_MS, LATENESS_MS, Event, Receipt, Writing
from barograph_console.store.ingest.shard_part import APPENDED, Shard, ShardPart
from barograph_core.errors import StreamUnavailableError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.keyspace.layout import Layout, read_layout
from barograph_core.server.connection import Connection, read_now
from barograph_core.server.link import Value
from barograph_core.server.replies import as_bytes

# Digests that a shard keeps, some 100 bytes each.
MOST_DIGESTS: Final = 1_000_000
# A change of the layout raises the epochs of the shards before it is written: seldom, and within moments.
_LAYOUTS: Final = 5
# What is refused in strict mode is decided before the call: this long may the call take.
_CALL_MS: Final = 1_000


class RedisEventLog:
    """See ``EventLog``."""

    def __init__(self, pool: ConnectionPool, prefix: str, *, most_digests: int = MOST_DIGESTS) -> None:
        self._pool = pool
        self._prefix = prefix
        self._most_digests = most_digests

    def append(self, events: Sequence[Event], writing: Writing) -> Receipt:
        receipts: list[Receipt] = []
        left = dict(enumerate(events))
        with self._pool.borrow() as connection:
            for _ in range(_LAYOUTS):
                shards = self._shards(connection, left.values())
                if writing.is_strict and (refused := _refused(connection, shards, left, writing)):
                    return refused
                left = self._append_to(connection, shards, left, writing, receipts)
                if not left:
                    return _sum_of(receipts)
        raise StreamUnavailableError("refused", "the layout of the shards is being changed")

    def _append_to(
        self,
        connection: Connection,
        shards: Mapping[str, Shard],
        events: Mapping[int, Event],
        writing: Writing,
        receipts: list[Receipt],
    ) -> dict[int, Event]:
        """Append events shard by shard; return those whose shard has another layout by now."""
        left: dict[int, Event] = {}
        for shard in {one.keys.tag: one for one in shards.values()}.values():
            own = {at: event for at, event in events.items() if shards[event.service] is shard}
            receipt = ShardPart(shard, own, writing, self._most_digests).append(connection)
            if receipt is None:
                left |= own
            else:
                receipts.append(receipt)
        return left

    def _shards(self, connection: Connection, events: Iterable[Event]) -> dict[str, Shard]:
        """Return the shard of each service."""
        layout, now_ms = read_layout(connection, self._prefix), read_now(connection)
        services = {event.service for event in events}
        tags = sorted({layout.tag_of(service) for service in services})
        found = {tag: self._shard(connection, layout, tag, now_ms) for tag in tags}
        return {service: found[layout.tag_of(service)] for service in services}

    def _shard(self, connection: Connection, layout: Layout, tag: str, now_ms: int) -> Shard:
        keys = ShardKeys(self._prefix, tag)
        stated = connection.command("HGET", keys.progress, "lateness_ms")
        text = b"" if stated is None else as_bytes(stated)
        return Shard(keys, layout.epoch, now_ms, int(text) if text.isdigit() else LATENESS_MS)


def _refused(
    connection: Connection, shards: Mapping[str, Shard], events: Mapping[int, Event], writing: Writing
) -> Receipt | None:
    """Return what is too old or too far ahead, and was not sent before in time; ``None`` when nothing is."""
    late = [at for at, one in events.items() if one.at_ms < _oldest_ms(shards[one.service])]
    early = [at for at, one in events.items() if one.at_ms > shards[one.service].now_ms + AHEAD_MS]
    repeated = _repeated(connection, shards, {at: events[at] for at in (*late, *early)}, writing)
    late, early = ([at for at in found if at not in repeated] for found in (late, early))
    if not late and not early:
        return None
    lateness_ms = min(shard.lateness_ms for shard in shards.values())
    now_ms = max(shard.now_ms for shard in shards.values())
    return Receipt(0, 0, late, early, len(late), len(early), lateness_ms, now_ms)


def _oldest_ms(shard: Shard) -> int:
    return shard.now_ms + _CALL_MS - shard.lateness_ms


def _repeated(
    connection: Connection, shards: Mapping[str, Shard], events: Mapping[int, Event], writing: Writing
) -> set[int]:
    """Return those events that were appended before, by themselves or with the whole request."""
    questions: list[list[Value]] = []
    asked: list[int] = []
    for at, event in events.items():
        keys = shards[event.service].keys
        if writing.once is not None:
            # Where the key stands for another request, the call says so.
            questions.append(["EXISTS", keys.once(writing.once.key)])
            asked.append(at)
        if event.digest:
            questions.append(["ZSCORE", keys.ingested, APPENDED + event.digest])
            asked.append(at)
    replies = connection.pipeline(questions) if questions else []
    return {at for at, reply in zip(asked, replies, strict=True) if reply not in (None, 0)}


def _sum_of(receipts: Sequence[Receipt]) -> Receipt:
    return Receipt(
        accepted=sum(one.accepted for one in receipts),
        duplicate=sum(one.duplicate for one in receipts),
        late=sorted(at for one in receipts for at in one.late),
        early=sorted(at for one in receipts for at in one.early),
        late_count=sum(one.late_count for one in receipts),
        early_count=sum(one.early_count for one in receipts),
        lateness_ms=min((one.lateness_ms for one in receipts), default=LATENESS_MS),
        now_ms=max((one.now_ms for one in receipts), default=0),
    )
