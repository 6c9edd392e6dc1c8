"""The panes of one step that windows may still need, and their merges.

Panes are merged in aligned blocks of 2, 4, 8, … and each block is merged once. A window of n panes is then
the merge of about 2 log2(n) blocks, and windows of all lengths share the blocks.
A running total that adds the newest pane and subtracts the oldest would not give minima and maxima.

In the midst of a window only the large blocks are needed: the panes there wait packed, in a twentieth of the memory,
until the window's beginning reaches them.
"""

from collections.abc import Mapping
from typing import Final

from barograph_core.panes.pane import Pane

_MAX_LEVEL: Final = 12
_MAX_MERGES: Final = 64
# Blocks of two to this power of panes are kept, and what they were made of is packed.
_PACKED_LEVEL: Final = 4
# Newest panes, of which merges are still asked for.
_NEWEST: Final = 16
# Packed panes that take the memory of one that is ready.
_PACKED_PER_READY: Final = 16


class PaneRing:
    """Panes of one service and step. An absent pane is empty."""

    def __init__(self, step_ms: int) -> None:
        self.step_ms = step_ms
        self.revisions: dict[int, int] = {}
        self.missing: dict[int, int] = {}
        self._blocks: dict[tuple[int, int], Pane] = {}
        self._packed: dict[int, bytes] = {}
        self._merges: dict[tuple[int, int], Pane] = {}

    @property
    def size(self) -> int:
        """Return the number of panes held ready, their merges among them; packed ones count for less."""
        return len(self._blocks) + len(self._merges) + len(self._packed) // _PACKED_PER_READY

    @property
    def is_empty(self) -> bool:
        """Say whether no pane held has an event."""
        return not self._packed and all(pane.is_empty for (level, _), pane in self._blocks.items() if level == 0)

    def put(self, start_ms: int, revision: int, missing: int, pane: Pane, content: bytes = b"") -> None:
        """Add a closed pane, or its next revision. ``content`` is what it was read from, if it was."""
        index = start_ms // self.step_ms
        self.revisions[start_ms] = revision
        self.missing[start_ms] = missing
        for level in range(1, _MAX_LEVEL + 1):
            self._blocks.pop((level, index >> level), None)
        self._blocks[0, index] = pane
        self._packed.pop(index, None)
        if content and not pane.is_empty:
            self._packed[index] = content
        past_ms = start_ms - _NEWEST * self.step_ms
        for key in [key for key in self._merges if key[0] <= start_ms < key[1] or key[1] <= past_ms]:
            del self._merges[key]

    def forget_before(self, oldest_ms: int) -> None:
        """Drop the panes that begin before ``oldest_ms``, and their merges."""
        oldest = oldest_ms // self.step_ms
        for start_ms in [start_ms for start_ms in self.revisions if start_ms < oldest_ms]:
            del self.revisions[start_ms], self.missing[start_ms]
            self._packed.pop(start_ms // self.step_ms, None)
        for key in [key for key in self._blocks if key[1] << key[0] < oldest]:
            del self._blocks[key]
        for merge in [merge for merge in self._merges if merge[0] < oldest_ms]:
            del self._merges[merge]

    def pack_before(self, end_ms: int) -> None:
        """Merge the panes long before ``end_ms`` into large blocks, and keep them packed."""
        first_kept = (end_ms // self.step_ms - _NEWEST) >> _PACKED_LEVEL
        small = [
            (level, index)
            for level, index in self._blocks
            if level < _PACKED_LEVEL and index >> (_PACKED_LEVEL - level) < first_kept
        ]
        for number in {index >> (_PACKED_LEVEL - level) for level, index in small}:
            self._block(_PACKED_LEVEL, number)
        for level, index in small:
            pane = self._blocks[level, index]
            if level == 0 and index not in self._packed and not pane.is_empty:
                self._packed[index] = pane.pack()
        for number in {index >> (_PACKED_LEVEL - level) for level, index in small}:
            for level in range(_PACKED_LEVEL):
                width = _PACKED_LEVEL - level
                for index in range(number << width, (number + 1) << width):
                    self._blocks.pop((level, index), None)

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
                content = self._packed.get(index)
                if content is None:
                    return Pane.EMPTY
                found = Pane.unpack(content)
            else:
                found = Pane.merge([self._block(level - 1, 2 * index), self._block(level - 1, 2 * index + 1)])
            self._blocks[level, index] = found
        return found
