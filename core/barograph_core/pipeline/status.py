"""The state of the pipeline itself, as values: backlogs, consumers, workers, producers. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeGuard, cast

from barograph_core.keyspace.keys import AGGREGATOR_GROUP
from barograph_core.pipeline.account import EventsAccount
from barograph_core.pipeline.channels import ChannelStatus
from barograph_core.pipeline.closing import StuckClosing
from barograph_core.pipeline.probing.beats import Beat
from barograph_core.pipeline.services import ServiceTotals
from barograph_core.server.memory import ServerMemory
from barograph_core.server.replies import EntryId
from barograph_core.store.usage import StoreUsage
from barograph_core.text.foreign_json import load_foreign_json
from barograph_core.text.one_line import one_line

# Used until an aggregator has reported its setting.
NO_DATA_MS: Final = 300_000
ALIVE_MS: Final = 10_000
# Limits of what is read of one producer's statistics: each name would be a series of /metrics for each producer.
_MOST_NAMES: Final = 32
_MOST_NAME_LENGTH: Final = 600
_MOST_COUNT: Final = 2**53


@dataclass(frozen=True, slots=True)
class StreamBacklog:
    """Entries after an id.

    Attributes:
        count: Number of entries, or the counting limit when ``is_capped``.
        oldest: Id of the first of them.
    """

    count: int
    is_capped: bool
    oldest: EntryId | None


@dataclass(frozen=True, slots=True)
class ConsumerStatus:
    """One consumer of a group. ``idle_ms`` is the time since it last tried to read or claim."""

    name: str
    pending: int
    idle_ms: int


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """One consumer group of a stream.

    Attributes:
        last_delivered: Id up to which consumers have read all entries.
        unread: Entries never delivered, counted by ids; at least this many when ``is_capped``.
        lag_ms: Age of the oldest entry that is unread or pending; 0 when there is none.
    """

    name: str
    last_delivered: EntryId
    unread: int
    is_capped: bool
    pending: int
    oldest_pending: EntryId | None
    lag_ms: int
    consumers: tuple[ConsumerStatus, ...]


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """One stream of a shard. A stream that does not exist yet has length 0.

    Attributes:
        added: Entries ever added, trimmed ones included.
        memory_bytes: Its memory on the server, within some percent; ``None`` where the server does not report it.
    """

    name: str
    key: str
    length: int
    added: int
    first_id: EntryId | None
    last_id: EntryId | None
    groups: tuple[GroupStatus, ...]
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One worker process.

    Attributes:
        age_ms: Time since it last reported, which it does each second.
        is_alive: Whether it has reported within ``ALIVE_MS``.
        facts: Its counters and distributions, as it wrote them.
    """

    stage: str
    name: str
    age_ms: int
    is_alive: bool
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ProducerStatus:
    """One live producer.

    Attributes:
        through_age_ms: Age of ``through_ms``, the time up to which it has shipped all events.
        drops: Events dropped since its start, by reason.
        folded: Events whose labels became ``__other__``, by the label that has too many values.
        late: Events beyond the allowed lateness: counted here and nowhere else.
        future: Events too far ahead of the server's clock: the producer's clock is wrong.
        ahead_ms: How far its clock was ahead of the server's when it last reported, negative when behind.
        is_missing: Whether its report for the newest closed pane is missing, and is still waited for.
        is_silent: Whether it has been silent for so long that no worker waits for it.
    """

    service: str
    instance: str
    through_ms: int
    through_age_ms: int
    sent: int
    drops: Mapping[str, int]
    folded: Mapping[str, int]
    is_missing: bool
    is_silent: bool
    late: int = 0
    future: int = 0
    ahead_ms: int = 0


@dataclass(frozen=True, slots=True)
class ServiceProducers:
    """The times up to which the producers of one service have shipped.

    Attributes:
        no_data_ms: The setting of the aggregator that closes panes.
    """

    through_ms: tuple[int, ...] = ()
    no_data_ms: int = NO_DATA_MS

    def count_missing(self, end_ms: int) -> int:
        """Count the instances missing from a pane that ends at ``end_ms``."""
        return sum(is_missing(through_ms, end_ms, self.no_data_ms) for through_ms in self.through_ms)


