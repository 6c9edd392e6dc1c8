"""How the pipeline does, in five lines: are figures whole, how far behind are they, who is at work. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field

from barograph_core.pipeline.status import GroupStatus, PipelineStatus
from barograph_core.workers.report import CONFIG_PROBLEM

StageName = Literal["producers", "aggregator", "alerter", "notifier"]
StageState = Literal["ok", "degraded", "down"]
_WORKERS: Final[tuple[StageName, ...]] = ("aggregator", "alerter", "notifier")
# Beyond this a stage is behind: events wait for it, and figures or alerts come late.
_BEHIND_MS: Final = 5_000


@dataclass(frozen=True, slots=True)
class StageRow:
    """One stage, over all shards. ``workers``: how many report, of producers how many do now."""

    stage: StageName
    state: StageState
    workers: int
    lag_ms: Annotated[int, Field(description="age of the oldest entry that it has still to finish")]


@dataclass(frozen=True, slots=True)
class ProducerCounts:
    """Producers that have not said goodbye. ``missing``: figures lack their newest events."""

    known: int
    missing: int


@dataclass(frozen=True, slots=True)
class PipelineSummary:
    """All shards together: every entry ever added is committed, pending, unread, dead or lost."""

    at_ms: int
    behind_ms: Annotated[int, Field(description="how far back the newest closed pane ends")]
    dropped: Annotated[int, Field(description="events that producers dropped since they started")]
    is_accounted: Annotated[bool, Field(description="whether the entries add up")]
    added: int
    committed: int
    pending: int
    unread: int
    dead: int
    lost: int
    producers: ProducerCounts
    stages: list[StageRow]
    config_problem: Annotated[
        str,
        Field(description="mistakes for which alerters refuse their changed configuration; empty: it is in force"),
    ] = ""


def pipeline_summary(
    statuses: Sequence[PipelineStatus], *, now_ms: int, service: str = "", closed_ms: int | None = None
) -> PipelineSummary:
    """Return the summary.

    Args:
        statuses: One for each shard.
        now_ms: The console's clock.
        service: Only its producers are counted; those of all services when empty.
        closed_ms: How far that service is closed; the oldest watermark counts when ``None``.
    """
    accounts = [status.account for status in statuses if status.account is not None]
    producers = [one for status in statuses for one in status.producers if service in ("", one.service)]
    counts = ProducerCounts(len(producers), sum(one.is_missing for one in producers))
    watermark_ages = [age for status in statuses if (age := status.watermark_age_ms) is not None]
    return PipelineSummary(
        at_ms=now_ms,
        behind_ms=max(watermark_ages, default=0) if closed_ms is None else max(0, now_ms - closed_ms),
        dropped=sum(sum(one.drops.values()) for one in producers),
        is_accounted=len(accounts) == len(statuses) and all(account.surplus == 0 for account in accounts),
        added=sum(account.added for account in accounts),
        committed=sum(account.committed for account in accounts),
        pending=sum(account.pending for account in accounts),
        unread=sum(account.unread for account in accounts),
        dead=sum(account.dead for account in accounts),
        lost=sum(account.lost for account in accounts),
        producers=counts,
        stages=[_producers(counts), *(_stage(name, statuses) for name in _WORKERS)],
        config_problem=_config_problem(statuses),
    )


def _config_problem(statuses: Iterable[PipelineStatus]) -> str:
    """Return why a worker that lives keeps the rules from before; several mostly have the same file."""
    workers = (worker for status in statuses for worker in status.workers if worker.is_alive)
    return next(filter(None, (worker.facts.get(CONFIG_PROBLEM, "") for worker in workers)), "")


def _producers(counts: ProducerCounts) -> StageRow:
    state: StageState = "down" if counts.missing == counts.known > 0 else "degraded" if counts.missing else "ok"
    return StageRow("producers", state, counts.known - counts.missing, 0)


def _stage(name: StageName, statuses: Iterable[PipelineStatus]) -> StageRow:
    workers = lag_ms = 0
    for status in statuses:
        workers += sum(worker.is_alive and worker.stage == name for worker in status.workers)
        lag_ms = max([lag_ms, *(group.lag_ms for group in _groups(name, status))])
    state: StageState = "down" if not workers else "degraded" if lag_ms > _BEHIND_MS else "ok"
    return StageRow(name, state, workers, lag_ms)


def _groups(name: StageName, status: PipelineStatus) -> list[GroupStatus]:
    """Return the consumer groups of a stage; the notifier has one for each channel."""
    return [group for stream in status.streams for group in stream.groups if group.name.partition(":")[0] == name]
