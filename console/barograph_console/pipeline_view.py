"""The pipeline's own state as the API shows it."""

from pydantic import BaseModel, Field

from barograph_core.events_account import EventsAccount
from barograph_core.pipeline import (
    GroupStatus,
    PipelineStatus,
    ProducerStatus,
    StreamStatus,
    WorkerStatus,
)
from barograph_core.store_usage import StoreUsage
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
    memory_bytes: int | None = Field(description="on the server, within some percent")
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
    late: int = Field(description="events that came too late to count")
    future: int = Field(description="events too far ahead of the server's clock to count")
    is_missing: bool
    is_silent: bool


class AccountRow(BaseModel):
    """Every entry of the events stream is somewhere: added = committed + dead + lost + pending + unread."""

    added: int
    committed: int
    dead: int
    lost: int = Field(description="trimmed, deleted or flushed before they were finished")
    pending: int
    unread: int
    lost_counted: int = Field(description="those of the lost that barograph trimmed itself")
    lost_events: int = Field(description="events in those; how many the others held, nobody knows")
    is_counted: bool = Field(description="false behind a long backlog: unread is what the others leave over")
    surplus: int = Field(description="entries finished more often than once; 0 unless the group was set back")


class StepRow(BaseModel):
    step_ms: int
    bytes: int
    blocks: int
    dropped_blocks: int = Field(description="dropped before their time, to keep the store within its memory")
    dropped_bytes: int
    kept_from_ms: int = Field(description="panes from here on were all kept; 0 when none was dropped")


class StoreRow(BaseModel):
    """What closed panes take on the server, as its allocator counts it."""

    bytes: int
    bound_bytes: int = Field(description="0 when there is no bound")
    steps: list[StepRow]


class ShardRow(BaseModel):
    shard: str
    at_ms: int = Field(description="the server's clock")
    watermark_ms: int | None
    watermark_age_ms: int | None
    dead_letters: int
    account: AccountRow | None
    store: StoreRow | None
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
        shard=status.shard,
        at_ms=status.at_ms,
        watermark_ms=status.watermark_ms,
        watermark_age_ms=status.watermark_age_ms,
        dead_letters=status.dead_letters,
        account=None if status.account is None else _account(status.account),
        store=None if status.store is None else _store(status.store),
        streams=[_stream(stream) for stream in status.streams],
        workers=[_worker(worker) for worker in status.workers],
        producers=[_producer(producer) for producer in status.producers],
    )


def _account(account: EventsAccount) -> AccountRow:
    return AccountRow(
        added=account.added,
        committed=account.committed,
        dead=account.dead,
        lost=account.lost,
        pending=account.pending,
        unread=account.unread,
        lost_counted=account.lost_counted,
        lost_events=account.lost_events,
        is_counted=account.is_counted,
        surplus=account.surplus,
    )


def _store(store: StoreUsage) -> StoreRow:
    return StoreRow(
        bytes=store.bytes,
        bound_bytes=store.bound_bytes,
        steps=[
            StepRow(
                step_ms=step.step_ms,
                bytes=step.bytes,
                blocks=step.blocks,
                dropped_blocks=step.dropped_blocks,
                dropped_bytes=step.dropped_bytes,
                kept_from_ms=step.kept_from_ms,
            )
            for step in store.steps
        ],
    )


def _text(entry_id: EntryId | None) -> str | None:
    return None if entry_id is None else str(entry_id)


def _stream(stream: StreamStatus) -> StreamRow:
    return StreamRow(
        name=stream.name,
        key=stream.key,
        length=stream.length,
        added=stream.added,
        memory_bytes=stream.memory_bytes,
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
        late=producer.late,
        future=producer.future,
        is_missing=producer.is_missing,
        is_silent=producer.is_silent,
    )
