"""Chooses the stored panes that make up a range of time: coarse ones for most of it, fine ones for its end. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from barograph_core.steps import Step

# Panes of a window at least: its length is then wrong by 1/60 at most.
_PANES_PER_WINDOW: Final = 60


@dataclass(frozen=True, slots=True)
class Run:
    """Panes of one stored step that begin in ``[from_ms, to_ms)``; both are multiples of ``step_ms``."""

    step_ms: int
    from_ms: int
    to_ms: int


def floor_to(time_ms: int, step_ms: int) -> int:
    return time_ms - time_ms % step_ms


def ceil_to(time_ms: int, step_ms: int) -> int:
    return -(-time_ms // step_ms) * step_ms


def coarsest_step(span_ms: int, reach_ms: int, steps: Sequence[Step]) -> int | None:
    """Return the index of the step at which the oldest part of a window is read.

    The coarsest step of at most 1/60 of the window; a coarser one where that is not kept for long enough.
    ``None`` when no step is kept for the window.

    Args:
        span_ms: Length of the window.
        reach_ms: How far back from now it begins.
        steps: Of the store, from the finest to the coarsest.
    """
    first = max((i for i, step in enumerate(steps) if step.step_ms * _PANES_PER_WINDOW <= span_ms), default=0)
    for index in range(first, len(steps)):
        if steps[index].keep_ms >= reach_ms + steps[index].step_ms:
            return index
    return None


def cover(
    steps: Sequence[Step],
    from_ms: int,
    to_ms: int,
    *,
    closed_through_ms: int,
    spare: int,
    pending: Sequence[tuple[int, int]] = (),
    now_ms: int | None = None,
) -> list[Run]:
    """Return the runs that make up ``[from_ms, to_ms)``: ascending, without overlap, none of them empty.

    A roll-up is made a moment after its last child is closed, so the newest panes of each step are read at
    the next finer one. Both ends are widened to whole panes of the steps that they fall on.

    Args:
        steps: What to read at, from the finest to the coarsest.
        from_ms: First moment, included.
        to_ms: Last moment, excluded.
        closed_through_ms: Every pane of the finest step before it is closed.
        spare: Number of closed panes of each coarse step that may have no roll-up yet.
        pending: Step and start of each roll-up that is still to be made, as after a pause of the aggregators: it, and
            what is made of it, is read at finer steps where those are kept. What is not stored would count as empty.
        now_ms: Moment that decides which panes have expired: what is not kept at the finer step is read at the
            coarser one to the end. ``None``: all are kept.
    """
    runs: list[Run] = []
    for index in range(len(steps) - 1, -1, -1):
        step_ms = steps[index].step_ms
        unmade_ms = [start_ms for pending_ms, start_ms in pending if pending_ms <= step_ms]
        end_ms = floor_to(min(to_ms, closed_through_ms - spare * step_ms, *unmade_ms), step_ms)
        is_last = index == 0 or (now_ms is not None and max(from_ms, end_ms) < now_ms - steps[index - 1].keep_ms)
        if is_last:
            end_ms = ceil_to(to_ms, step_ms)
        if end_ms > from_ms:
            runs.append(Run(step_ms, floor_to(from_ms, step_ms), end_ms))
            from_ms = end_ms
        if is_last or from_ms >= to_ms:
            break
    return runs
