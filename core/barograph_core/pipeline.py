"""Reads what the pipeline itself is doing, for ``barograph status`` and the console's ``/pipeline``.

Backlogs are counted from entry ids: the servers' own ``lag`` is nil or wrong after a trim or a delete.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from barograph_core.errors import StreamUnavailableError
from barograph_core.keys import ShardKeys
from barograph_core.pipeline_status import (
    ALIVE_MS,
    Backlog,
    ConsumerStatus,
    EventsAccount,
    GroupStatus,
    PipelineStatus,
    ProducerStatus,
    StreamStatus,
    WorkerStatus,
    group_lag_ms,
    known_backlog,
    parse_producer,
)
from barograph_core.stream import (
    Connection,
    EntryId,
    Reply,
    Value,
    as_bytes,
    as_hash,
    as_int,
    as_list,
    as_text,
)

__all__ = [
    "Backlog",
    "ConsumerStatus",
    "EventsAccount",
    "GroupStatus",
    "PipelineReader",
    "PipelineStatus",
    "ProducerStatus",
    "StreamStatus",
    "WorkerStatus",
]

AGGREGATOR_GROUP: Final = "aggregator"
COUNT_LIMIT: Final = 1_000
_PAGE: Final = 250
_PRODUCER_LIMIT: Final = 1_000


class _Extent(NamedTuple):
    key: str
    length: int
    first_id: EntryId | None
    last_id: EntryId | None


def _pairs(reply: Reply) -> dict[str, Reply]:
    flat = as_list(reply)
    return {as_text(flat[i]): flat[i + 1] for i in range(0, len(flat), 2)}


def _scores(reply: Reply) -> dict[str, int]:
    """Read a WITHSCORES reply; scores are whole ms."""
    return {member: int(float(score)) for member, score in as_hash(reply).items()}


def _end_id(reply: Reply) -> EntryId | None:
    return None if reply is None else EntryId.parse(as_bytes(as_list(reply)[0]))


class PipelineReader:
    """Reads the status of one shard. Costs a few round trips and, behind a backlog, a bounded read of it."""

    def __init__(self, connection: Connection, keys: ShardKeys, *, count_limit: int = COUNT_LIMIT) -> None:
        self._connection = connection
        self._keys = keys
        self._count_limit = count_limit

    def read(self) -> PipelineStatus:
        """Return the shard's status. The figures are of one moment only within each round trip.

        Raises:
            BarographError: The server is gone or refuses.
        """
        keys = self._keys
        time, watermark, closed, workers = self._connection.pipeline(
            [
                ("TIME",),
                ("HGET", keys.progress, "watermark_ms"),
                ("HGETALL", keys.closed),
                ("ZRANGE", keys.workers, 0, -1, "WITHSCORES"),
            ]
        )
        seconds, micros = as_list(time)
        at_ms = as_int(seconds) * 1_000 + as_int(micros) // 1_000
        closed_ms = {service: int(value) for service, value in as_hash(closed).items()}
        return PipelineStatus(
            at_ms=at_ms,
            streams=self._read_streams(at_ms),
            watermark_ms=None if watermark is None else as_int(watermark),
            closed=closed_ms,
            workers=self._read_workers(_scores(workers), at_ms),
            producers=self._read_producers(closed_ms, at_ms),
            account=self._read_account(),
        )

    def _read_account(self) -> EventsAccount | None:
        keys = [self._keys.events, self._keys.progress]
        try:
            reply = self._connection.call("baro_account_1", keys, [AGGREGATOR_GROUP, self._count_limit], read_only=True)
        except StreamUnavailableError as error:
            if error.reason == "no_library":
                return None
            raise
        if reply is None:
            return None
        account = EventsAccount(*(as_int(figure) for figure in as_list(reply)))
        return None if account.unread < 0 else account

    def producer_throughs(self, services: Sequence[str]) -> dict[str, list[int]]:
        """Return each service's producers' ``through_ms``, newest first."""
        replies = self._connection.pipeline([self._list_producers(service) for service in services])
        return {service: list(_scores(reply).values()) for service, reply in zip(services, replies, strict=True)}

    def _list_producers(self, service: str) -> Sequence[Value]:
        return ("ZRANGE", self._keys.producers(service), 0, _PRODUCER_LIMIT - 1, "REV", "WITHSCORES")

    def _read_streams(self, at_ms: int) -> tuple[StreamStatus, ...]:
        keys = self._keys
        named = {
            "events": keys.events,
            "metrics": keys.metrics,
            "alerts": keys.alerts,
            "deliveries": keys.deliveries,
            "dead": keys.dead,
        }
        # XINFO of a missing key is an error, which would hide the streams that are there.
        exists = self._connection.pipeline([("EXISTS", key) for key in named.values()])
        return tuple(
            self._read_stream(name, key, at_ms) if found else StreamStatus(name, key, 0, 0, None, None, ())
            for (name, key), found in zip(named.items(), exists, strict=True)
        )

    def _read_stream(self, name: str, key: str, at_ms: int) -> StreamStatus:
        stream, groups = self._connection.pipeline([("XINFO", "STREAM", key), ("XINFO", "GROUPS", key)])
        facts = _pairs(stream)
        length = as_int(facts["length"])
        extent = _Extent(key, length, _end_id(facts["first-entry"]), _end_id(facts["last-entry"]))
        return StreamStatus(
            name=name,
            key=key,
            length=length,
            added=as_int(facts.get("entries-added", length)),
            first_id=extent.first_id,
            last_id=extent.last_id,
            groups=tuple(self._read_group(extent, _pairs(group), at_ms) for group in as_list(groups)),
        )

    def _read_group(self, extent: _Extent, facts: Mapping[str, Reply], at_ms: int) -> GroupStatus:
        name = as_text(facts["name"])
        delivered = EntryId.parse(as_bytes(facts["last-delivered-id"]))
        pending, consumers = self._connection.pipeline(
            [("XPENDING", extent.key, name), ("XINFO", "CONSUMERS", extent.key, name)]
        )
        pending_count, oldest, *_ = as_list(pending)
        oldest_pending = None if oldest is None else EntryId.parse(as_bytes(oldest))
        backlog = known_backlog(delivered, extent.length, extent.first_id, extent.last_id)
        if backlog is None:
            backlog = self._count_after(extent.key, delivered)
        return GroupStatus(
            name=name,
            last_delivered=delivered,
            unread=backlog.count,
            is_capped=backlog.is_capped,
            pending=as_int(pending_count),
            oldest_pending=oldest_pending,
            lag_ms=group_lag_ms(at_ms, backlog.oldest, oldest_pending),
            consumers=tuple(_consumer(_pairs(consumer)) for consumer in as_list(consumers)),
        )

    def _count_after(self, key: str, after: EntryId) -> Backlog:
        count, oldest, last = 0, None, after
        while count < self._count_limit:
            page = as_list(self._connection.command("XRANGE", key, f"({last}", "+", "COUNT", _PAGE))
            if not page:
                return Backlog(count, is_capped=False, oldest=oldest)
            oldest = oldest or _end_id(page[0])
            last = _end_id(page[-1]) or last
            count += len(page)
            if len(page) < _PAGE:
                return Backlog(count, is_capped=False, oldest=oldest)
        return Backlog(count, is_capped=True, oldest=oldest)

    def _read_workers(self, seen_ms: Mapping[str, int], at_ms: int) -> tuple[WorkerStatus, ...]:
        names = [member.partition(":")[::2] for member in seen_ms]
        hashes = self._connection.pipeline([("HGETALL", self._keys.worker(*name)) for name in names])
        return tuple(
            WorkerStatus(
                stage=stage,
                name=name,
                age_ms=max(0, at_ms - seen),
                is_alive=at_ms - seen <= ALIVE_MS,
                facts={key: value.decode(errors="replace") for key, value in as_hash(facts).items()},
            )
            for (stage, name), seen, facts in zip(names, seen_ms.values(), hashes, strict=True)
        )

    def _read_producers(self, closed_ms: Mapping[str, int], at_ms: int) -> tuple[ProducerStatus, ...]:
        services = sorted(closed_ms)
        listed = self._connection.pipeline([self._list_producers(service) for service in services])
        found = [
            (service, instance, through_ms)
            for service, reply in zip(services, listed, strict=True)
            for instance, through_ms in _scores(reply).items()
        ]
        stats = self._connection.pipeline(
            [("HGET", self._keys.producer(instance), "stats") for _, instance, _ in found]
        )
        return tuple(
            parse_producer(
                service,
                instance,
                through_ms,
                b"" if reply is None else as_bytes(reply),
                at_ms=at_ms,
                closed_ms=closed_ms.get(service),
            )
            for (service, instance, through_ms), reply in zip(found, stats, strict=True)
        )


def _consumer(facts: Mapping[str, Reply]) -> ConsumerStatus:
    return ConsumerStatus(name=as_text(facts["name"]), pending=as_int(facts["pending"]), idle_ms=as_int(facts["idle"]))
