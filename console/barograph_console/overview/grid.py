"""The points of a chart: from when to when, and how long each is. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from barograph_console.reading.query_plan import QueryError
from barograph_core.steps import Step
from barograph_core.store.cover import ceil_to, floor_to

RangeName = Literal["5m", "15m", "1h", "6h", "24h", "7d", "30d", "90d"]
_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 86_400_000
RANGES_MS: Final[dict[RangeName, int]] = {
    "5m": 5 * _MINUTE_MS,
    "15m": 15 * _MINUTE_MS,
    "1h": _HOUR_MS,
    "6h": 6 * _HOUR_MS,
    "24h": _DAY_MS,
    "7d": 7 * _DAY_MS,
    "30d": 30 * _DAY_MS,
    "90d": 90 * _DAY_MS,
}
# Longest range of each display step: the figures of these steps lie ready, so a chart costs no merge.
_DISPLAY: Final = (
    (RANGES_MS["5m"], 1_000),
    (RANGES_MS["1h"], 10_000),
    (RANGES_MS["24h"], _MINUTE_MS),
    (RANGES_MS["30d"], _HOUR_MS),
    (RANGES_MS["90d"], 6 * _HOUR_MS),
)
# An answer has an entry for each point, whether anything is kept of it or not.
_MOST_POINTS: Final = 10_000
_LONGEST_STEP_MS: Final = _DAY_MS
# A service that is this far behind has stopped: its charts end now, not when its last pane was closed.
_STOPPED_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Grid:
    """Points of ``step_ms`` each, the first of which begins at ``from_ms``."""

    from_ms: int
    step_ms: int
    points: int

    @property
    def to_ms(self) -> int:
        return self.from_ms + self.points * self.step_ms

    def shifted(self, offset_ms: int) -> "Grid":
        """Return the same points ``offset_ms`` earlier."""
        return Grid(self.from_ms - offset_ms, self.step_ms, self.points)


def newest_grid(range_ms: int, steps: Sequence[Step], *, closed_ms: int, now_ms: int) -> Grid:
    """Return the grid of the last ``range_ms``: it ends with the point that holds the newest closed pane."""
    is_stopped = now_ms - closed_ms > _STOPPED_MS
    end_ms = now_ms if is_stopped else closed_ms
    step_ms = display_step_ms(range_ms, steps, from_ms=end_ms - range_ms, now_ms=now_ms)
    to_ms = ceil_to(end_ms, step_ms)
    points = max(1, range_ms // step_ms)
    return Grid(max(0, to_ms - points * step_ms), step_ms, points)


def fixed_grid(from_ms: int, to_ms: int, steps: Sequence[Step], *, now_ms: int) -> Grid:
    """Return the grid over ``[from_ms, to_ms)``, both ends widened to whole points.

    Raises:
        QueryError: ``too_many_points``.
    """
    step_ms = display_step_ms(to_ms - from_ms, steps, from_ms=from_ms, now_ms=now_ms)
    start_ms = floor_to(from_ms, step_ms)
    points = (ceil_to(to_ms, step_ms) - start_ms) // step_ms
    if points > _MOST_POINTS:
        raise QueryError(
            "too_many_points", f"the range holds {points} points, more than {_MOST_POINTS}; ask a shorter range"
        )
    return Grid(start_ms, step_ms, points)


def display_step_ms(range_ms: int, steps: Sequence[Step], *, from_ms: int, now_ms: int) -> int:
    """Return how long a point of a chart over ``range_ms`` is: the stored step for that range that is kept far enough.

    Where the store has other steps than the usual ones, the next longer one of them is taken.
    """
    wanted_ms = next((step_ms for longest, step_ms in _DISPLAY if range_ms <= longest), _LONGEST_STEP_MS)
    kept = [step for step in steps if from_ms >= now_ms - step.keep_ms] or [steps[-1]]
    for step in kept:
        if step.step_ms >= wanted_ms:
            return step.step_ms
    coarsest_ms = kept[-1].step_ms
    return ceil_to(wanted_ms, coarsest_ms)
