"""Numbers as templates show them."""

import pytest

from barograph_core.templates.numbers import ms, percent


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.84, "0.8 ms"), (512.4, "512 ms"), (1_500.0, "1.50 s"), (None, "no data")],
)
def test_milliseconds_are_shown_in_a_fitting_unit(value: float | None, expected: str) -> None:
    assert ms(value) == expected


@pytest.mark.parametrize(("value", "expected"), [(0.12345, "12.3 %"), (1.0, "100.0 %"), (None, "no data")])
def test_ratios_are_shown_as_percentages(value: float | None, expected: str) -> None:
    assert percent(value) == expected
