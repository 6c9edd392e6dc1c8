"""The pipeline's own figures as samples with names, units and meanings, for ``/metrics``. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from barograph_core.pipeline.status import PipelineStatus, StreamStatus, WorkerStatus
from barograph_core.workers.counters import DISTRIBUTIONS, METRICS, QUANTILES

Kind = Literal["counter", "gauge", "summary"]


@dataclass(frozen=True, slots=True)
class Family:
    """Samples of one name.

    Attributes:
        name: A name in Prometheus' style: base units, ``_total`` for a counter.
    """

    name: str
    kind: Kind
    meaning: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One figure. ``suffix`` is ``_sum`` or ``_count`` of a summary."""

    family: Family
    labels: Mapping[str, str]
    value: float
    suffix: str = ""


def _family(name: str, kind: Kind, meaning: str) -> Family:
    return Family(f"barograph_{name}", kind, meaning)


ADDED: Final = _family("entries_added_total", "counter", "entries ever added to the events stream")
COMMITTED: Final = _family("entries_committed_total", "counter", "entries whose effect on panes is durable")
DEAD: Final = _family("entries_dead_total", "counter", "entries moved to the dead-letter stream by aggregators")
LOST: Final = _family(
    "entries_lost_total", "counter", "entries trimmed, deleted or flushed before they were finished; alert on any"
)
LOST_EVENTS: Final = _family(
    "events_lost_total", "counter", "events of the lost entries that barograph itself trimmed; unknown for others"
)
DEAD_EVENTS: Final = _family(
    "events_dead_total", "counter", "events of the dead-lettered entries that say how many they hold"
)
PENDING: Final = _family("entries_pending", "gauge", "entries handed to an aggregator and not finished")
UNREAD: Final = _family("entries_unread", "gauge", "entries no aggregator has read yet")
LAG: Final = _family("lag_seconds", "gauge", "age of the oldest event entry that is unread or pending")
WATERMARK_AGE: Final = _family("watermark_age_seconds", "gauge", "how far the watermark is behind the server's clock")
STREAM_LENGTH: Final = _family("stream_entries", "gauge", "entries on a stream")
STREAM_BYTES: Final = _family("stream_bytes", "gauge", "memory of a stream on the server, within some percent")
GROUP_UNREAD: Final = _family("group_unread_entries", "gauge", "entries a group has not read, up to a bound")
GROUP_PENDING: Final = _family("group_pending_entries", "gauge", "entries handed out in a group and not finished")
GROUP_LAG: Final = _family("group_lag_seconds", "gauge", "age of the oldest entry that a group has not finished")
STORE_BYTES: Final = _family("store_bytes", "gauge", "memory of closed panes by step")
STORE_BLOCKS: Final = _family("store_blocks", "gauge", "keys of closed panes by step")
STORE_BOUND: Final = _family("store_bound_bytes", "gauge", "the bound on closed panes of all steps; 0 is none")
STORE_DROPPED: Final = _family(
    "store_dropped_blocks_total", "counter", "blocks of closed panes dropped to keep the store within its bound"
)
WORKERS: Final = _family("workers", "gauge", "workers that have reported within ten seconds")
PRODUCERS: Final = _family("producers", "gauge", "producers by service and state")
PRODUCER_DROPPED: Final = _family("producer_dropped_events_total", "counter", "events a producer dropped, by reason")
SERVICE_DROPPED: Final = _family(
    "service_dropped_events_total", "counter", "events a service's producers dropped, by reason; outlives the producers"
)
SERVICE_LATE: Final = _family("service_late_events_total", "counter", "events of a service that came too late to count")
SERVICE_FUTURE: Final = _family(
    "service_future_events_total", "counter", "events of a service too far in the future to count"
)
SERVICE_DUPLICATES: Final = _family(
    "service_duplicate_batches_total", "counter", "batches that were offered again although they were here, and refused"
)
SERVICE_SHARED_NAMES: Final = _family(
    "service_shared_names_total", "counter", "times that another process sent under the name of a producer"
)
SERVICE_REVISIONS: Final = _family(
    "service_open_revisions", "gauge", "closed panes with late events that wait to be closed again"
)
OPEN_PANES: Final = _family("open_panes", "gauge", "panes that wait to be closed")
STUCK: Final = _family("stuck_closings", "gauge", "services and steps of which nothing closes any more; alert on any")
OUTBOX_SIZE: Final = _family("outbox_notifications", "gauge", "notifications that wait for a channel")
OUTBOX_AGE: Final = _family("outbox_age_seconds", "gauge", "age of the oldest notification that waits for a channel")
DELIVERIES: Final = _family(
    "deliveries_total", "counter", "attempts of a channel by result, and notifications that it was spared"
)
HEARTBEATS_SENT: Final = _family(
    "heartbeats_sent_total", "counter", "heartbeats to an outside watch, each after a probe went through every stage"
)
HEARTBEAT_AGE: Final = _family("heartbeat_age_seconds", "gauge", "time since a heartbeat was sent to an outside watch")
PRODUCER_LATE: Final = _family("producer_late_events_total", "counter", "events that came too late to count")
PRODUCER_FUTURE: Final = _family("producer_future_events_total", "counter", "events too far in the future to count")
WORKER_COUNTERS: Final = {
    name: _family(f"worker_{name}_total", "counter", meaning) for name, meaning in METRICS.items()
}
WORKER_SUMMARIES: Final = {
    name: _family(f"worker_{name.replace('_ms', '_seconds')}", "summary", meaning)
    for name, meaning in DISTRIBUTIONS.items()
}


