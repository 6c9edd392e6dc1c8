"""The tables of ``barograph status``."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from barograph_cli.ages import format_age
from barograph_core.pipeline_status import GroupStatus, PipelineStatus, ProducerStatus, StreamStatus, WorkerStatus
from barograph_core.self_metrics import METRICS

# A backlog or silence past these is worth a look.
_LAG_WARN_MS = 5_000
_QUIET_WARN_MS = 5_000
_SHOWN_FACTS = 6


def render_shard(tag: str, open_panes: int, status: PipelineStatus) -> RenderableType:
    """Return one shard's status as tables under one line of totals."""
    watermark = "no aggregator has run" if status.watermark_age_ms is None else format_age(status.watermark_age_ms)
    dead_style = "bold red" if status.dead_letters else "green"
    head = Text.assemble(
        ("shard ", "dim"), (tag, "bold"),
        ("   watermark age ", "dim"), watermark,
        ("   open panes ", "dim"), str(open_panes),
        ("   dead letters ", "dim"), (str(status.dead_letters), dead_style),
    )  # fmt: skip
    return Group(head, _streams(status.streams), _workers(status.workers), _producers(status.producers))


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        name, _, align = column.partition(":")
        table.add_column(name, justify="right" if align else "left", header_style="dim", no_wrap=True)
    return table


def _streams(streams: Iterable[StreamStatus]) -> Table:
    table = _table(
        "Streams", "stream", "length:r", "group", "unread:r", "pending:r", "consumers:r", "oldest unread or pending:r"
    )
    for stream in streams:
        groups: tuple[GroupStatus | None, ...] = stream.groups or (None,)
        for position, group in enumerate(groups):
            left = (stream.name, f"{stream.length:,}") if position == 0 else ("", "")
            table.add_row(*left, *(_group_cells(group) if group is not None else ("",) * 5))
    return table


def _group_cells(group: GroupStatus) -> tuple[str | Text, ...]:
    style = "yellow" if group.lag_ms > _LAG_WARN_MS else ""
    return (
        group.name,
        f"{group.unread:,}{'+' if group.is_capped else ''}",
        f"{group.pending:,}",
        str(len(group.consumers)),
        Text(format_age(group.lag_ms) if group.lag_ms else "-", style),
    )


def _workers(workers: Iterable[WorkerStatus]) -> Table:
    table = _table("Workers", "stage", "worker", "state", "last sign:r", "counted")
    for worker in sorted(workers, key=lambda worker: (worker.stage, worker.name)):
        state = Text("alive", "green") if worker.is_alive else Text("gone", "dim")
        facts = [f"{name}={value}" for name, value in worker.facts.items() if name in METRICS and value != "0"]
        counted = Text(" ".join(facts[:_SHOWN_FACTS]), "dim", overflow="ellipsis", no_wrap=True)
        table.add_row(worker.stage, escape(worker.name), state, format_age(worker.age_ms), counted)
    return table


def _producers(producers: Iterable[ProducerStatus]) -> Table:
    table = _table(
        "Producers", "service", "instance", "shipped through:r", "sent:r", "dropped", "too many values", "state"
    )
    for producer in producers:
        drops = " ".join(f"{reason}={count:,}" for reason, count in producer.drops.items() if count)
        folded = " ".join(f"{label}={count:,}" for label, count in producer.folded.items() if count)
        table.add_row(
            producer.service,
            escape(producer.instance),
            Text(
                f"{format_age(producer.through_age_ms)} ago",
                "yellow" if producer.through_age_ms > _QUIET_WARN_MS else "",
            ),
            f"{producer.sent:,}",
            Text(drops or "-", "red" if drops else ""),
            Text(folded or "-", "yellow" if folded else ""),
            _producer_state(producer),
        )
    return table


def _producer_state(producer: ProducerStatus) -> Text:
    if producer.is_silent:
        return Text("silent", "dim")
    return Text("missing", "bold red") if producer.is_missing else Text("live", "green")
