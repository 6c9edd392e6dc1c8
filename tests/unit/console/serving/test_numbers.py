import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph_console.serving.numbers import known_each, significant, significant_each


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (1 / 3, 0.333333),
        (83.75789055999999, 83.7579),
        (0.0, 0.0),
        (1_234_567.0, 1_234_570.0),
        (-2 / 3, -0.666667),
        (999_999.6, 1_000_000.0),
        (1e-300, 1e-300),
        (1.2345678e150, 1.23457e150),
        (math.nan, None),
        (math.inf, None),
    ],
)
def test_a_number_is_sent_with_six_significant_digits(value: float, sent: float | None) -> None:
    assert significant(value) == sent


@given(st.lists(st.floats(-1e150, 1e150) | st.floats(-1e6, 1e6), max_size=20))
def test_columns_are_rounded_as_single_numbers_are(values: list[float]) -> None:
    """A figure is the same in a row, in a chart and in the answer of a query."""
    assert significant_each(np.array(values, np.float64)).tolist() == [significant(value) for value in values]


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e150, max_value=1e150))
def test_rounding_is_close_and_short(value: float) -> None:
    """Within half a digit of the sixth, and rounded once and for all."""
    sent = significant(value)
    assert sent is not None
    assert abs(sent - value) <= abs(value) * 5.1e-6
    assert significant(sent) == sent
    assert len(repr(sent).partition("e")[0].strip("-").replace(".", "").strip("0")) <= 6


def test_what_is_not_known_is_none() -> None:
    known = known_each(np.array([1.0, 2.0, math.inf]), np.array([True, False, True]))
    assert known == [1.0, None, None]
    assert known_each(np.array([0.123456789]), np.array([True])) == [0.123457]