def samples(status: PipelineStatus) -> Iterator[Sample]:
    """Yield every figure of one shard, labelled with its tag."""
    labels = {"shard": status.shard}
    yield from _account(status, labels)
    if status.watermark_age_ms is not None:
        yield Sample(WATERMARK_AGE, labels, status.watermark_age_ms / 1_000)
        yield Sample(OPEN_PANES, labels, status.open_panes)
        yield Sample(STUCK, labels, len(status.stuck))
    for stream in status.streams:
        yield from _stream(stream, labels)
    yield from _services(status, labels)
    yield from _channels(status, labels)
    yield from _heartbeats(status, labels)
    yield from _store(status, labels)
    yield from _workers(status, labels)
    yield from _producers(status, labels)


def _account(status: PipelineStatus, labels: Mapping[str, str]) -> Iterator[Sample]:
    group = status.events_group
    if group is not None:
        yield Sample(LAG, labels, group.lag_ms / 1_000)
    account = status.account
    if account is None:
        return
    yield Sample(ADDED, labels, account.added)
    yield Sample(COMMITTED, labels, account.committed)
    yield Sample(DEAD, labels, account.dead)
    yield Sample(LOST, labels, account.lost)
    yield Sample(LOST_EVENTS, labels, account.lost_events)
    yield Sample(DEAD_EVENTS, labels, account.dead_events)
    yield Sample(PENDING, labels, account.pending)
    yield Sample(UNREAD, labels, account.unread)


def _stream(stream: StreamStatus, labels: Mapping[str, str]) -> Iterator[Sample]:
    named = {**labels, "stream": stream.name}
    yield Sample(STREAM_LENGTH, named, stream.length)
    if stream.memory_bytes is not None:
        yield Sample(STREAM_BYTES, named, stream.memory_bytes)
    for group in stream.groups:
        in_group = {**named, "group": group.name}
        yield Sample(GROUP_UNREAD, in_group, group.unread)
        yield Sample(GROUP_PENDING, in_group, group.pending)
        yield Sample(GROUP_LAG, in_group, group.lag_ms / 1_000)


def _services(status: PipelineStatus, labels: Mapping[str, str]) -> Iterator[Sample]:
    for service in status.services:
        named = {**labels, "service": service.service}
        for reason, count in service.dropped.items():
            yield Sample(SERVICE_DROPPED, {**named, "reason": reason}, count)
        yield Sample(SERVICE_LATE, named, service.late)
        yield Sample(SERVICE_FUTURE, named, service.future)
        yield Sample(SERVICE_DUPLICATES, named, service.duplicates)
        yield Sample(SERVICE_SHARED_NAMES, named, service.shared_names)
        yield Sample(SERVICE_REVISIONS, named, service.open_revisions)


