"""The pipeline's own state as the API shows it: the shape of ``pipeline_document``, for OpenAPI."""

from collections.abc import Iterable

from pydantic import BaseModel, Field

from barograph_core.pipeline.document import shard_document
from barograph_core.pipeline.status import PipelineStatus


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
    ahead_ms: int = Field(description="how far its clock is ahead of the server's, negative when behind")
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
    dead_counted: int = Field(description="those of the dead entries that say how many events they hold")
    dead_events: int = Field(description="events in those")
    last_id: str
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


class ServerMemoryRow(BaseModel):
    """The memory of the server that holds the shard."""

    policy: str = Field(description="maxmemory-policy")
    bound_bytes: int = Field(description="maxmemory; 0 when there is no bound")
    used_bytes: int
    can_evict: bool = Field(description="the server drops keys when it is full: figures may be wrong, uncounted")


class StuckRow(BaseModel):
    """What has not closed for long, though the watermark has passed it; or the watermark itself."""

    service: str = Field(description="empty for the watermark")
    step_ms: int = Field(description="0 when the watermark or all of the service stands")
    start_ms: int = Field(description="start of the oldest pane that does not close, or where all stands")
    for_ms: int = Field(description="how long it has not moved")
    panes: int = Field(description="how many such panes")
    reason: str = Field(description="the cause where one is known")


class ServiceTotalsRow(BaseModel):
    """A service over all of its producers, those that are gone included."""

    service: str
    dropped: dict[str, int] = Field(description="events that producers dropped, by reason")
    late: int = Field(description="events that came too late to count")
    future: int = Field(description="events too far ahead of the server's clock to count")
    duplicates: int = Field(description="batches that were offered again although they were here, and refused")
    shared_names: int = Field(description="times that another process sent under the name of a producer")
    open_revisions: int = Field(description="closed panes with late events that wait to be closed again")


class ChannelRow(BaseModel):
    """What waits for a channel, and what became of its deliveries."""

    name: str
    alerts: int = Field(description="alerts of which something waits to be sent")
    waiting: int = Field(description="notifications that wait; at least that many where is_capped")
    is_capped: bool
    oldest_ms: int = Field(description="age of the oldest of them; 0 when none waits")
    deliveries: dict[str, int] = Field(
        description="sent, retry, held, dead and suppressed since the channel was first used"
    )


class HeartbeatRow(BaseModel):
    """A heartbeat to an outside watch, sent when a probe has gone through every stage."""

    name: str
    every_ms: int
    sent_ms: int | None = Field(description="the server's clock; null: never")
    sent: int
    tried_ms: int | None
    problem: str = Field(description="why the last attempt sent nothing; empty when it did")
    age_ms: int | None = Field(description="time since it was sent")


class ShardRow(BaseModel):
    shard: str
    at_ms: int = Field(description="the server's clock")
    watermark_ms: int | None
    watermark_age_ms: int | None
    ids_ahead_ms: int = Field(description="how far the newest entry id is ahead of the server's clock")
    open_panes: int = Field(description="panes that wait to be closed")
    dead_letters: int
    closed_through_ms: dict[str, int] = Field(description="service -> end of its newest closed pane")
    account: AccountRow | None
    store: StoreRow | None
    server_memory: ServerMemoryRow | None = Field(description="null where the server does not say")
    stuck: list[StuckRow]
    services: list[ServiceTotalsRow]
    channels: list[ChannelRow]
    heartbeats: list[HeartbeatRow] = Field(description="to outside watches; on the first shard only")
    streams: list[StreamRow]
    workers: list[WorkerRow]
    producers: list[ProducerRow]


class Pipeline(BaseModel):
    """What the pipeline itself is doing, shard by shard."""

    shards: list[ShardRow]


def pipeline_view(statuses: Iterable[PipelineStatus]) -> Pipeline:
    """Return the status of all shards as the API shows it."""
    return Pipeline.model_validate({"shards": [shard_document(status) for status in statuses]})
