"""The tables of ``barograph status``."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from barograph_cli.look.status_account import make_table, render_account, render_store
from barograph_cli.look.status_totals import render_channels, render_heartbeats, render_services, render_stuck
from barograph_core.pipeline.status import GroupStatus, PipelineStatus, ProducerStatus, StreamStatus, WorkerStatus
from barograph_core.server.memory import ServerMemory
from barograph_core.text.ages import format_age
from barograph_core.text.one_line import one_line
from barograph_core.text.sizes import format_size
from barograph_core.workers.counters import DISTRIBUTIONS, METRICS, QUANTILES
from barograph_core.workers.report import CONFIG_PROBLEM

# A backlog or silence past these is worth a look.
_LAG_WARN_MS = 5_000
_QUIET_WARN_MS = 5_000
# Less is rounding and delay.
_AHEAD_WARN_MS = 1_000
# Producers whose clocks differ by more put events into the panes of another time.
_CLOCK_WARN_MS = 200
_SHOWN_FACTS = 8
_COUNTED_WIDTH = 76
# Slow and lost work is more important than the amount of work.
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
        *_server_memory(status.server_memory),
        *_ids_ahead(status.ids_ahead_ms),
        *_config_problems(status.workers),
        *render_stuck(status.stuck),
        _streams(status.streams),
        render_store(status.store, status.at_ms),
        *render_channels(status.channels),
        *render_heartbeats(status.heartbeats, status.at_ms),
        _workers(status.workers),
        *render_services(status.services),
        _producers(status.producers),
    )


def _ids_ahead(ahead_ms: int) -> list[Text]:
    if ahead_ms <= _AHEAD_WARN_MS:
        return []
    cause = "the server's clock was ahead, or somebody appended an entry from the future"
    return [Text(f"newest entry id ahead of the server's clock by {format_age(ahead_ms)}: {cause}", "bold red")]


def _config_problems(workers: Iterable[WorkerStatus]) -> list[Text]:
    """Return a sentence for each worker that refuses its changed configuration file."""
    refused = [(one, one.facts.get(CONFIG_PROBLEM, "")) for one in workers if one.is_alive]
    words = "keeps the rules from before, its file is refused"
    return [Text(f"{one.stage} {one.name} {words}: {one_line(text)}", "bold red") for one, text in refused if text]


def _server_memory(memory: ServerMemory | None) -> list[Text]:
    """Return a sentence on a server that drops keys, and none on any other."""
    if memory is None or not memory.can_evict:
        return []
    bound = f"maxmemory-policy is {memory.policy} with a bound of {format_size(memory.bound_bytes)}"
    effect = "a full server drops keys, and figures are wrong, uncounted; set it to noeviction"
    return [Text(f"{bound}: {effect}", "bold red")]


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
        escape(group.name),
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
        table.add_row(escape(worker.stage), escape(worker.name), state, format_age(worker.age_ms), counted)
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
            escape(producer.service),
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
    counts = [f"{name}={count:,}" for name, count in found.items() if count]
    if abs(producer.ahead_ms) > _CLOCK_WARN_MS:
        counts.append(f"clock {'ahead' if producer.ahead_ms > 0 else 'behind'} by {abs(producer.ahead_ms):,} ms")
    return " ".join(counts)


def _producer_state(producer: ProducerStatus) -> Text:
    if producer.is_silent:
        return Text("silent", "dim")
    return Text("missing", "bold red") if producer.is_missing else Text("live", "green")
