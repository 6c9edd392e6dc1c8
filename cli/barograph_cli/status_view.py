"""The tables of ``barograph status``."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from barograph_cli.ages import format_age
from barograph_cli.status_books import make_table, render_account, render_store
from barograph_core.pipeline_status import GroupStatus, PipelineStatus, ProducerStatus, StreamStatus, WorkerStatus
from barograph_core.self_metrics import DISTRIBUTIONS, METRICS, QUANTILES
from barograph_core.sizes import format_size

# A backlog or silence past these is worth a look.
_LAG_WARN_MS = 5_000
_QUIET_WARN_MS = 5_000
# Less is rounding and delay.
_AHEAD_WARN_MS = 1_000
_SHOWN_FACTS = 8
_COUNTED_WIDTH = 76
# What is slow or lost tells more than how much was done.
_SHOWN = (*(f"{name}_{quantile}" for name in DISTRIBUTIONS for quantile in QUANTILES), *METRICS)


def render_shard(status: PipelineStatus) -> RenderableType:
    """Return one shard's status as tables under one line of totals."""
    watermark = "no aggregator has run" if status.watermark_age_ms is None else format_age(status.watermark_age_ms)
    dead_style = "bold red" if status.dead_letters else "green"
    head = Text.assemble(
        ("shard ", "dim"), (status.shard, "bold"),
        ("   watermark age ", "dim"), watermark,
        ("   open panes ", "dim"), str(status.open_panes),
        ("   dead letters ", "dim"), (str(status.dead_letters), dead_style),
    )  # fmt: skip
    return Group(
        head,
        render_account(status.account),
        _streams(status.streams),
        render_store(status.store, status.at_ms),
        _workers(status.workers),
        _producers(status.producers),
    )


def _streams(streams: Iterable[StreamStatus]) -> Table:
    table = make_table(
        "Streams",
        "stream",
        "length:r",
        "memory:r",
        "group",
        "unread:r",
        "pending:r",
        "consumers:r",
        "oldest unread or pending:r",
    )
    for stream in streams:
        groups: tuple[GroupStatus | None, ...] = stream.groups or (None,)
        for position, group in enumerate(groups):
            memory = "" if stream.memory_bytes is None else format_size(stream.memory_bytes)
            left = (stream.name, f"{stream.length:,}", memory) if position == 0 else ("", "", "")
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
    table = make_table("Workers", "stage", "worker", "state", "last sign:r", "counted")
    # The other columns say who it is: they must not give way to this one.
    table.columns[-1].max_width = _COUNTED_WIDTH
    for worker in sorted(workers, key=lambda worker: (worker.stage, worker.name)):
        state = Text("alive", "green") if worker.is_alive else Text("gone", "dim")
        facts = [f"{name}={worker.facts[name]}" for name in _SHOWN if worker.facts.get(name, "0") != "0"]
        counted = Text(" ".join(facts[:_SHOWN_FACTS]), "dim", overflow="ellipsis", no_wrap=True)
        table.add_row(worker.stage, escape(worker.name), state, format_age(worker.age_ms), counted)
    return table


def _producers(producers: Iterable[ProducerStatus]) -> Table:
    table = make_table(
        "Producers",
        "service",
        "instance",
        "shipped through:r",
        "sent:r",
        "dropped",
        "too many values",
        "off time",
        "state",
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
            Text(_off_time(producer) or "-", "yellow"),
            _producer_state(producer),
        )
    return table


def _off_time(producer: ProducerStatus) -> str:
    """Name the events that came too late or too far ahead of the server's clock to count, and a clock that is ahead."""
    found = {"late": producer.late, "future": producer.future}
    told = [f"{name}={count:,}" for name, count in found.items() if count]
    if producer.ahead_ms > _AHEAD_WARN_MS:
        told.append(f"ahead by {format_age(producer.ahead_ms)}")
    return " ".join(told)


def _producer_state(producer: ProducerStatus) -> Text:
    if producer.is_silent:
        return Text("silent", "dim")
    return Text("missing", "bold red") if producer.is_missing else Text("live", "green")
