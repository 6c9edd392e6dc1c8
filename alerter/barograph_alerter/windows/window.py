"""Windows: the panes that a rule looks at, and the series in them."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from barograph_alerter.conditions.row import Look, SeriesRow
from barograph_alerter.windows.rows import Rows, Values
from barograph_core.errors import WindowNotWholeError
from barograph_core.panes.grouping import Groupings, Where, check_labels
from barograph_core.panes.pane import Pane
from barograph_core.steps import Step
from barograph_core.store.cover import Run, ceil_to, coarsest_step, floor_to

# Panes of each coarse step that are also held at the next finer one: the newest may have no roll-up yet.
_SPARE_PANES: Final = 3


class KnownPanes(Protocol):
    """What is known of the panes of one service."""

    def known(self, index: int, from_ms: int, to_ms: int) -> tuple[int, int]:
        """Return from where to where every pane of a step is known; an absent one in between is empty.

        Args:
            index: Of the step, 0 for the finest.
            from_ms: Beginning of what the caller needs.
            to_ms: End of what the caller needs.
        """
        ...


def choose_step(look: Look, steps: Sequence[Step]) -> int | None:
    """Return the index of the step at which the oldest part of a window is read, see ``coarsest_step``."""
    return coarsest_step(look.span_ms, look.reach_ms, steps)


def finest_step_ms(look: Look, steps: Sequence[Step]) -> int:
    """Return the finest step at which the end of a window is read, for one that some step is kept for."""
    return next((step.step_ms for step in steps if look.offset_ms <= step.keep_ms), steps[-1].step_ms)


def window_runs(end_ms: int, look: Look, steps: Sequence[Step], panes: KnownPanes) -> list[Run]:
    """Return the panes that make up a window, oldest first.

    Coarse panes for most of it and finer ones for its end, where the roll-ups are still to be made. Where the step
    does not hold all of it, the next coarser one that does. The window's start is rounded down to a whole pane of its
    first step. The end of one that lies in the past is rounded up to a whole pane of the finest step that is kept for
    so long; where that is its first step too, it lies earlier by a part of a pane and is as long as asked for.

    Args:
        end_ms: The moment that is judged: end of the newest pane.
        look: The window.
        steps: Of the store, from the finest to the coarsest.
        panes: What is known of the service.

    Raises:
        WindowNotWholeError: No step holds all of it.
        ValueError: No step is kept for so long (``settings.rules_in_force`` refuses such a rule at start).
    """
    chosen = choose_step(look, steps)
    if chosen is None:
        raise ValueError(f"no step is kept for a window that begins {look.reach_ms} ms ago")
    for index in range(chosen, len(steps)):
        runs = _runs_from(index, end_ms, look, steps, panes)
        if runs is not None:
            return runs
    raise WindowNotWholeError(end_ms - look.reach_ms, end_ms - look.offset_ms)


def _runs_from(coarsest: int, end_ms: int, look: Look, steps: Sequence[Step], panes: KnownPanes) -> list[Run] | None:
    """Return the runs of a window whose oldest part is read at step ``coarsest``; ``None`` if that is not whole."""
    runs: list[Run] = []
    to_ms = end_ms - look.offset_ms
    from_ms = floor_to(end_ms - look.reach_ms, steps[coarsest].step_ms)
    if coarsest and look.offset_ms > steps[coarsest - 1].keep_ms:
        # Rounded at both ends, a minute of a day ago would count two.
        to_ms = from_ms + ceil_to(look.span_ms, steps[coarsest].step_ms)
    for index in range(coarsest, -1, -1):
        step_ms = steps[index].step_ms
        last_ms = ceil_to(to_ms, step_ms)
        known_from_ms, known_to_ms = panes.known(index, from_ms, last_ms)
        if index == 0:
            # What is not closed yet is read from the open panes.
            run_to_ms = last_ms
        elif look.offset_ms > steps[index - 1].keep_ms:
            # The finer panes have expired where the window ends: it is read at this step to its end.
            run_to_ms = last_ms if known_to_ms >= last_ms else from_ms
        else:
            run_to_ms = floor_to(min(to_ms, known_to_ms), step_ms)
        if run_to_ms > from_ms:
            if known_from_ms > from_ms:
                return None
            runs.append(Run(step_ms, from_ms, run_to_ms))
            from_ms = run_to_ms
        if from_ms >= to_ms:
            return runs
    return None


def ring_spans(looks: Iterable[Look], steps: Sequence[Step]) -> dict[int, int]:
    """Return for each step how far back from now panes are held, in ms, if a window uses it."""
    spans = {step.step_ms: step.step_ms for step in steps}
    for look in looks:
        chosen = choose_step(look, steps)
        if chosen is None:
            continue
        for step in steps[chosen:]:
            spans[step.step_ms] = max(spans[step.step_ms], look.reach_ms + step.step_ms)
        for finer, coarser in itertools.pairwise(steps[: chosen + 1]):
            if look.offset_ms <= finer.keep_ms:
                span = look.offset_ms + _SPARE_PANES * coarser.step_ms
                spans[finer.step_ms] = max(spans[finer.step_ms], span)
    return spans


class Window:
    """One merged pane, and the rows that rules have asked for so far.

    Args:
        pane: The merge of its panes.
        window_ms: Its length.
        groupings: Of the windows before it, whose series are mostly the same.
    """

    __slots__ = ("_free", "_groupings", "_pane", "_parts", "_rows", "window_ms")

    def __init__(self, pane: Pane, window_ms: int, groupings: Groupings | None = None) -> None:
        self._pane = pane
        self.window_ms = window_ms
        self._groupings = Groupings() if groupings is None else groupings
        self._rows: dict[tuple[object, ...], Rows] = {}
        self._parts: dict[tuple[object, ...], dict[Values, dict[Values, SeriesRow]]] = {}
        self._free: dict[str, tuple[str, ...]] = {}

    @property
    def pane(self) -> Pane:
        return self._pane

    def keep(self, kind: str, by: tuple[str, ...], where: Where, rows: Rows) -> None:
        """Keep ``rows``, which were grouped elsewhere, for ``rows`` to return."""
        self._rows[kind, by, tuple(where.items())] = rows

    def rows(self, kind: str, by: tuple[str, ...], where: Where | None = None) -> Rows:
        """Return label values (in the order of ``by``) -> row, for each series that had an event.

        Raises:
            ValueError: The kind has no label of that name.
        """
        key = (kind, by, tuple((where or {}).items()))
        found = self._rows.get(key)
        if found is None:
            found = self._rows[key] = self._grouped(kind, by, where or {})
        return found

    def _grouped(self, kind: str, by: tuple[str, ...], where: Where) -> Rows:
        check_labels(kind, (*by, *where))
        table = self.pane.table(kind)
        if table is None:
            return Rows(None, self.window_ms)
        return Rows(self._groupings.of(table.kind, table.labels, by, where).fold(table), self.window_ms)

    def parts(
        self, kind: str, by: tuple[str, ...], rest: tuple[str, ...], where: Where
    ) -> dict[Values, dict[Values, SeriesRow]]:
        """Return label values of ``by`` -> those of ``rest`` -> row: what makes up each series.

        Grouped once, because a thousand alerts of one rule may fire in one moment.
        """
        key = (kind, by, rest, tuple(where.items()))
        found = self._parts.get(key)
        if found is None:
            found = self._parts[key] = {}
            for values, row in self.rows(kind, (*by, *rest), where).items():
                found.setdefault(values[: len(by)], {})[values[len(by) :]] = row
        return found

    def free_labels(self, kind: str) -> tuple[str, ...]:
        """Return the names of the free labels of a kind that any series has."""
        found = self._free.get(kind)
        if found is None:
            found = self._free[kind] = tuple(self.pane.free_labels(kind))
        return found
