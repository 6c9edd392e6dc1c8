"""The steps of the query store, as they are written in settings."""

import pytest

from barograph_core.steps import Step, parse_keep


def test_a_block_spans_one_pane_of_the_next_step() -> None:
    """The children of a roll-up lie in one key."""
    assert parse_keep("1s:15m,10s:2h") == (Step(1_000, 900_000, 10_000), Step(10_000, 7_200_000, 240_000))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1s", "not of the form"),
        ("1s:15m,", "not of the form"),
        ("0s:15m,10s:2h", "longer than 0"),
        ("1s:15m,10s:1s", "no longer than kept"),
        ("10s:15m,1s:2h", "not a multiple"),
        ("1s:15m,1500ms:2h", "not a multiple"),
        ("1s:5s,10s:2h", "less than one step of 10000 ms"),
    ],
)
def test_steps_that_cannot_work_are_named(text: str, problem: str) -> None:
    """At start, with what is wrong; later they would be divisions by zero or panes that expire at once."""
    with pytest.raises(ValueError, match=problem):
        parse_keep(text)
