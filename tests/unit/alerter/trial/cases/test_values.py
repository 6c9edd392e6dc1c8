"""The notation of series."""

import pytest

from barograph_alerter.trial.cases.values import ValuesError, parse_values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", [5.0]),
        ("0x2 5x1", [0.0, 0.0, 0.0, 5.0, 5.0]),
        ("_ 4 _x3", [None, 4.0, None, None, None]),
        ("1+2x3", [1.0, 3.0, 5.0, 7.0]),
        ("1-2x4", [1.0, -1.0, -3.0, -5.0, -7.0]),
        ("-2+4x3", [-2.0, 2.0, 6.0, 10.0]),
        ("0.5+.5x1 1e3", [0.5, 1.0, 1_000.0]),
        ("5x0", [5.0]),
    ],
)
def test_a_series_is_written_as_for_promtool(text: str, expected: list[float | None]) -> None:
    """``5x3`` is 5 and three more of it; ``_x3`` is nothing three times."""
    assert parse_values(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no values"),
        ("5x", "'5x' is no item such as 5, 5x3"),
        ("five", "'five' is no item"),
        ("1+2", "'1+2' is no item"),
        ("_+1x3", "'_+1x3' is no item"),
        ("5x-3", "'5x-3' is no item"),
        ("inf", "'inf' is no item"),
        ("1e400", "'1e400' is not finite"),
        ("5x1000000", "has more than 1,000,000 values"),
        ("5x99999999", "'5x99999999' is no item"),
    ],
)
def test_another_form_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValuesError, match="^" + message.replace("(", r"\(").replace("+", r"\+")):
        parse_values(text)
