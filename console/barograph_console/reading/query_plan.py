"""Chooses which stored panes answer a query. Pure."""

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from barograph_core.steps import Step
from barograph_core.store.cover import Run, ceil_to, cover, floor_to
from barograph_core.text.durations import format_duration

# Where no step is asked: about as many points as a chart has room for.
_AUTO_POINTS: Final = 300
_READY_POINTS: Final = (60, 1_500)
_AUTO_STEPS_MS: Final = tuple(
    seconds * 1_000
    for seconds in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400)
)


class QueryError(ValueError):
    """A query that cannot be answered as it is. ``code`` names why, for programs."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """How a query is answered.

    Attributes:
        step_ms: Length of a point; ``None`` for one point over the range.
        from_ms: Where the first run begins; ``to_ms`` where the last ends, the same where there is none.
        runs: What to read, ascending, without overlap: the coarse body, then a finer tail for what has
            no roll-up yet. None of them is empty; there is none when all of the range has expired or none of it
            is closed.
        covered_from_ms: Earlier panes may have expired; equal to ``from_ms`` when the whole range is kept.
    """

    step_ms: int | None
    from_ms: int
    to_ms: int
    runs: tuple[Run, ...]
    covered_from_ms: int

    def bucket_of(self, start_ms: int) -> int:
        """Return the start of the point that the pane at ``start_ms`` belongs to."""
        return self.from_ms if self.step_ms is None else floor_to(start_ms, self.step_ms)


def auto_steps_ms(steps: Sequence[Step], from_ms: int, to_ms: int, now_ms: int) -> list[int]:
    """Return the steps to try where none is asked, the last of which is for an answer with many series.

    First comes the finest roll-up that gives 60 to 1,500 points: its figures lie ready, while any other step
    is merged from panes. Last comes one of about 300 points.
    """
    covering = [step for step in steps if from_ms >= now_ms - step.keep_ms] or [steps[-1]]
    ready = [step.step_ms for step in covering if step is not steps[0] and _suits(step, to_ms - from_ms)]
    wanted = max((to_ms - from_ms) / _AUTO_POINTS, covering[0].step_ms)
    index = bisect.bisect_left(_AUTO_STEPS_MS, wanted)
    step_ms = _AUTO_STEPS_MS[min(index, len(_AUTO_STEPS_MS) - 1)]
    return [*ready[:1], ceil_to(step_ms, covering[0].step_ms)]


def _suits(step: Step, range_ms: int) -> bool:
    return _READY_POINTS[0] <= range_ms / step.step_ms <= _READY_POINTS[1]


def plan_query(
    steps: Sequence[Step],
    *,
    from_ms: int,
    to_ms: int,
    step_ms: int | None,
    closed_through_ms: int,
    now_ms: int,
    max_points: int,
    pending: Sequence[tuple[int, int]] = (),
) -> QueryPlan:
    """Choose the stored steps for a range.

    The body is read at the coarsest step that divides the asked one and is kept as far back as ``from_ms``;
    for one point over all, the coarsest on which both ends fall, else the finest kept far enough. What lies
    less than two coarse panes behind ``closed_through_ms`` has perhaps no roll-up yet and is read at finer
    steps. The ends are widened to whole stored panes, and cut at ``closed_through_ms``; the first and last point
    hold only what lies between them.

    Args:
        steps: Of the store, from fine to coarse.
        from_ms: First moment, included.
        to_ms: Last moment, excluded.
        step_ms: Length of a point, ``None`` for one point over the range.
        closed_through_ms: Everything before it is closed.
        now_ms: Tells what has expired.
        max_points: The most points a series may have.
        pending: Step and start of the roll-ups that are still to be made.

    Raises:
        QueryError: ``empty_range``, ``bad_step`` or ``too_many_points``.
    """
    if from_ms >= to_ms:
        raise QueryError("empty_range", f"from ({from_ms}) must lie before to ({to_ms})")
    # Keys that expired long ago, or that nothing can have written yet, are not asked for.
    high = min(to_ms, closed_through_ms)
    ladder = _ladder(steps, from_ms, high, step_ms, now_ms)
    coarsest = ladder[-1]
    kept_from_ms = now_ms - coarsest.keep_ms
    low = max(from_ms, kept_from_ms - coarsest.span_ms)
    if low >= high:
        at_ms = floor_to(high, coarsest.step_ms)
        return QueryPlan(step_ms, at_ms, at_ms, (), max(at_ms, kept_from_ms))
    points = 1 if step_ms is None else (ceil_to(high, step_ms) - floor_to(low, step_ms)) // step_ms
    if points > max_points:
        raise QueryError(
            "too_many_points", f"the range holds {points} points, more than {max_points}; ask a larger step"
        )
    runs = tuple(cover(ladder, low, high, closed_through_ms=closed_through_ms, spare=1, pending=pending, now_ms=now_ms))
    starts_ms, ends_ms = runs[0].from_ms, runs[-1].to_ms
    covered_from_ms = starts_ms if from_ms >= kept_from_ms else kept_from_ms
    return QueryPlan(step_ms, starts_ms, ends_ms, runs, covered_from_ms)


def _ladder(steps: Sequence[Step], from_ms: int, to_ms: int, step_ms: int | None, now_ms: int) -> list[Step]:
    """Return the steps to read at, from the finest to the coarsest that suits."""
    dividing = [step for step in steps if step_ms is None or step_ms % step.step_ms == 0]
    if not dividing:
        finest = format_duration(steps[0].step_ms)
        raise QueryError("bad_step", f"the step must be a multiple of {finest}, the finest stored step")
    covering = [step for step in dividing if from_ms >= now_ms - step.keep_ms]
    if not covering:
        top = max(dividing, key=lambda step: step.keep_ms)
    elif step_ms is None:
        exact = [step for step in covering if from_ms % step.step_ms == 0 == to_ms % step.step_ms]
        top = exact[-1] if exact else covering[0]
    else:
        top = covering[-1]
    return [step for step in dividing if step.step_ms <= top.step_ms]
