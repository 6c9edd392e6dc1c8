"""Shows the demo: on a screen where a person watches, as plain lines in a pipe."""

import sys
from collections.abc import Sequence
from typing import Final, Protocol, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from barograph_cli.demo.show.numbers import EndpointFigures, ModelFigures
from barograph_cli.demo.show.scene import Scene
from barograph_cli.demo.show.timeline import Phase
from barograph_core.text.ages import format_time

_REFRESH_PER_S: Final = 4
_PLAIN_FIGURES_EVERY_MS: Final = 5_000
_SHOWN_NEWS: Final = 14
_PHASES: Final[dict[Phase, tuple[str, str]]] = {
    "healthy": ("bold green", "all is well"),
    "incident": (
        "bold white on red",
        "a new model version makes most predictions: slow, failing or wrong",
    ),
    "recovery": ("bold cyan", "the version is rolled back; the windows have to empty"),
}
_NEWS_STYLES: Final = {
    "RELEASE": "bold yellow",
    "ROLLBACK": "bold cyan",
    "FIRING": "bold red",
    "DELIVERED": "magenta",
    "RESOLVED": "bold green",
    "NOT": "yellow",
}


class View(Protocol):
    """Shows a run."""

    def __enter__(self) -> "View": ...

    def __exit__(self, *_: object) -> None: ...

    def show(self, scene: Scene) -> None:
        """Show the scene as it is now. Called several times a second."""
        ...

    def note(self, scene: Scene, text: str, at_ms: int) -> None:
        """Show one line and keep it in the scene."""
        ...


def change_text(scene: Scene, text: str, at_ms: int) -> str:
    """Return ``text`` behind the time of day and the seconds since the load began."""
    return f"{format_time(at_ms)}  {(at_ms - scene.started_ms) / 1_000:+7.2f} s  {text}"


class PlainView:
    """Prints lines of text: changes as they come, the figures every five seconds."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._next_ms = 0.0
        self._has_hinted = False

    def __enter__(self) -> "PlainView":
        return self

    def __exit__(self, *_: object) -> None: ...

    def show(self, scene: Scene) -> None:
        if not self._has_hinted:
            self._has_hinted = True
            for hint in scene.hints:
                self._print(f"{hint.label:<18}{hint.text}")
        if scene.elapsed_ms < self._next_ms or not scene.figures.endpoints:
            return
        self._next_ms = scene.elapsed_ms + _PLAIN_FIGURES_EVERY_MS
        for endpoint in scene.figures.endpoints:
            self._print(f"  {endpoint_line(endpoint)}")
        for model in scene.figures.models:
            self._print(f"  model {model.model} {model.version}  MAE {_figure(model.mean_absolute_error)} l/s")

    def note(self, scene: Scene, text: str, at_ms: int) -> None:
        line = change_text(scene, text, at_ms)
        scene.changes.append(line)
        self._print(line)

    def _print(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


class LiveView:
    """One screen that is redrawn four times a second; the last one stays."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=_REFRESH_PER_S, auto_refresh=False, transient=False)

    def __enter__(self) -> "LiveView":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, scene: Scene) -> None:
        self._live.update(render(scene, self._live.console.height), refresh=True)

    def note(self, scene: Scene, text: str, at_ms: int) -> None:
        scene.changes.append(change_text(scene, text, at_ms))
        self.show(scene)


def render(scene: Scene, height: int) -> RenderableType:
    """Return the screen; on a low terminal the oldest changes go first."""
    style, explanation = _PHASES[scene.phase]
    head = Text.assemble(
        ("barograph demo", "bold"), f"  {scene.elapsed_ms / 1_000:5.0f} s  ",
        (f" {scene.phase.upper()} ", style), f"  {explanation}",
        (f"   {scene.figures.requests_per_s:.0f} requests/s", "dim"),
    )  # fmt: skip
    endpoints, models = _endpoints(scene.figures.endpoints), _models(scene.figures.models)
    hints = _hints(scene)
    used = len(scene.figures.endpoints) + len(scene.figures.models) + len(scene.hints) + 8
    newest = scene.changes[-max(3, min(_SHOWN_NEWS, height - used)) :]
    news = Text("\n").join(_styled_news(line) for line in newest) if newest else Text("no alert so far", "dim")
    news.no_wrap, news.overflow = True, "ellipsis"
    return Group(head, Text(), endpoints, models, Text(), news, Text(), hints)


def _endpoints(endpoints: Sequence[EndpointFigures]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("endpoint, last 10 s", "req/s", "errors", "p50 ms", "p95 ms", "p99 ms"):
        table.add_column(name, justify="left" if name.startswith("endpoint") else "right", no_wrap=True, min_width=8)
    for endpoint in endpoints:
        name, rate, errors, p50, p95, p99 = _endpoint_cells(endpoint)
        is_failing, is_slow = endpoint.error_ratio > 0.05, (endpoint.p95_ms or 0) > 500
        table.add_row(
            name,
            rate,
            Text(errors, "bold red" if is_failing else ""),
            p50,
            Text(p95, "bold red" if is_slow else ""),
            p99,
        )
    if not endpoints:
        table.add_row(Text("waiting for the first closed window", "dim"))
    return table


def endpoint_line(endpoint: EndpointFigures) -> str:
    """Return an endpoint's figures with their names: lines of a log have no heading above them."""
    name, rate, errors, p50, p95, p99 = _endpoint_cells(endpoint)
    return f"{name}  {rate}/s  {errors} failed  p50 {p50}  p95 {p95}  p99 {p99} ms"


def _endpoint_cells(endpoint: EndpointFigures) -> tuple[str, str, str, str, str, str]:
    return (
        f"{endpoint.method:<4} {endpoint.route:<20}",
        f"{endpoint.requests_per_s:5.1f}",
        f"{endpoint.error_ratio:6.1%}",
        _figure(endpoint.p50_ms),
        _figure(endpoint.p95_ms),
        _figure(endpoint.p99_ms),
    )


def _figure(value: float | None) -> str:
    return f"{'-':>7}" if value is None else f"{value:7.1f}"


def _models(models: Sequence[ModelFigures]) -> Text:
    lines = Text()
    for model in models:
        mae = model.mean_absolute_error
        lines.append(f"model {model.model} {model.version}", "bold").append("   mean absolute error ", "dim")
        lines.append(_figure(mae).strip(), "bold red" if (mae or 0) > 15 else "bold green")
        lines.append(f" l/s over {model.rated:,} forecasts", "dim")
    return lines


def _styled_news(line: str) -> Text:
    text = Text(line)
    for word, style in _NEWS_STYLES.items():
        text.highlight_words([f"{word} "], style=style, case_sensitive=True)
    return text


def _hints(scene: Scene) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for hint in scene.hints:
        table.add_row(hint.label, Text(hint.text))
    return table
