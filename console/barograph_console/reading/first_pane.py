"""When a service was first seen: a rate over a window that began before it divides by too much."""

from typing import Final

from barograph_console.reading.panes import Reading
from barograph_console.reading.windows import WindowReader
from barograph_console.serving.memo import Memo
from barograph_console.store.ports import PaneSource
from barograph_core.clock import Clock
from barograph_core.events.kinds import KINDS
from barograph_core.panes.pane import Pane
from barograph_core.store.blocks import WHOLE
from barograph_core.store.cover import ceil_to, floor_to
from barograph_core.store.figure_store import FigureRange

# A service may be deleted and come again.
_MAX_AGE_MS: Final = 600_000
_SERVICES: Final = 4_096


class CoveredWindows:
    """Reads windows together with how much of each the service was there for."""

    def __init__(self, panes: PaneSource, clock: Clock) -> None:
        self._windows = WindowReader(panes)
        self._first_panes = FirstPanes(panes, clock)

    def read(self, reading: Reading, *, window_ms: int) -> tuple[Pane, int]:
        """Return the panes of the last ``window_ms`` that are closed as one, and the covered part of it in ms."""
        window = self._windows.read_window(reading, to_ms=reading.closed_ms, window_ms=window_ms)
        return window.pane, self._first_panes.covered_ms(reading, window_ms=window_ms, first_in_ms=window.first_ms)


class FirstPanes:
    """Knows when the first pane of each service began, as far back as panes are kept."""

    def __init__(self, panes: PaneSource, clock: Clock) -> None:
        self._panes = panes
        self._first = Memo[int](clock, bound=_SERVICES)

    def covered_ms(self, reading: Reading, *, window_ms: int, first_in_ms: int | None) -> int:
        """Return how much of the last ``window_ms`` that are closed a service was there for.

        Args:
            reading: Of the service.
            window_ms: Length of the window.
            first_in_ms: Start of the first pane in the window that had an event; ``None`` when none had.
        """
        step_ms = reading.steps[0].step_ms
        # Mostly there was an event in the first moment of the window, and nothing need be looked up.
        if first_in_ms is None or first_in_ms <= reading.closed_ms - window_ms + step_ms:
            return window_ms
        first_ms = self._first.get(reading.service, lambda: self._find(reading, first_in_ms), max_age_ms=_MAX_AGE_MS)
        return min(window_ms, max(step_ms, reading.closed_ms - first_ms))

    def covered_of_whole_ms(self, reading: Reading, *, to_ms: int, window_ms: int) -> int:
        """Return how much of a window a service was there for, when the window was read as one pane.

        Such a pane does not say when its first event came; the shorter ones do.
        """
        first_ms = self._first.get(
            reading.service, lambda: self._find_within(reading, to_ms, window_ms), max_age_ms=_MAX_AGE_MS
        )
        return min(window_ms, max(reading.steps[0].step_ms, to_ms - first_ms))

    def _find_within(self, reading: Reading, to_ms: int, window_ms: int) -> int:
        found = self._find(reading, to_ms)
        if found <= to_ms - window_ms:
            return found
        panes = self._panes.read(reading.service, reading.steps[0].step_ms, to_ms - window_ms, to_ms)
        return next((stored.start_ms for stored in panes if not stored.pane.is_empty), found)

    def _find(self, reading: Reading, first_in_ms: int) -> int:
        found = first_in_ms
        for step in reading.steps[1:]:
            from_ms = max(0, floor_to(reading.now_ms - step.keep_ms, step.step_ms))
            to_ms = ceil_to(reading.closed_ms, step.step_ms)
            if from_ms >= to_ms:
                continue
            where = FigureRange(reading.service, step, from_ms, to_ms)
            for kind in KINDS.values():
                figures, _ = self._panes.figures(where, kind, 0, [WHOLE])
                # A longer pane that holds the first shorter one says nothing new.
                earlier = [start for start in figures.starts_ms.tolist() if start + step.step_ms <= found]
                found = min([found, *earlier])
        return found
