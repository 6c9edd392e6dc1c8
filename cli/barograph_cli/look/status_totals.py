"""The parts of ``barograph status`` that outlive processes: services, channels, and what does not close."""

from collections.abc import Iterable, Mapping, Sequence

from rich.console import RenderableType
from rich.markup import escape
from rich.text import Text

from barograph_cli.look.status_account import make_table
from barograph_core.pipeline.channels import ChannelStatus
from barograph_core.pipeline.closing import StuckClosing
from barograph_core.pipeline.probing.beats import Beat
from barograph_core.pipeline.services import ServiceTotals
from barograph_core.text.ages import format_age
from barograph_core.text.durations import format_duration
from barograph_core.text.timestamps import format_timestamp

_SHOWN = 20
# A notification that waits for longer than a channel's first retries is worth a look.
_OUTBOX_WARN_MS = 30_000


def render_stuck(stuck: Sequence[StuckClosing]) -> list[RenderableType]:
    """Return a sentence on each thing that does not close, none where all is well."""
    lines: list[RenderableType] = [
        Text.assemble((_what_stands(one), "bold red"), (f" for {format_age(one.for_ms)}: {one.reason}", "red"))
        for one in stuck[:_SHOWN]
    ]
    if len(stuck) > _SHOWN:
        lines.append(Text(f"and {len(stuck) - _SHOWN:,} more, which --json has all", "red"))
    return lines


def _what_stands(one: StuckClosing) -> str:
    at = format_timestamp(one.start_ms)
    if not one.service:
        return f"the watermark stands at {at}"
    if not one.step_ms:
        return f"{one.service} is closed through {at} only"
    panes = f"{one.panes:,} {'pane' if one.panes == 1 else 'panes'} of {format_duration(one.step_ms)}"
    return f"{one.service}: {panes} from {at} on do not close"


def render_services(services: Iterable[ServiceTotals]) -> list[RenderableType]:
    """Return the services of which something was dropped, refused or waits, as a table; none where there is none."""
    table = make_table(
        "Services", "service", "dropped", "late:r", "future:r", "refused twice:r", "shared names:r", "open revisions:r"
    )
    for one in services:
        counts = (one.late, one.future, one.duplicates, one.shared_names, one.open_revisions)
        if any(counts) or any(one.dropped.values()):
            dropped = _named(one.dropped)
            cells = [f"{count:,}" for count in counts]
            table.add_row(escape(one.service), Text(dropped or "-", "red" if dropped else ""), *cells)
    return [table] if table.row_count else []


def render_channels(channels: Sequence[ChannelStatus]) -> list[RenderableType]:
    """Return what waits for each channel and what became of its deliveries; none without a channel."""
    table = make_table(
        "Channels", "channel", "waiting:r", "alerts:r", "oldest:r", "sent:r", "retried:r", "suppressed:r", "given up:r"
    )
    for one in channels:
        dead = one.deliveries.get("dead", 0)
        table.add_row(
            escape(one.name),
            f"{one.waiting:,}{'+' if one.is_capped else ''}",
            f"{one.alerts:,}",
            Text(_age(one), "yellow" if one.oldest_ms > _OUTBOX_WARN_MS else ""),
            *(f"{one.deliveries.get(result, 0):,}" for result in ("sent", "retry", "suppressed")),
            Text(f"{dead:,}", "red" if dead else ""),
        )
    return [table] if channels else []


def render_heartbeats(heartbeats: Sequence[Beat], at_ms: int) -> list[RenderableType]:
    """Return when each heartbeat to an outside watch was sent last; none without one."""
    table = make_table("Heartbeats", "heartbeat", "every:r", "last sent:r", "sent:r", "not sent now")
    for one in heartbeats:
        age_ms = one.age_ms(at_ms)
        is_late = age_ms is None or age_ms > 2 * one.every_ms
        table.add_row(
            escape(one.name),
            format_duration(one.every_ms),
            Text("never" if age_ms is None else f"{format_age(age_ms)} ago", "bold red" if is_late else "green"),
            f"{one.sent:,}",
            Text(one.problem or "-", "red" if one.problem else ""),
        )
    return [table] if heartbeats else []


def _age(channel: ChannelStatus) -> str:
    return format_age(channel.oldest_ms) if channel.waiting else "-"


def _named(counts: Mapping[str, int]) -> str:
    return " ".join(f"{reason}={count:,}" for reason, count in counts.items() if count)
