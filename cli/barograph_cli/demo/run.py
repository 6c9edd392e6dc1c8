"""The loop of a demo run: switches the incident on and off, reads figures and alerts, and keeps the view fresh."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from barograph_cli.demo.alert_feed import AlertFeed
from barograph_cli.demo.faults import INCIDENT, Faults
from barograph_cli.demo.figures import ConsoleFigures
from barograph_cli.demo.processes import FaultSwitch
from barograph_cli.demo.scene import Incident, Scene, tell
from barograph_cli.demo.timeline import Phase, Timeline
from barograph_cli.demo.view import View
from barograph_core.clock import Clock

TICK_S: Final = 0.25
_FIGURES_EVERY_MS: Final = 1_000
_NEWS: Final[dict[Phase, str]] = {
    "healthy": "the load begins",
    "incident": "INCIDENT   the historian gets slow and fails, the water meter reports m³/h instead of l/s",
    "recovery": "MENDED     the service is as before",
}


@dataclass(frozen=True, slots=True)
class Parts:
    """What a run works with."""

    clock: Clock
    view: View
    switch: FaultSwitch
    figures: ConsoleFigures
    feed: AlertFeed
    look_after: Callable[[], None]


class DemoRun:
    """One run from the first request to the last."""

    def __init__(self, parts: Parts, scene: Scene, timeline: Timeline, duration_ms: int | None) -> None:
        self._parts = parts
        self._scene = scene
        self._timeline = timeline
        self._duration_ms = duration_ms
        self._began_ms = parts.clock.monotonic_ms()
        self._next_figures_ms = 0.0

    def run(self, stop: threading.Event) -> bool:
        """Run until the duration is over or ``stop`` is set; say whether it was the duration.

        Raises:
            CommandError: A stage cannot be kept running.
        """
        self._parts.view.note(self._scene, _NEWS["healthy"], self._scene.started_ms)
        while not stop.is_set():
            elapsed_ms = self._parts.clock.monotonic_ms() - self._began_ms
            if self._duration_ms is not None and elapsed_ms >= self._duration_ms:
                return True
            self._scene.elapsed_ms = elapsed_ms
            self._turn_to(self._timeline.phase_at(elapsed_ms))
            self.read_news()
            self._read_figures(elapsed_ms)
            self._parts.view.show(self._scene)
            self._parts.look_after()
            stop.wait(TICK_S)
        return False

    def read_news(self) -> None:
        """Take in and tell what has happened to alerts."""
        for happening in self._parts.feed.read():
            self._parts.view.note(self._scene, tell(self._scene, happening), happening.at_ms)

    def _turn_to(self, phase: Phase) -> None:
        scene, parts = self._scene, self._parts
        if phase == scene.phase:
            return
        # The API may be starting again: it is asked anew at the next tick.
        if not parts.switch.set(INCIDENT if phase == "incident" else Faults()):
            return
        now_ms = parts.clock.now_ms()
        scene.phase = phase
        if phase == "incident":
            scene.incidents.append(Incident(now_ms))
        elif scene.incidents:
            scene.incidents[-1].ended_ms = now_ms
        parts.view.note(scene, _NEWS[phase], now_ms)

    def _read_figures(self, elapsed_ms: float) -> None:
        if elapsed_ms < self._next_figures_ms:
            return
        self._next_figures_ms = elapsed_ms + _FIGURES_EVERY_MS
        figures = self._parts.figures.read()
        if figures is not None:
            self._scene.figures = figures
