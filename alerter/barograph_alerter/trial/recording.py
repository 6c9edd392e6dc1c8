"""The panes of one service over a time of the past, and the windows that rules see in them."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from barograph_alerter.conditions.row import Look
from barograph_alerter.judge.plan import is_judged_without_breach
from barograph_alerter.judge.verdict import WindowOf
from barograph_alerter.rules.rule import Rule
from barograph_alerter.windows.rows import Rows, TableColumns
from barograph_alerter.windows.window import Window
from barograph_core.numerics.arrays import BoolArray
from barograph_core.panes.many.runs import GroupedRuns, PaneColumns, PaneRuns
from barograph_core.panes.pane import Pane
from barograph_core.store.cover import ceil_to, floor_to

# Windows with so few series are made together with others. Of many, columns are enough until somebody asks for one.
_FEW: Final = 16


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
        self._columns: dict[str, PaneColumns] = {}
        self._grouped: dict[tuple[object, ...], PaneRuns | None] = {}

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

    def seen(self, rule: Rule, moments: Sequence[int]) -> "Seen":
        """Return what ``rule`` sees at ``moments``."""
        return Seen(rule, [self._sight(rule, look, moments) for look in rule.looks])

    def _sight(self, rule: Rule, look: Look, moments: Sequence[int]) -> "_Sight":
        """Return the windows of ``look``. Those of the same panes are one: a quiet night is grouped once."""
        ranges = [self._numbers(end - look.reach_ms, end - look.offset_ms) for end in moments]
        runs = {one: number for number, one in enumerate(dict.fromkeys(ranges))}
        first, end = (np.array(ends, np.int64) for ends in zip(*runs, strict=True))
        found = self._runs(rule)
        grouped = None if found is None else found.merged(first, end)
        return _Sight(
            rule, look, [self.panes[first:end] for first, end in runs], grouped, [runs[one] for one in ranges]
        )

    def _runs(self, rule: Rule) -> PaneRuns | None:
        key = (rule.on.name, rule.by, tuple(rule.where.items()))
        if key not in self._grouped:
            columns = self._columns.get(rule.on.name)
            if columns is None:
                columns = PaneColumns(rule.on.name, [one.pane for one in self.panes])
                self._columns[rule.on.name] = columns
            self._grouped[key] = columns.grouped(rule.by, rule.where)
        return self._grouped[key]

    def _numbers(self, from_ms: int, to_ms: int) -> tuple[int, int]:
        first = bisect_left(self._starts, from_ms)
        return first, max(first, bisect_left(self._ends, to_ms + 1))


class _Sight:
    """One of the windows that a rule looks at, at some moments.

    Args:
        rule: Whose rows the windows have.
        look: The window.
        runs: The panes of each window that differs from the others.
        grouped: Their groups; ``None``: none has any.
        run_of: For each moment the number of its run.
    """

    def __init__(
        self,
        rule: Rule,
        look: Look,
        runs: Sequence[Sequence[Recorded]],
        grouped: GroupedRuns | None,
        run_of: Sequence[int],
    ) -> None:
        self.look = look
        self._rule = rule
        self._runs = runs
        self._grouped = grouped
        self._run_of = run_of
        self._windows: dict[int, Window] = {}

    def __len__(self) -> int:
        return len(self._run_of)

    def window(self, moment: int) -> Window:
        """Return the window at a moment, by its number."""
        run = self._run_of[moment]
        found = self._windows.get(run)
        if found is None:
            found = self._windows[run] = _LazyWindow(self._runs[run], self.look.span_ms)
            found.keep(self._rule.on.name, self._rule.by, self._rule.where, self._rows(run))
        return found

    def _rows(self, run: int) -> Rows:
        if self._grouped is None or self._grouped.length(run) > _FEW:
            return Rows(None if self._grouped is None else self._grouped.of(run), self.look.span_ms)
        return Rows.of(self._grouped.series_of(run), self.look.span_ms)

    def may_breach(self, rule: Rule) -> BoolArray:
        """Say of each moment whether any series can be in breach of ``rule``, a form of the one that looks."""
        is_silent = not rule.by and rule.breach_in(rule.empty_row()) is True
        if self._grouped is None:
            return np.full(len(self._run_of), is_silent)
        rows = rule.screen.rows(0, TableColumns(self._grouped.table, self.look.span_ms))
        lengths = np.diff(self._grouped.starts)
        found = lengths > 0 if rows is None else self._grouped.runs_with(rows)
        if is_silent:
            found |= lengths == 0
        return found[np.array(self._run_of, np.int64)]


class Seen:
    """What a rule sees at some moments, made where somebody asks for it."""

    def __init__(self, rule: Rule, sights: Sequence[_Sight]) -> None:
        self._sights = {sight.look: sight for sight in sights}
        self._own = self._sights[rule.windows[0]]

    def windows(self, moment: int) -> WindowOf:
        """Return what gives the windows of a moment, by its number."""
        return lambda look: self._sights[look].window(moment)

    def may_breach(self, rule: Rule) -> BoolArray:
        """Say of each moment whether any alert of ``rule``, a form of the one that looks, can begin."""
        if is_judged_without_breach(rule):
            return np.ones(len(self._own), np.bool_)
        return self._own.may_breach(rule)


class _LazyWindow(Window):
    """A window whose panes are merged only if somebody asks for more than its rows."""

    __slots__ = ("_merged", "_panes")

    def __init__(self, panes: Sequence[Recorded], window_ms: int) -> None:
        super().__init__(Pane.EMPTY, window_ms)
        self._panes = panes
        self._merged: Pane | None = None

    @property
    def pane(self) -> Pane:
        if self._merged is None:
            self._merged = Pane.merge([one.pane for one in self._panes])
        return self._merged
