"""The parts of ``barograph status`` on lost entries and memory: the account of the events stream, and the store."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from barograph_core.pipeline.account import EventsAccount
from barograph_core.store.usage import ServiceUsage, StepUsage, StoreUsage
from barograph_core.text.ages import format_age
from barograph_core.text.durations import format_duration
from barograph_core.text.sizes import format_size

_SHOWN_SERVICES = 50


def make_table(title: str, *columns: str) -> Table:
    """Return an empty table; a column ``name:r`` is aligned to the right."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        name, _, align = column.partition(":")
        table.add_column(name, justify="right" if align else "left", header_style="dim", no_wrap=True)
    return table


def render_account(account: EventsAccount | None) -> RenderableType:
    """Return the sum of all entries of the events stream by state, and a sentence on each loss."""
    if account is None:
        return Text("entries: no aggregator has read any", "dim")
    unread = f"{account.unread:,}{'' if account.is_counted else ' or lost'}"
    line = Text.assemble(
        ("entries: ", "dim"), f"{account.added:,} added = {account.committed:,} committed + {account.dead:,} dead + ",
        (f"{account.lost:,} lost", "bold red" if account.lost else ""),
        f" + {account.pending:,} pending + {unread} unread",
    )  # fmt: skip
    notes = [line]
    if account.dead_counted:
        notes.append(Text(f"dead: {_entries(account.dead_counted)} with {account.dead_events:,} events", "red"))
    if account.lost_counted:
        loss = f"lost: {_entries(account.lost_counted)} with {account.lost_events:,} events, when [aggregator] "
        notes.append(Text(f"{loss}keep_events_bytes left no room for them", "red"))
    if account.lost_uncounted:
        loss = f"lost: {_entries(account.lost_uncounted)} that somebody else trimmed, deleted or flushed; "
        notes.append(Text(f"{loss}the number of their events is unknown", "red"))
    if account.surplus:
        notes.append(Text(f"{_entries(account.surplus)} finished twice: the group was set back", "red"))
    return Group(*notes)


def _entries(count: int) -> str:
    return f"{count:,} {'entry' if count == 1 else 'entries'}"


def render_store(store: StoreUsage | None, at_ms: int) -> RenderableType:
    """Return the memory of closed panes by step; ``at_ms`` is the server's clock."""
    if store is None:
        return Text("closed panes: none weighed yet", "dim")
    bound = f" of {format_size(store.bound_bytes)}" if store.bound_bytes else ""
    style = "bold red" if 0 < store.bound_bytes < store.bytes else ""
    table = make_table("", "step:r", "memory:r", "blocks:r", "dropped to make room:r", "all kept since")
    for step in store.steps:
        table.add_row(
            format_duration(step.step_ms),
            format_size(step.bytes),
            f"{step.blocks:,}",
            Text(_dropped(step), "yellow" if step.dropped_blocks else ""),
            f"{format_age(max(0, at_ms - step.kept_from_ms))} ago" if step.kept_from_ms else "-",
        )
    table.title = None
    return Group(Text.assemble(("closed panes: ", "dim"), (f"{format_size(store.bytes)}{bound}", style)), table)


def _dropped(step: StepUsage) -> str:
    return f"{step.dropped_blocks:,} ({format_size(step.dropped_bytes)})" if step.dropped_blocks else "-"


def render_usage(tag: str, usage: Sequence[ServiceUsage]) -> RenderableType:
    """Return the memory of each service at each step, the largest first."""
    table = make_table(f"Shard {tag}", "service", "step:r", "memory:r", "blocks:r", "series:r", "a series:r")
    for row in usage[:_SHOWN_SERVICES]:
        table.add_row(
            escape(row.service),
            format_duration(row.step_ms),
            format_size(row.bytes),
            f"{row.blocks:,}",
            f"{row.series:,}",
            "-" if row.bytes_per_series is None else format_size(row.bytes_per_series),
        )
    if len(usage) > _SHOWN_SERVICES:
        table.caption = f"{len(usage) - _SHOWN_SERVICES:,} smaller ones are left off; --json has them all"
    return table
