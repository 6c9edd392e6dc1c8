"""The panes of one step that windows may still need, and their merges.

Panes are merged in aligned blocks of 2, 4, 8, … and each block is merged once. A window of n panes is then
the merge of about 2 log2(n) blocks, and windows of all lengths share the blocks.
A running total that adds the newest pane and subtracts the oldest would not give minima and maxima.
"""

from collections.abc import Mapping
from typing import Final

from barograph_core.panes.pane import Pane

_MAX_LEVEL: Final = 12
_MAX_MERGES: Final = 64


class PaneRing:
    """Panes of one service and step. An absent pane is empty."""

    def __init__(self, step_ms: int) -> None:
        self.step_ms = step_ms
        self.revisions: dict[int, int] = {}
        self.missing: dict[int, int] = {}
        self._blocks: dict[tuple[int, int], Pane] = {}
        self._merges: dict[tuple[int, int], Pane] = {}

    def __len__(self) -> int:
        return len(self.revisions)

    @property
    def is_empty(self) -> bool:
        """Say whether no pane held has an event."""
        return all(pane.is_empty for (level, _), pane in self._blocks.items() if level == 0)

    def put(self, start_ms: int, revision: int, missing: int, pane: Pane) -> None:
        """Add a closed pane, or its next revision."""
        index = start_ms // self.step_ms
        self.revisions[start_ms] = revision
        self.missing[start_ms] = missing
        for level in range(1, _MAX_LEVEL + 1):
            self._blocks.pop((level, index >> level), None)
        self._blocks[0, index] = pane
        for key in [key for key in self._merges if key[0] <= start_ms < key[1]]:
            del self._merges[key]

    def forget_before(self, oldest_ms: int) -> None:
        """Drop the panes that begin before ``oldest_ms``, and their merges."""
        oldest = oldest_ms // self.step_ms
        for start_ms in [start_ms for start_ms in self.revisions if start_ms < oldest_ms]:
            del self.revisions[start_ms], self.missing[start_ms]
        for key in [key for key in self._blocks if key[1] << key[0] < oldest]:
            del self._blocks[key]
        for merge in [merge for merge in self._merges if merge[0] < oldest_ms]:
            del self._merges[merge]

    def known_from(self, from_ms: int) -> Mapping[int, int]:
        """Return start -> revision of the panes held that begin at ``from_ms`` or later."""
        return {start: revision for start, revision in self.revisions.items() if start >= from_ms}

    def merged(self, from_ms: int, to_ms: int) -> Pane:
        """Return the merge of the panes that begin in ``[from_ms, to_ms)``, both multiples of the step."""
        key = (from_ms, to_ms)
        found = self._merges.get(key)
        if found is None:
            if len(self._merges) >= _MAX_MERGES:
                self._merges.clear()
            found = self._merges[key] = Pane.merge(self._cover(from_ms // self.step_ms, to_ms // self.step_ms))
        return found

    def _cover(self, first: int, end: int) -> list[Pane]:
        """Return the merges of the largest aligned blocks that make up ``[first, end)``, in numbers of panes."""
        blocks: list[Pane] = []
        while first < end:
            level = min(_MAX_LEVEL, (first & -first).bit_length() - 1 if first else _MAX_LEVEL)
            while first + (1 << level) > end:
                level -= 1
            blocks.append(self._block(level, first >> level))
            first += 1 << level
        return blocks

    def _block(self, level: int, index: int) -> Pane:
        found = self._blocks.get((level, index))
        if found is None:
            if level == 0:
                return Pane.EMPTY
            halves = [self._block(level - 1, 2 * index), self._block(level - 1, 2 * index + 1)]
            found = self._blocks[level, index] = Pane.merge(halves)
        return found
