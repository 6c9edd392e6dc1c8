"""The loop of a demo run: rolls the faulty version out and back, reads figures and alerts, and keeps the view fresh."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from barograph_cli.demo.api.rollout import STABLE_VERSION, Rollout, faulty_rollout
from barograph_cli.demo.processes import RolloutSwitch
from barograph_cli.demo.show.alert_feed import AlertFeed
from barograph_cli.demo.show.numbers import ConsoleFigures
from barograph_cli.demo.show.scene import Incident, Scene, change_line
from barograph_cli.demo.show.timeline import Phase, Timeline
from barograph_cli.demo.show.view import View
from barograph_core.clock import Clock

TICK_S: Final = 0.25
_FIGURES_EVERY_MS: Final = 1_000
_LOAD_BEGINS: Final = "the load begins"
_ROLLED_BACK: Final = f"ROLLBACK   model version {STABLE_VERSION} makes all predictions again"


def _released(version: str) -> str:
    return f"RELEASE    model version {version} makes most of the predictions: slow reads, failures, m³/h taken for l/s"


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a run: what it reads, switches and shows."""

    clock: Clock
    view: View
    switch: RolloutSwitch
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
        self._parts.view.note(self._scene, _LOAD_BEGINS, self._scene.started_ms)
        while not stop.is_set():
            elapsed_ms = self._parts.clock.monotonic_ms() - self._began_ms
            if self._duration_ms is not None and elapsed_ms >= self._duration_ms:
                return True
            self._scene.elapsed_ms = elapsed_ms
            self._turn_to(self._timeline.phase_at(elapsed_ms))
            self.read_changes()
            self._read_figures(elapsed_ms)
            self._parts.view.show(self._scene)
            self._parts.look_after()
            stop.wait(TICK_S)
        return False

    def read_changes(self) -> None:
        """Read the changes of alerts, and show each as a line."""
        for happening in self._parts.feed.read():
            self._parts.view.note(self._scene, change_line(self._scene, happening), happening.at_ms)

    def _turn_to(self, phase: Phase) -> None:
        scene, parts = self._scene, self._parts
        if phase == scene.phase:
            return
        # A version of its own for each incident, as a team would name it.
        version = str(int(STABLE_VERSION) + len(scene.incidents) + 1)
        # The API may be starting again: the next tick asks it again.
        if not parts.switch.set(faulty_rollout(version) if phase == "incident" else Rollout()):
            return
        now_ms = parts.clock.now_ms()
        scene.phase = phase
        if phase == "incident":
            scene.incidents.append(Incident(now_ms))
        elif scene.incidents:
            scene.incidents[-1].ended_ms = now_ms
        parts.view.note(scene, _released(version) if phase == "incident" else _ROLLED_BACK, now_ms)

    def _read_figures(self, elapsed_ms: float) -> None:
        if elapsed_ms < self._next_figures_ms:
            return
        self._next_figures_ms = elapsed_ms + _FIGURES_EVERY_MS
        figures = self._parts.figures.read()
        if figures is not None:
            self._scene.figures = figures