def _channels(status: PipelineStatus, labels: Mapping[str, str]) -> Iterator[Sample]:
    for channel in status.channels:
        named = {**labels, "channel": channel.name}
        yield Sample(OUTBOX_SIZE, named, channel.waiting)
        yield Sample(OUTBOX_AGE, named, channel.oldest_ms / 1_000)
        for result, count in channel.deliveries.items():
            yield Sample(DELIVERIES, {**named, "result": result}, count)


def _heartbeats(status: PipelineStatus, labels: Mapping[str, str]) -> Iterator[Sample]:
    for one in status.heartbeats:
        named = {**labels, "heartbeat": one.name}
        yield Sample(HEARTBEATS_SENT, named, one.sent)
        age_ms = one.age_ms(status.at_ms)
        if age_ms is not None:
            yield Sample(HEARTBEAT_AGE, named, age_ms / 1_000)


def _store(status: PipelineStatus, labels: Mapping[str, str]) -> Iterator[Sample]:
    if status.store is None:
        return
    yield Sample(STORE_BOUND, labels, status.store.bound_bytes)
    for step in status.store.steps:
        of_step = {**labels, "step_ms": str(step.step_ms)}
        yield Sample(STORE_BYTES, of_step, step.bytes)
        yield Sample(STORE_BLOCKS, of_step, step.blocks)
        yield Sample(STORE_DROPPED, of_step, step.dropped_blocks)


def _workers(status: PipelineStatus, labels: Mapping[str, str]) -> Iterator[Sample]:
    for stage in sorted({worker.stage for worker in status.workers}):
        alive = sum(worker.is_alive for worker in status.workers if worker.stage == stage)
        yield Sample(WORKERS, {**labels, "stage": stage}, alive)
    for worker in status.workers:
        named = {**labels, "stage": worker.stage, "worker": worker.name}
        for name, family in WORKER_COUNTERS.items():
            if name in worker.facts:
                yield Sample(family, named, number(worker, name))
        for summary, family in WORKER_SUMMARIES.items():
            if f"{summary}_count" in worker.facts:
                yield from _summary(worker, summary, family, named)


def _summary(worker: WorkerStatus, name: str, family: Family, labels: Mapping[str, str]) -> Iterator[Sample]:
    parts = 1_000 if name.endswith("_ms") else 1
    for what, quantile in QUANTILES.items():
        yield Sample(family, {**labels, "quantile": f"{quantile:g}"}, number(worker, f"{name}_{what}") / parts)
    yield Sample(family, labels, number(worker, f"{name}_sum") / parts, "_sum")
    yield Sample(family, labels, number(worker, f"{name}_count"), "_count")


def number(worker: WorkerStatus, name: str) -> float:
    """Return a figure of a worker, 0 where it reports none that can be read."""
    try:
        return float(worker.facts.get(name, "0"))
    except ValueError:
        return 0.0


def _producers(status: PipelineStatus, labels: Mapping[str, str]) -> Iterator[Sample]:
    states: dict[tuple[str, str], int] = {}
    for producer in status.producers:
        state = "silent" if producer.is_silent else "missing" if producer.is_missing else "live"
        states[producer.service, state] = states.get((producer.service, state), 0) + 1
        named = {**labels, "service": producer.service, "instance": producer.instance}
        for reason, count in producer.drops.items():
            yield Sample(PRODUCER_DROPPED, {**named, "reason": reason}, count)
        if producer.late:
            yield Sample(PRODUCER_LATE, named, producer.late)
        if producer.future:
            yield Sample(PRODUCER_FUTURE, named, producer.future)
    for (service, state), count in states.items():
        yield Sample(PRODUCERS, {**labels, "service": service, "state": state}, count)
