"""Figures as people read them."""

import pytest

from barograph_cli.explore.numbers import duration, number, percent


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "\N{EN DASH}"), (0, "0"), (0.1234, "0.12"), (7, "7"), (12.34, "12.3"), (123.4, "123"), (45678.9, "45,679")],
)
def test_digits_that_say_nothing_are_left_out(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("ms", "text"), [(4.09, "4.09 ms"), (999.0, "999 ms"), (1_160.0, "1.16 s"), (None, "\N{EN DASH}")]
)
def test_a_duration_has_the_unit_that_suits_it(ms: float | None, text: str) -> None:
    assert duration(ms) == text


def test_a_ratio_is_in_percent() -> None:
    assert percent(0.0281) == "2.81 %"
