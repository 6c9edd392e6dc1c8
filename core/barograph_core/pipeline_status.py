"""What the pipeline itself is doing, as values: backlog, consumers, workers, producers. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from barograph_core.events_account import EventsAccount
from barograph_core.keys import AGGREGATOR_GROUP
from barograph_core.store_usage import StoreUsage
from barograph_core.stream import EntryId

# Until an aggregator tells its setting.
NO_DATA_MS: Final = 300_000
ALIVE_MS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Backlog:
    """Entries after an id.

    Attributes:
        count: How many there are, or the counting limit when ``is_capped``.
        oldest: The first of them.
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
        last_delivered: Everything up to this id has been handed to some consumer.
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
        memory_bytes: What it takes on the server, within some percent; ``None`` where the server does not tell.
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
        is_alive: It has reported within ``ALIVE_MS``.
        facts: Its self-metrics, as it wrote them.
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
        through_age_ms: How far back everything earlier is known to have been shipped.
        drops: Events dropped since its start, by reason.
        folded: Events whose labels became ``__other__``, by the label that has too many values.
        late: Events that came longer after their time than is allowed: counted here and nowhere else.
        future: Events further ahead of the server's clock than is allowed: its own clock is wrong.
        ahead_ms: How far its newest report was ahead of the server's clock. A clock that is behind looks like a
            producer that has not shipped for as long.
        is_missing: It has not reported for the newest closed pane, and is not given up yet.
        is_silent: It has been silent so long that nothing waits for it any more.
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
    """How far each producer of one service has shipped.

    Attributes:
        no_data_ms: As the closing aggregator has it.
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
        closed: Service to the end of its newest closed pane.
        account: ``None`` before the first aggregator ran, and when the server has no function library.
        store: What closed panes take; ``None`` before any was weighed.
        shard: The shard's tag.
        open_panes: Panes that wait to be closed.
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

    @property
    def watermark_age_ms(self) -> int | None:
        return None if self.watermark_ms is None else max(0, self.at_ms - self.watermark_ms)

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

    One that is silent for longer than ``no_data_ms`` is not waited for any more.
    """
    return end_ms - no_data_ms <= through_ms < end_ms


def known_backlog(
    last_delivered: EntryId, length: int, first_id: EntryId | None, last_id: EntryId | None
) -> Backlog | None:
    """Return the backlog where the ends of the stream tell it, or ``None`` when entries must be counted."""
    if length == 0 or first_id is None or last_id is None or last_delivered >= last_id:
        return Backlog(0, is_capped=False, oldest=None)
    if last_delivered < first_id:
        return Backlog(length, is_capped=False, oldest=first_id)
    return None


def group_lag_ms(at_ms: int, oldest_unread: EntryId | None, oldest_pending: EntryId | None) -> int:
    """Return the age of the oldest entry a group has still to finish; 0 when there is none."""
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
    """Read one producer's liveness; statistics that cannot be read count as none (they come from outside)."""
    try:
        parsed: object = json.loads(stats) if stats else {}
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
        sent=sent if isinstance(sent, int) else 0,
        drops=_counts(figures.get("dropped")),
        folded=_counts(figures.get("folded_by")),
        is_missing=closed_ms is not None and is_missing(through_ms, closed_ms, no_data_ms),
        is_silent=age_ms > no_data_ms,
        late=late,
        future=future,
        ahead_ms=ahead_ms,
    )


def _counts(table: object) -> dict[str, int]:
    """Return the whole numbers of a JSON object by their names."""
    by_name = cast("dict[str, object]", table) if isinstance(table, dict) else {}
    return {name: count for name, count in by_name.items() if isinstance(count, int)}
