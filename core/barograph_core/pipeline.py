"""Reads what the pipeline itself is doing, for ``barograph status``, the console's ``/pipeline`` and ``/metrics``."""

from collections.abc import Mapping, Sequence
from typing import Final

from barograph_core.errors import StreamUnavailableError
from barograph_core.events_account import COUNT_LIMIT, EventsAccount, parse_account
from barograph_core.keys import AGGREGATOR_GROUP, ShardKeys
from barograph_core.pipeline_status import (
    ALIVE_MS,
    NO_DATA_MS,
    Backlog,
    ConsumerStatus,
    GroupStatus,
    PipelineStatus,
    ProducerStatus,
    ServiceProducers,
    StreamStatus,
    WorkerStatus,
    parse_producer,
)
from barograph_core.store_usage import parse_store
from barograph_core.stream import Connection, Reply, Value, as_bytes, as_hash, as_int, as_list
from barograph_core.stream_reader import StreamReader

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

_BACKLOG_LIMIT: Final = 1_000
_PRODUCER_LIMIT: Final = 1_000


def _scores(reply: Reply) -> dict[str, int]:
    """Read a WITHSCORES reply; scores are whole ms."""
    return {member: int(float(score)) for member, score in as_hash(reply).items()}


def _no_data_ms(reply: Reply) -> int:
    return NO_DATA_MS if reply is None else as_int(reply)


class PipelineReader:
    """Reads the status of one shard.

    Costs some fifteen round trips, one more for each consumer group and, for each that is behind, a bounded read of
    its backlog.
    """

    def __init__(self, connection: Connection, keys: ShardKeys, *, count_limit: int = _BACKLOG_LIMIT) -> None:
        self._connection = connection
        self._keys = keys
        self._count_limit = count_limit

    def read(self) -> PipelineStatus:
        """Return the shard's status. The figures are of one moment only within each round trip.

        Raises:
            BarographError: The server is gone or refuses.
        """
        keys = self._keys
        time, watermark, no_data, closed, workers, store, open_panes = self._connection.pipeline(
            [
                ("TIME",),
                ("HGET", keys.progress, "watermark_ms"),
                ("HGET", keys.progress, "no_data_ms"),
                ("HGETALL", keys.closed),
                ("ZRANGE", keys.workers, 0, -1, "WITHSCORES"),
                ("HGETALL", keys.store),
                ("ZCARD", keys.open),
            ]
        )
        weighed = as_hash(store)
        seconds, micros = as_list(time)
        at_ms = as_int(seconds) * 1_000 + as_int(micros) // 1_000
        closed_ms = {service: int(value) for service, value in as_hash(closed).items()}
        return PipelineStatus(
            at_ms=at_ms,
            streams=StreamReader(self._connection, keys, self._count_limit).read(at_ms),
            watermark_ms=None if watermark is None else as_int(watermark),
            closed=closed_ms,
            workers=self._read_workers(_scores(workers), at_ms),
            producers=self._read_producers(closed_ms, at_ms, _no_data_ms(no_data)),
            account=self._read_account(),
            store=parse_store(weighed) if weighed else None,
            shard=keys.tag,
            open_panes=as_int(open_panes),
        )

    def workers(self, at_ms: int) -> tuple[WorkerStatus, ...]:
        """Return every worker that has reported within a day, with its figures while it lives."""
        seen = _scores(self._connection.command("ZRANGE", self._keys.workers, 0, -1, "WITHSCORES"))
        return self._read_workers(seen, at_ms)

    def _read_account(self) -> EventsAccount | None:
        keys = [self._keys.events, self._keys.progress]
        try:
            reply = self._connection.call("baro_account_1", keys, [AGGREGATOR_GROUP, COUNT_LIMIT], read_only=True)
        except StreamUnavailableError as error:
            if error.reason == "no_library":
                return None
            raise
        return None if reply is None else parse_account(as_list(reply))

    def producers_of(self, services: Sequence[str]) -> dict[str, ServiceProducers]:
        """Return how far each service's producers have shipped, newest first."""
        no_data, *replies = self._connection.pipeline(
            [("HGET", self._keys.progress, "no_data_ms"), *(self._list_producers(service) for service in services)]
        )
        return {
            service: ServiceProducers(tuple(_scores(reply).values()), _no_data_ms(no_data))
            for service, reply in zip(services, replies, strict=True)
        }

    def _list_producers(self, service: str) -> Sequence[Value]:
        return ("ZRANGE", self._keys.producers(service), 0, _PRODUCER_LIMIT - 1, "REV", "WITHSCORES")

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

    def _read_producers(self, closed_ms: Mapping[str, int], at_ms: int, no_data_ms: int) -> tuple[ProducerStatus, ...]:
        services = sorted(closed_ms)
        listed = self._connection.pipeline([self._list_producers(service) for service in services])
        found = [
            (service, instance, through_ms)
            for service, reply in zip(services, listed, strict=True)
            for instance, through_ms in _scores(reply).items()
        ]
        stats = self._connection.pipeline(
            [
                (
                    *("HMGET", self._keys.producer(instance)),
                    *("stats", "events_late", "events_future", "through_ms", "at_ms"),
                )
                for _, instance, _ in found
            ]
        )
        told = [as_list(reply) for reply in stats]
        return tuple(
            parse_producer(
                service,
                instance,
                through_ms,
                as_bytes(own or b""),
                at_ms=at_ms,
                closed_ms=closed_ms.get(service),
                no_data_ms=no_data_ms,
                late=as_int(late or 0),
                future=as_int(future or 0),
                ahead_ms=max(0, as_int(said or 0) - as_int(heard or 0)),
            )
            for (service, instance, through_ms), (own, late, future, said, heard) in zip(found, told, strict=True)
        )
