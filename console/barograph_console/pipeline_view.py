"""The pipeline's own state as the API shows it: the shape of ``pipeline_document``, for OpenAPI."""

from collections.abc import Iterable

from pydantic import BaseModel, Field

from barograph_core.pipeline_document import shard_document
from barograph_core.pipeline_status import PipelineStatus


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
    ahead_ms: int = Field(description="how far its newest report was ahead of the server's clock")
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


class ShardRow(BaseModel):
    shard: str
    at_ms: int = Field(description="the server's clock")
    watermark_ms: int | None
    watermark_age_ms: int | None
    open_panes: int = Field(description="panes that wait to be closed")
    dead_letters: int
    closed_through_ms: dict[str, int] = Field(description="service -> end of its newest closed pane")
    account: AccountRow | None
    store: StoreRow | None
    streams: list[StreamRow]
    workers: list[WorkerRow]
    producers: list[ProducerRow]


class Pipeline(BaseModel):
    """What the pipeline itself is doing, shard by shard."""

    shards: list[ShardRow]


def pipeline_view(statuses: Iterable[PipelineStatus]) -> Pipeline:
    """Return the status of all shards as the API shows it."""
    return Pipeline.model_validate({"shards": [shard_document(status) for status in statuses]})
