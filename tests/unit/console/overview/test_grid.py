import pytest

from barograph_console.overview.grid import Grid, fixed_grid, newest_grid
from barograph_core.steps import DEFAULT_KEEP, parse_keep

STEPS = parse_keep(DEFAULT_KEEP)
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
# 22:13:20 of a day.
NOW = 1_700_000_000_000


@pytest.mark.parametrize(
    ("range_ms", "step_ms", "points"),
    [
        (5 * MINUTE, 1_000, 300),
        (15 * MINUTE, 10_000, 90),
        (HOUR, 10_000, 360),
        (6 * HOUR, MINUTE, 360),
        (DAY, MINUTE, 1_440),
        (7 * DAY, HOUR, 168),
        (30 * DAY, HOUR, 720),
        (90 * DAY, 6 * HOUR, 360),
    ],
)
def test_each_range_has_the_step_whose_figures_lie_ready(range_ms: int, step_ms: int, points: int) -> None:
    """And the last point is the one that holds the newest closed pane."""
    grid = newest_grid(range_ms, STEPS, closed_ms=NOW - 600, now_ms=NOW)
    assert (grid.step_ms, grid.points) == (step_ms, points)
    assert grid.to_ms - step_ms < NOW - 600 <= grid.to_ms
    assert grid.from_ms % step_ms == 0


def test_charts_of_a_stopped_service_end_now() -> None:
    """Its last pane may be days old: an hour that ended then would show nothing that is still kept."""
    grid = newest_grid(HOUR, STEPS, closed_ms=NOW - DAY, now_ms=NOW)
    assert grid.to_ms == NOW


def test_a_fixed_range_is_widened_to_whole_points() -> None:
    assert fixed_grid(NOW - 300_500, NOW - 500, STEPS, now_ms=NOW) == Grid(NOW - 301_000, 1_000, 301)


def test_an_old_range_takes_the_step_that_is_still_kept() -> None:
    """Seconds are kept for 15 minutes and minutes for two days: of five minutes a week ago only hours remain."""
    assert fixed_grid(NOW - 7 * DAY, NOW - 7 * DAY + 5 * MINUTE, STEPS, now_ms=NOW).step_ms == HOUR
    assert fixed_grid(NOW - DAY, NOW - DAY + 5 * MINUTE, STEPS, now_ms=NOW).step_ms == MINUTE


def test_a_store_of_other_steps_still_has_points() -> None:
    """The next longer stored step is taken, and a multiple of the longest where none is long enough."""
    steps = parse_keep("2s:1h,30s:1d")
    assert newest_grid(HOUR, steps, closed_ms=NOW, now_ms=NOW).step_ms == 30_000
    assert newest_grid(5 * MINUTE, steps, closed_ms=NOW, now_ms=NOW).step_ms == 2_000
    assert newest_grid(DAY, steps, closed_ms=NOW, now_ms=NOW).step_ms == MINUTE
