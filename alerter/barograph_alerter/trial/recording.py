"""The panes of one service over a time of the past, and the windows that rules see in them."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from barograph_alerter.conditions.row import Look
from barograph_alerter.rules.rule import Rule
from barograph_alerter.windows.rows import Rows
from barograph_alerter.windows.window import Window
from barograph_core.panes.group_each import group_each
from barograph_core.panes.merge_each import merge_each
from barograph_core.panes.pane import Pane
from barograph_core.store.cover import ceil_to, floor_to

# Longest blocks of panes that are merged in advance: two to this power.
_MOST_LEVELS: Final = 12


@dataclass(frozen=True, slots=True)
class Recorded:
    """A closed pane of the past.

    Attributes:
        step_ms: Its length.
        missing: Number of instances whose events it may lack.
        revision: More than 0 when late events came into it.
    """

    start_ms: int
    step_ms: int
    pane: Pane
    missing: int = 0
    revision: int = 0

    @property
    def end_ms(self) -> int:
        return self.start_ms + self.step_ms


@dataclass(frozen=True, slots=True)
class Region:
    """A time in which panes of one step are recorded: moments lie on its grid.

    Attributes:
        from_ms: Its beginning, a multiple of ``step_ms``.
        to_ms: Its end: the last moment.
        is_sampled: Whether the events of each step lie at its end, so that shorter windows see them all.
    """

    step_ms: int
    from_ms: int
    to_ms: int
    is_sampled: bool = False

    def holds(self, rule: Rule) -> bool:
        """Say whether every window of ``rule`` is made of whole panes here."""
        return all(
            look.offset_ms % self.step_ms == 0 and (self.is_sampled or look.span_ms % self.step_ms == 0)
            for look in rule.looks
        )


class Recording:
    """What is recorded of one service: panes without overlap, ascending, of which those absent are empty."""

    def __init__(self, service: str, panes: Iterable[Recorded], regions: Sequence[Region]) -> None:
        self.service = service
        self.regions = tuple(regions)
        self.panes = tuple(one for one in panes if not one.pane.is_empty or one.missing)
        self._starts = [one.start_ms for one in self.panes]
        self._ends = [one.end_ms for one in self.panes]
        self._levels: list[list[Pane]] = []

    def missing_at(self, end_ms: int) -> int:
        """Return how many instances the pane that ends at ``end_ms`` may lack."""
        number = bisect_left(self._ends, end_ms)
        return self.panes[number].missing if number < len(self.panes) and self._ends[number] == end_ms else 0

    def in_range(self, from_ms: int, to_ms: int) -> Sequence[Recorded]:
        """Return the panes that begin at ``from_ms`` or later and end by ``to_ms``."""
        first, end = self._numbers(from_ms, to_ms)
        return self.panes[first:end]

    def moments(self, looks: Iterable[Look], region: Region) -> list[int]:
        """Return when anything changes in a window of ``looks``: a pane enters or leaves it. Ascending."""
        step_ms = region.step_ms
        found = {region.from_ms + step_ms}
        for look in looks:
            for one in self.panes:
                found.add(ceil_to(one.end_ms + look.offset_ms, step_ms))
                found.add(floor_to(one.start_ms + look.reach_ms, step_ms) + step_ms)
        for one in self.panes:
            if one.missing:
                found.update((ceil_to(one.end_ms, step_ms), ceil_to(one.end_ms, step_ms) + step_ms))
        return sorted(moment for moment in found if region.from_ms < moment <= region.to_ms)

    def windows(self, rule: Rule, moments: Sequence[int]) -> list[Mapping[Look, Window]]:
        """Return for each of ``moments`` the windows that ``rule`` looks at, with the rows that it asks for."""
        of_moment: list[dict[Look, Window]] = [{} for _ in moments]
        for look in rule.looks:
            ranges = [self._numbers(end - look.reach_ms, end - look.offset_ms) for end in moments]
            blocks = [self._parts(first, end) for first, end in ranges]
            for windows, window in zip(of_moment, self._grouped(rule, look, blocks), strict=True):
                windows[look] = window
        return list(of_moment)

    def _grouped(self, rule: Rule, look: Look, blocks: Sequence[Sequence[Pane]]) -> list[Window]:
        """Return the window of each of ``blocks``. Those of the same panes are one: a quiet night is grouped once."""
        keys = [tuple(map(id, parts)) for parts in blocks]
        distinct = dict(zip(keys, blocks, strict=True))
        rows = group_each(list(distinct.values()), rule.on.name, rule.by, rule.where)
        windows: dict[tuple[int, ...], Window] = {}
        for (key, parts), series in zip(distinct.items(), rows, strict=True):
            windows[key] = window = _LazyWindow(parts, look.span_ms)
            window.keep(rule.on.name, rule.by, rule.where, Rows.of(series, look.span_ms))
        return [windows[key] for key in keys]

    def _parts(self, first: int, end: int) -> list[Pane]:
        """Return panes whose merge is that of the panes from ``first`` to before ``end``: about two of each level."""
        if not self._levels:
            self._levels = _levels([one.pane for one in self.panes])
        parts: list[Pane] = []
        level = 0
        while first < end:
            held = self._levels[level]
            if level + 1 == len(self._levels):
                return parts + held[first:end]
            if first % 2:
                parts.append(held[first])
                first += 1
            if end % 2:
                end -= 1
                parts.append(held[end])
            first, end, level = first // 2, end // 2, level + 1
        return parts

    def _numbers(self, from_ms: int, to_ms: int) -> tuple[int, int]:
        first = bisect_left(self._starts, from_ms)
        return first, max(first, bisect_left(self._ends, to_ms + 1))


def _levels(panes: Sequence[Pane]) -> list[list[Pane]]:
    """Return ``panes``, the merges of each two of them, of each four, and so on; an odd last one stays out."""
    levels = [list(panes)]
    while len(levels[-1]) > 1 and len(levels) <= _MOST_LEVELS:
        below = levels[-1]
        pairs = [below[index : index + 2] for index in range(0, len(below) - 1, 2)]
        levels.append([one.pane for one in merge_each(pairs)])
    return levels


class _LazyWindow(Window):
    """A window whose panes are merged only if somebody asks for more than its rows."""

    __slots__ = ("_parts_of_pane",)

    def __init__(self, parts: Sequence[Pane], window_ms: int) -> None:
        super().__init__(Pane.EMPTY, window_ms)
        self._parts_of_pane = parts

    @property
    def pane(self) -> Pane:
        return Pane.merge(self._parts_of_pane)
