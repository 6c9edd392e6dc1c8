"""The panes of the last minute, merged. Pure."""

from typing import Final

from barograph_core.panes.pane import Pane
from barograph_core.store.cover import floor_to

WINDOW_MS: Final = 60_000
# The window is merged in parts of this length, each once; a merge of the minute then takes 6 of them and the
# newest panes. Subtracting the pane that leaves would be as quick, but a minimum cannot be subtracted.
PART_MS: Final = 10_000


class MinuteWindow:
    """Takes panes of the finest step and merges those of the last minute."""

    def __init__(self) -> None:
        self._panes: dict[int, Pane] = {}
        self._parts: dict[int, Pane] = {}

    def put(self, start_ms: int, pane: Pane) -> None:
        """Add a pane, or replace it by a later revision of it."""
        if pane.is_empty:
            self._panes.pop(start_ms, None)
        else:
            self._panes[start_ms] = pane
        self._parts.pop(floor_to(start_ms, PART_MS), None)

    def merged(self, through_ms: int) -> Pane:
        """Return the minute that ends with ``through_ms``; panes before it are dropped."""
        from_ms = through_ms - WINDOW_MS
        for start_ms in [start_ms for start_ms in self._panes if start_ms < from_ms]:
            del self._panes[start_ms]
            self._parts.pop(floor_to(start_ms, PART_MS), None)
        self._parts = {start_ms: part for start_ms, part in self._parts.items() if start_ms >= from_ms}
        return Pane.merge([self._part(start_ms) for start_ms in range(floor_to(from_ms, PART_MS), through_ms, PART_MS)])

    def part(self, through_ms: int) -> tuple[int, Pane]:
        """Return start and panes of the part that holds the newest pane."""
        start_ms = floor_to(through_ms - 1, PART_MS)
        return start_ms, self._part(start_ms)

    def _part(self, part_ms: int) -> Pane:
        held = self._parts.get(part_ms)
        if held is None:
            starts_ms = sorted(start_ms for start_ms in self._panes if floor_to(start_ms, PART_MS) == part_ms)
            held = self._parts[part_ms] = Pane.merge([self._panes[start_ms] for start_ms in starts_ms])
        return held