@dataclass(frozen=True, slots=True)
class PipelineStatus:
    """One shard at one moment of the server's clock.

    Attributes:
        watermark_ms: No event before it is still to come; ``None`` before the first aggregator ran.
        closed: Service -> end of its newest closed pane in ms.
        account: ``None`` before the first aggregator ran, and when the server has no function library.
        store: Memory of closed panes; ``None`` before any was weighed.
        shard: The shard's tag.
        open_panes: Number of panes that are not closed yet.
        server_memory: ``None`` where the server does not say.
        services: Totals of each service with a closed pane.
        stuck: What has not closed for long, though the watermark has passed it.
        heartbeats: To outside watches, as notifiers sent them; on the first shard only.
    """

    at_ms: int
    streams: tuple[StreamStatus, ...]
    watermark_ms: int | None
    closed: Mapping[str, int]
    workers: tuple[WorkerStatus, ...]
    producers: tuple[ProducerStatus, ...]
    account: EventsAccount | None = None
    store: StoreUsage | None = None
    shard: str = "0"
    open_panes: int = 0
    server_memory: ServerMemory | None = None
    services: tuple[ServiceTotals, ...] = ()
    channels: tuple[ChannelStatus, ...] = ()
    stuck: tuple[StuckClosing, ...] = ()
    heartbeats: tuple[Beat, ...] = ()

    @property
    def watermark_age_ms(self) -> int | None:
        return None if self.watermark_ms is None else max(0, self.at_ms - self.watermark_ms)

    @property
    def ids_ahead_ms(self) -> int:
        """Return how far the newest entry id of the events stream is ahead of the server's clock; 0 when it is not."""
        newest = (stream.last_id for stream in self.streams if stream.name == "events")
        return max(0, *(entry_id.ms - self.at_ms for entry_id in newest if entry_id is not None), 0)

    @property
    def dead_letters(self) -> int:
        return next((stream.length for stream in self.streams if stream.name == "dead"), 0)

    @property
    def events_group(self) -> GroupStatus | None:
        """Return the aggregators' group, ``None`` before the first of them ran."""
        groups = (group for stream in self.streams if stream.name == "events" for group in stream.groups)
        return next((group for group in groups if group.name == AGGREGATOR_GROUP), None)


def is_missing(through_ms: int, end_ms: int, no_data_ms: int) -> bool:
    """Say whether an instance shipped through ``through_ms`` is missing from a pane that ends at ``end_ms``.

    No worker waits for one that has been silent for longer than ``no_data_ms``.
    """
    return end_ms - no_data_ms <= through_ms < end_ms


def known_backlog(
    last_delivered: EntryId, length: int, first_id: EntryId | None, last_id: EntryId | None
) -> StreamBacklog | None:
    """Return the backlog if it follows from the ends of the stream, ``None`` if entries must be counted."""
    if length == 0 or first_id is None or last_id is None or last_delivered >= last_id:
        return StreamBacklog(0, is_capped=False, oldest=None)
    if last_delivered < first_id:
        return StreamBacklog(length, is_capped=False, oldest=first_id)
    return None


def group_lag_ms(at_ms: int, oldest_unread: EntryId | None, oldest_pending: EntryId | None) -> int:
    """Return the age of the oldest entry that a group has not finished; 0 when there is none."""
    waiting = [entry_id.ms for entry_id in (oldest_unread, oldest_pending) if entry_id is not None]
    return max(0, at_ms - min(waiting)) if waiting else 0


def parse_producer(
    service: str,
    instance: str,
    through_ms: int,
    stats: bytes,
    *,
    at_ms: int,
    closed_ms: int | None,
    no_data_ms: int,
    late: int = 0,
    future: int = 0,
    ahead_ms: int = 0,
) -> ProducerStatus:
    """Read one producer's liveness; unreadable statistics count as none, because they come from outside."""
    try:
        parsed: object = load_foreign_json(stats) if stats else {}
    except ValueError:
        parsed = {}
    figures = cast("dict[str, object]", parsed) if isinstance(parsed, dict) else {}
    sent = figures.get("sent")
    age_ms = max(0, at_ms - through_ms)
    return ProducerStatus(
        service=service,
        instance=instance,
        through_ms=through_ms,
        through_age_ms=age_ms,
        sent=sent if is_count(sent) else 0,
        drops=_counts(figures.get("dropped")),
        folded=_counts(figures.get("folded_by")),
        is_missing=closed_ms is not None and is_missing(through_ms, closed_ms, no_data_ms),
        is_silent=age_ms > no_data_ms,
        late=late,
        future=future,
        ahead_ms=ahead_ms,
    )


def _counts(table: object) -> dict[str, int]:
    """Return the counts of a JSON object by their names, as many as a producer reports at most."""
    by_name = cast("dict[str, object]", table) if isinstance(table, dict) else {}
    counts = ((one_line(name, _MOST_NAME_LENGTH), count) for name, count in by_name.items() if is_count(count))
    return dict(islice(counts, _MOST_NAMES))


def is_count(value: object) -> TypeGuard[int]:
    """Say whether a value that came from outside is a count; one of 2**53 or more is no figure of any producer."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST_COUNT
