"""Draws a service on the screen; whatever its size, the verdict stands at the top and the keys at the bottom. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from barograph_cli.top.feed import Look
from barograph_cli.top.rows import Alert, Endpoint, Model, Pipeline
from barograph_cli.top.state import ServiceState
from barograph_cli.top.verdict import SEVERITIES, STALE_MS, Verdict, in_order, label_words, title, verdict
from barograph_cli.top.words import MISSING, clock, milliseconds, per_minute, percent, plain, plural, span, sparkline

_STYLES: Final = {
    "critical": "bold white on red",
    "error": "bold red",
    "warning": "bold yellow",
    "info": "bold cyan",
    "ok": "bold green",
    "unknown": "bold",
}
_MARKS: Final = {"critical": "✖", "error": "✖", "warning": "▲", "info": "●", "ok": "✔", "unknown": "?"}
_STAGE_STYLES: Final = {"ok": "green", "degraded": "yellow", "down": "bold red"}
_PHASES: Final = {
    "live": ("● live", "green"),
    "reconnecting": ("○ reconnecting", "yellow"),
    "connecting": ("○ connecting", "yellow"),
}
_CALM_RATIO: Final = 0.05
_FIXED_LINES: Final = 13


@dataclass(slots=True)
class Choice:
    """What a person chose. ``alert_id``: empty for none; ``is_explained``: whether its condition is shown."""

    alert_id: str = ""
    is_explained: bool = False
    is_helped: bool = False

    def press(self, key: str, alerts: Sequence[str]) -> None:
        """Change the choice as ``key`` says; ``alerts``: those on the screen, from the top."""
        if key == "?":
            self.is_helped = not self.is_helped
        elif key == "escape":
            self.alert_id, self.is_explained, self.is_helped = "", False, False
        elif key == "enter":
            self.alert_id = self.alert_id or next(iter(alerts), "")
            self.is_explained = not self.is_explained
        elif key in ("up", "down") and alerts:
            at = alerts.index(self.alert_id) if self.alert_id in alerts else -1
            self.alert_id = alerts[max(0, min(len(alerts) - 1, at + (1 if key == "down" else -1)))]


def render(look: Look, choice: Choice, now_ms: int, width: int, height: int, *, is_live: bool = True) -> RenderableType:
    """Return the screen.

    Args:
        look: What is known.
        choice: What the person chose.
        now_ms: This machine's time.
        width: Columns of the terminal.
        height: Its lines.
        is_live: Whether the screen will be drawn again, so that the connection matters.
    """
    now_ms += look.ahead_ms
    told = verdict(look.state, now_ms)
    parts: list[RenderableType] = [_head(look, now_ms, width, is_live=is_live), _sentence(told)]
    if look.problem:
        parts.append(Text(look.problem, "yellow", overflow="fold"))
    if choice.is_helped:
        parts += [Text(), _help()]
    elif look.state is not None:
        is_stale = now_ms - look.state.closed_through_ms > STALE_MS
        wrapped = (len(told.lead) + len(told.rest) + 2) // width + (len(look.problem) + width - 1) // width
        room = height - _FIXED_LINES - wrapped
        parts += _body(look.state, choice, now_ms, width, room, is_stale=is_stale)
    return Group(*parts)


def keys_line(said: str = "") -> Text:
    """Return the keys and what they do, or what the last action came to."""
    if said:
        return Text(said, "bold", no_wrap=True, overflow="ellipsis")
    keys = (
        ("q", "quit"),
        ("↑↓", "choose"),
        ("⏎", "why"),
        ("a", "ack"),
        ("s", "silence"),
        ("tab", "next service"),
        ("?", "help"),
    )
    line = Text(no_wrap=True, overflow="ellipsis")
    for key, does in keys:
        line.append(key, "bold").append(f" {does}   ", "dim")
    return line


def _head(look: Look, now_ms: int, width: int, *, is_live: bool) -> Table:
    word, style = _PHASES[look.phase] if is_live else ("", "")
    head = Table.grid(expand=True)
    head.add_column(no_wrap=True, overflow="ellipsis")
    head.add_column(justify="right", no_wrap=True)
    name = Text.assemble(("barograph top  ", "dim"), (look.service or MISSING, "bold"))
    if len(look.services) > 1 and width >= 60:
        at = look.services.index(look.service) + 1 if look.service in look.services else 0
        name.append(f"  {at} of {len(look.services)}", "dim")
    head.add_row(name, Text.assemble((word, style), f"  {clock(now_ms)}"))
    return head


def _sentence(told: Verdict) -> Text:
    style = _STYLES.get(told.severity, "bold")
    return Text.assemble((f"{_MARKS.get(told.severity, '?')} {told.lead}", style), told.rest, overflow="fold")


def _body(
    state: ServiceState, choice: Choice, now_ms: int, width: int, room: int, *, is_stale: bool
) -> list[RenderableType]:
    alerts = in_order(state.alerts.values())
    shown = max(1, min(len(alerts), 4 if room < 20 else 8))
    models = state.models[: 3 if room < 20 else 8]
    endpoints = max(3, room - shown - len(models) - 4)
    parts: list[RenderableType] = [Text(), _figures(state, width), Text(), *_alerts(alerts, choice, now_ms, shown)]
    parts += [Text(), _endpoint_table(state.endpoints, endpoints, width)]
    if models:
        parts += [Text(), _model_table(models, width)]
    parts += [Text(), _pipeline_line(state.pipeline)]
    return [Text.assemble(part, style="dim") if is_stale and isinstance(part, Text) else part for part in parts]


def _figures(state: ServiceState, width: int) -> RenderableType:
    """Return the figures of the last minute, each with its course over the range."""
    minute = state.minute
    # A point that is not over yet has too few requests.
    whole = max(0, (state.closed_through_ms - state.from_ms) // state.step_ms)
    series = {name: values[:whole] for name, values in state.series.items()}
    cells = max(8, min(60, (width - 30) if width < 100 else 60))
    ratios = [_ratio(*pair) for pair in zip(series["errors"], series["requests"], strict=True)]
    rate = per_minute(minute.requests, minute.covered_ms)
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(justify="right", no_wrap=True, min_width=8)
    table.add_column(no_wrap=True)
    is_failing = (minute.error_ratio or 0.0) > _CALM_RATIO
    table.add_row("requests", Text(f"{rate:,}/min", "bold"), _spark(series["requests"], cells, "cyan"))
    table.add_row(
        "errors",
        Text(percent(minute.error_ratio), "bold red" if is_failing else "bold"),
        _spark(ratios, cells, "red", least=_CALM_RATIO),
    )
    p50, p99 = milliseconds(minute.p50_ms), milliseconds(minute.p99_ms)
    table.add_row("p95", Text(milliseconds(minute.p95_ms), "bold"), _spark(series["p95_ms"], cells, "magenta"))
    rest = f"p50 {p50}   p99 {p99}   apdex {plain(minute.apdex)}"
    return Group(table, Text(rest, "dim", no_wrap=True, overflow="ellipsis"))


def _ratio(errors: float | None, requests: float | None) -> float | None:
    return None if errors is None or not requests else errors / requests


def _spark(values: list[float | None], cells: int, style: str, *, least: float = 0.0) -> Text:
    return Text(sparkline(values[-cells:], least=least), style)


def _alerts(alerts: list[Alert], choice: Choice, now_ms: int, shown: int) -> list[RenderableType]:
    if not alerts:
        return [Text("no alert is pending or firing", "dim")]
    at = next((place for place, one in enumerate(alerts) if one.id == choice.alert_id), 0)
    first = max(0, min(at - shown // 2, len(alerts) - shown))
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(width=1, no_wrap=True)
    table.add_column(no_wrap=True, min_width=8)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column(justify="right", no_wrap=True)
    for alert in alerts[first : first + shown]:
        is_chosen = alert.id == choice.alert_id
        is_calm = alert.standing != "firing"
        severity = Text(
            f"{_MARKS.get(alert.severity, '?')} {alert.severity}", "dim" if is_calm else _STYLES.get(alert.severity, "")
        )
        state = f"{alert.standing} {span(now_ms - alert.begun_ms)}" + (f", {alert.acked_by}" if alert.acked_by else "")
        name = Text(title(alert), "dim" if is_calm and not is_chosen else "")
        table.add_row(
            Text(">" if is_chosen else "", "bold"),
            severity,
            name,
            Text(state, "dim"),
            style="reverse" if is_chosen else "",
        )
    parts: list[RenderableType] = [table]
    if len(alerts) > shown:
        parts.append(Text(f"  {plural(len(alerts), 'alert')} in all", "dim"))
    if choice.is_explained and choice.alert_id:
        parts.append(_why(alerts[at]))
    return parts


def _why(alert: Alert) -> Text:
    """Return the rule, the condition with its values, and who contributes."""
    text = Text("  ", overflow="fold").append(alert.rule, "bold")
    text.append(f"  {alert.why or 'its condition is not known'}; since {clock(alert.begun_ms)}")
    for part in alert.parts[:3]:
        text.append(f"; {part.share_ratio:.0%} ".replace("%", " %") + f"from {label_words(part.labels)}", "dim")
    return text


def _endpoint_table(endpoints: list[Endpoint], shown: int, width: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
    table.add_column(f"endpoints, {len(endpoints)}", ratio=1, no_wrap=True, overflow="ellipsis")
    for name in ("req", "errors", "p50", "p95", "p99") if width >= 60 else ("req", "errors", "p95"):
        table.add_column(name, justify="right", no_wrap=True, min_width=7)
    for one in endpoints[:shown]:
        errors = Text(percent(one.error_ratio), "bold red" if (one.error_ratio or 0.0) > _CALM_RATIO else "")
        slow = milliseconds(one.p95_ms)
        cells = (milliseconds(one.p50_ms), slow, milliseconds(one.p99_ms)) if width >= 60 else (slow,)
        table.add_row(one.name, f"{one.requests:,}", errors, *cells)
    if not endpoints:
        table.add_row(Text("no request in the last minute", "dim"))
    return table


def _model_table(models: list[Model], width: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
    table.add_column("models", ratio=1, no_wrap=True, overflow="ellipsis")
    wide = width >= 60
    for name in ("share", "errors", "MAE", "confidence", "p95") if wide else ("share", "MAE"):
        table.add_column(name, justify="right", no_wrap=True, min_width=7)
    for one in models:
        share = MISSING if one.share_ratio is None else f"{one.share_ratio * 100:.0f} %"
        cells = (percent(one.error_ratio), plain(one.mae), plain(one.confidence), milliseconds(one.p95_ms))
        table.add_row(one.name, share, *(cells if wide else (plain(one.mae),)))
    return table


def _pipeline_line(pipeline: Pipeline) -> Text:
    line = Text("pipeline  ", "dim", no_wrap=True, overflow="ellipsis")
    for stage in pipeline.stages:
        line.append(f"{stage.name} {stage.workers} ", _STAGE_STYLES.get(stage.state, ""))
    line.append(f" {milliseconds(pipeline.behind_ms)} behind")
    if pipeline.dropped:
        line.append(f"  {plural(pipeline.dropped, 'event')} dropped", "yellow")
    if pipeline.dead or pipeline.lost:
        line.append(f"  {pipeline.dead:,} dead, {pipeline.lost:,} lost", "yellow")
    if not pipeline.is_accounted:
        line.append("  the account is not known", "yellow")
    return line


def _help() -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    rows = (
        ("↑ ↓", "choose an alert"),
        ("Enter", "why it fires: its condition with its values"),
        ("a", "acknowledge the alert, or take that back"),
        ("s", "silence the alert for an hour, or end the silence that was made here"),
        ("Tab", "the next service; Shift-Tab the one before"),
        ("Esc", "nothing chosen"),
        ("q", "quit"),
    )
    for row in rows:
        table.add_row(*row)
    table.add_row("", Text(f"Severities: {', '.join(SEVERITIES)}. Figures are of the last closed minute.", "dim"))
    return table
