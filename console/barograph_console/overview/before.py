"""What the charts are compared with: the same points a day before, or an hour before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field

from barograph_console.overview.grid import Grid
from barograph_console.overview.history import History
from barograph_console.reading.panes import Reading
from barograph_console.serving.numbers import Finite, significant
from barograph_core.steps import Step
from barograph_core.store.cover import ceil_to, floor_to

CompareName = Literal["auto", "1d", "1h", "none"]
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
OFFSETS_MS: Final[dict[CompareName, tuple[int, ...]]] = {
    "auto": (DAY_MS, HOUR_MS),
    "1d": (DAY_MS,),
    "1h": (HOUR_MS,),
    "none": (),
}


@dataclass(frozen=True, slots=True)
class Before:
    """Figures by point of the same grid, each ``offset_ms`` earlier.

    Panes so old may only be kept at a longer step: then their counts are spread evenly over its points.
    """

    offset_ms: int
    step_ms: Annotated[int, Field(description="length of the stored points; counts are spread over it evenly")]
    requests: list[Finite | None]
    errors: list[Finite | None]
    p95_ms: list[Finite | None]


def read_before(reading: Reading, grid: Grid, compare: CompareName, read: Callable[[Grid], History]) -> Before | None:
    """Return the first comparison that had a request, ``None`` without any.

    Args:
        reading: Of the service.
        grid: The points to compare.
        compare: Which comparisons are asked for, in the order of preference.
        read: Reads the charts of a grid.
    """
    for offset_ms in OFFSETS_MS[compare]:
        shifted = grid.shifted(offset_ms)
        step_ms = _kept_step_ms(shifted, reading.steps, reading.now_ms)
        if step_ms is None or shifted.from_ms < 0:
            continue
        start_ms = floor_to(shifted.from_ms, step_ms)
        coarse = Grid(start_ms, step_ms, (ceil_to(shifted.to_ms, step_ms) - start_ms) // step_ms)
        history = read(coarse)
        if not history.is_empty:
            return _spread(history, coarse, shifted, offset_ms)
    return None


def _kept_step_ms(grid: Grid, steps: Sequence[Step], now_ms: int) -> int | None:
    """Return the shortest stored step that is as long as a point, or whole points long, and kept so far back."""
    for step in steps:
        fits = step.step_ms % grid.step_ms == 0 or grid.step_ms % step.step_ms == 0
        if fits and grid.from_ms >= now_ms - step.keep_ms:
            return max(step.step_ms, grid.step_ms)
    return None


def _spread(history: History, coarse: Grid, shifted: Grid, offset_ms: int) -> Before:
    share = shifted.step_ms / coarse.step_ms
    places = [
        (shifted.from_ms + point * shifted.step_ms - coarse.from_ms) // coarse.step_ms
        for point in range(shifted.points)
    ]
    columns = history.columns
    requests = [_share(count, share) for count in columns.requests]
    errors = [_share(count, share) for count in columns.errors]
    return Before(
        offset_ms=offset_ms,
        step_ms=coarse.step_ms,
        requests=[requests[place] for place in places],
        errors=[errors[place] for place in places],
        p95_ms=[columns.p95_ms[place] for place in places],
    )


def _share(count: int | None, share: float) -> float | None:
    if count is None:
        return None
    return count if share == 1 else significant(count * share)
