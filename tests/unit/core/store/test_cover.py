"""Which stored panes make up a range of time."""

from barograph_core.steps import parse_keep
from barograph_core.store.cover import Run, cover

STEPS = parse_keep("1s:15m,10s:2h,1m:2d")


def test_the_newest_panes_of_each_step_are_read_at_the_next_finer_one() -> None:
    """A roll-up is made a moment after its last child is closed."""
    assert cover(STEPS, 600_000, 725_000, closed_through_ms=725_000, spare=1) == [
        Run(60_000, 600_000, 660_000),
        Run(10_000, 660_000, 710_000),
        Run(1_000, 710_000, 725_000),
    ]


def test_a_range_whose_fine_panes_have_expired_is_read_at_the_coarse_step_to_its_end() -> None:
    """Half an hour later the seconds are gone: tens of seconds, widened to whole panes, have to do."""
    now_ms = 725_000 + 1_800_000
    assert cover(STEPS, 600_000, 725_000, closed_through_ms=725_000, spare=1, now_ms=now_ms) == [
        Run(60_000, 600_000, 660_000),
        Run(10_000, 660_000, 730_000),
    ]


def test_a_range_that_is_long_closed_has_no_finer_end() -> None:
    """All its roll-ups are made."""
    assert cover(STEPS, 600_000, 720_000, closed_through_ms=999_000, spare=2) == [Run(60_000, 600_000, 720_000)]
