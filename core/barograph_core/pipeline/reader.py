"""Reads the state of the pipeline, for ``barograph status``, the console's ``/pipeline`` and ``/metrics``."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from barograph_core.errors import StreamUnavailableError
from barograph_core.keyspace.keys import AGGREGATOR_GROUP, ShardKeys
from barograph_core.pipeline.account import COUNT_LIMIT, EventsAccount, parse_account
from barograph_core.pipeline.channels import ChannelReader
from barograph_core.pipeline.closing import find_stuck, parse_stuck
from barograph_core.pipeline.probing.beats import read_beats
from barograph_core.pipeline.services import ServiceTotals, count_revisions, parse_totals
from barograph_core.pipeline.status import (
    ALIVE_MS,
    NO_DATA_MS,
    PipelineStatus,
    ProducerStatus,
    ServiceProducers,
    WorkerStatus,
    parse_producer,
)
from barograph_core.pipeline.streams import StreamReader
from barograph_core.server.connection import Connection
from barograph_core.server.foreign_replies import as_count, as_scores
from barograph_core.server.link import Reply, Value
from barograph_core.server.memory import read_memory
from barograph_core.server.replies import as_bytes, as_hash, as_int, as_list, as_now_ms, as_text
from barograph_core.store.closed import parse_closed
from barograph_core.store.usage import parse_store
from barograph_core.text.one_line import one_line

_BACKLOG_LIMIT: Final = 1_000
_PRODUCER_LIMIT: Final = 1_000
# Open panes among which those that are closed already, and wait for a revision, are counted.
_OPEN_LIMIT: Final = 10_000


def _no_data_ms(reply: Reply) -> int:
    return NO_DATA_MS if reply is None else as_count(reply)


def _difference_ms(reply: Reply) -> int:
    """Return a figure that may be negative."""
    return -as_count(reply[1:]) if isinstance(reply, bytes) and reply.startswith(b"-") else as_count(reply)


class PipelineReader:
    """Reads the status of one shard.

    A read costs some twenty round trips, one more for each consumer group, two for each channel, and a bounded read of
    the backlog of each group that is behind.
    """

    def __init__(self, connection: Connection, keys: ShardKeys, *, count_limit: int = _BACKLOG_LIMIT) -> None:
        self._connection = connection
        self._keys = keys
        self._count_limit = count_limit

    def read(self) -> PipelineStatus:
        """Return the shard's status. Only figures of the same round trip are of the same time.

        Raises:
            BarographError: The server is gone or refuses.
        """
        keys = self._keys
        time, watermark, no_data, closed, workers, store, open_panes, report = self._connection.pipeline(
            [
                ("TIME",),
                ("HGET", keys.progress, "watermark_ms"),
                ("HGET", keys.progress, "no_data_ms"),
                ("HGETALL", keys.closed),
                ("ZRANGE", keys.workers, 0, -1, "WITHSCORES"),
                ("HGETALL", keys.store),
                ("ZCARD", keys.open),
                ("GET", keys.closing),
            ]
        )
        watermark_ms = None if watermark is None else as_count(watermark)
        weighed = as_hash(store)
        at_ms = as_now_ms(time)
        closed_ms = parse_closed(closed)
        streams = StreamReader(self._connection, keys, self._count_limit).read(at_ms)
        groups = [group.name for stream in streams if stream.name == "alerts" for group in stream.groups]
        return PipelineStatus(
            at_ms=at_ms,
            streams=streams,
            watermark_ms=watermark_ms,
            closed=closed_ms,
            workers=self._read_workers(as_scores(workers), at_ms),
            producers=self._read_producers(closed_ms, at_ms, _no_data_ms(no_data)),
            account=self._read_account(),
            store=parse_store(weighed) if weighed else None,
            shard=keys.tag,
            open_panes=as_int(open_panes),
            server_memory=read_memory(self._connection),
            services=self._read_totals(closed_ms),
            channels=ChannelReader(self._connection, keys).read(at_ms, groups),
            heartbeats=read_beats(self._connection, keys),
            stuck=find_stuck(None if report is None else parse_stuck(as_bytes(report)), closed_ms, watermark_ms),
        )

    def _read_totals(self, closed_ms: Mapping[str, int]) -> tuple[ServiceTotals, ...]:
        newest_ms = max(closed_ms.values(), default=0)
        oldest, *totals = self._connection.pipeline(
            [
                ("ZRANGEBYSCORE", self._keys.open, "-inf", newest_ms, "LIMIT", 0, _OPEN_LIMIT),
                *(("HGETALL", self._keys.totals(service)) for service in closed_ms),
            ]
        )
        revisions = count_revisions(map(as_text, as_list(oldest)), closed_ms)
        found = dict(zip(closed_ms, totals, strict=True))
        return tuple(parse_totals(name, as_hash(found[name]), revisions[name]) for name in sorted(found))

    def workers(self, at_ms: int) -> tuple[WorkerStatus, ...]:
        """Return every worker that has reported within a day, with its figures while it lives."""
        seen = as_scores(self._connection.command("ZRANGE", self._keys.workers, 0, -1, "WITHSCORES"))
        return self._read_workers(seen, at_ms)

    def _read_account(self) -> EventsAccount | None:
        keys = [self._keys.events, self._keys.progress]
        fields = [f"dead_counted:{AGGREGATOR_GROUP}", f"dead_events:{AGGREGATOR_GROUP}"]
        try:
            reply = self._connection.call("baro_account_1", keys, [AGGREGATOR_GROUP, COUNT_LIMIT], read_only=True)
        except StreamUnavailableError as error:
            if error.reason == "no_library":
                return None
            raise
        if reply is None:
            return None
        counted, events = as_list(self._connection.command("HMGET", self._keys.progress, *fields))
        return replace(parse_account(as_list(reply)), dead_counted=as_count(counted), dead_events=as_count(events))

    def producers_of(self, services: Sequence[str]) -> dict[str, ServiceProducers]:
        """Return how far each service's producers have shipped, newest first."""
        no_data, *replies = self._connection.pipeline(
            [("HGET", self._keys.progress, "no_data_ms"), *(self._list_producers(service) for service in services)]
        )
        return {
            service: ServiceProducers(tuple(as_scores(reply).values()), _no_data_ms(no_data))
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
                facts={one_line(key): one_line(as_text(value)) for key, value in as_hash(facts).items()},
            )
            for (stage, name), seen, facts in zip(names, seen_ms.values(), hashes, strict=True)
        )

    def _read_producers(self, closed_ms: Mapping[str, int], at_ms: int, no_data_ms: int) -> tuple[ProducerStatus, ...]:
        services = sorted(closed_ms)
        listed = self._connection.pipeline([self._list_producers(service) for service in services])
        found = [
            (service, instance, through_ms)
            for service, reply in zip(services, listed, strict=True)
            for instance, through_ms in as_scores(reply).items()
        ]
        stats = self._connection.pipeline(
            [
                (
                    *("HMGET", self._keys.producer(instance)),
                    *("stats", "events_late", "events_future", "through_ms", "at_ms", "ahead_ms"),
                )
                for _, instance, _ in found
            ]
        )
        reported = [as_list(reply) for reply in stats]
        return tuple(
            parse_producer(
                service,
                instance,
                through_ms,
                as_bytes(own or b""),
                at_ms=at_ms,
                closed_ms=closed_ms.get(service),
                no_data_ms=no_data_ms,
                late=as_count(late),
                future=as_count(future),
                # Producers of earlier versions do not state their clock.
                ahead_ms=_difference_ms(ahead) if ahead else max(0, as_count(said) - as_count(heard)),
            )
            for (service, instance, through_ms), (own, late, future, said, heard, ahead) in zip(
                found, reported, strict=True
            )
        )
