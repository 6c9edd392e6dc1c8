"""The pipeline's own state as the API shows it."""

from pydantic import BaseModel, Field

from barograph_core.pipeline import (
    GroupStatus,
    PipelineStatus,
    ProducerStatus,
    StreamStatus,
    WorkerStatus,
)
from barograph_core.stream import EntryId


class ConsumerRow(BaseModel):
    name: str
    pending: int
    idle_ms: int


class GroupRow(BaseModel):
    """A consumer group. ``unread`` is counted from entry ids, at least that many where ``is_capped``."""

    name: str
    last_delivered_id: str
    unread: int
    is_capped: bool
    pending: int
    oldest_pending_id: str | None
    lag_ms: int = Field(description="age of the oldest entry that is unread or pending; 0 when there is none")
    consumers: list[ConsumerRow]


class StreamRow(BaseModel):
    name: str
    key: str
    length: int
    added: int = Field(description="entries ever added, trimmed ones included")
    first_id: str | None
    last_id: str | None
    groups: list[GroupRow]


class WorkerRow(BaseModel):
    stage: str
    name: str
    age_ms: int
    is_alive: bool
    facts: dict[str, str]


class ProducerRow(BaseModel):
    service: str
    instance: str
    through_ms: int
    through_age_ms: int
    sent: int
    drops: dict[str, int]
    folded: dict[str, int]
    is_missing: bool
    is_silent: bool


class ShardRow(BaseModel):
    at_ms: int = Field(description="the server's clock")
    watermark_ms: int | None
    watermark_age_ms: int | None
    dead_letters: int
    streams: list[StreamRow]
    workers: list[WorkerRow]
    producers: list[ProducerRow]


class Pipeline(BaseModel):
    """What the pipeline itself is doing, shard by shard."""

    shards: list[ShardRow]


def pipeline_view(statuses: list[PipelineStatus]) -> Pipeline:
    """Return the status of all shards as the API shows it."""
    return Pipeline(shards=[_shard(status) for status in statuses])


def _shard(status: PipelineStatus) -> ShardRow:
    return ShardRow(
        at_ms=status.at_ms,
        watermark_ms=status.watermark_ms,
        watermark_age_ms=status.watermark_age_ms,
        dead_letters=status.dead_letters,
        streams=[_stream(stream) for stream in status.streams],
        workers=[_worker(worker) for worker in status.workers],
        producers=[_producer(producer) for producer in status.producers],
    )


def _text(entry_id: EntryId | None) -> str | None:
    return None if entry_id is None else str(entry_id)


def _stream(stream: StreamStatus) -> StreamRow:
    return StreamRow(
        name=stream.name,
        key=stream.key,
        length=stream.length,
        added=stream.added,
        first_id=_text(stream.first_id),
        last_id=_text(stream.last_id),
        groups=[_group(group) for group in stream.groups],
    )


def _group(group: GroupStatus) -> GroupRow:
    return GroupRow(
        name=group.name,
        last_delivered_id=str(group.last_delivered),
        unread=group.unread,
        is_capped=group.is_capped,
        pending=group.pending,
        oldest_pending_id=_text(group.oldest_pending),
        lag_ms=group.lag_ms,
        consumers=[
            ConsumerRow(name=consumer.name, pending=consumer.pending, idle_ms=consumer.idle_ms)
            for consumer in group.consumers
        ],
    )


def _worker(worker: WorkerStatus) -> WorkerRow:
    return WorkerRow(
        stage=worker.stage,
        name=worker.name,
        age_ms=worker.age_ms,
        is_alive=worker.is_alive,
        facts=dict(worker.facts),
    )


def _producer(producer: ProducerStatus) -> ProducerRow:
    return ProducerRow(
        service=producer.service,
        instance=producer.instance,
        through_ms=producer.through_ms,
        through_age_ms=producer.through_age_ms,
        sent=producer.sent,
        drops=dict(producer.drops),
        folded=dict(producer.folded),
        is_missing=producer.is_missing,
        is_silent=producer.is_silent,
    )
