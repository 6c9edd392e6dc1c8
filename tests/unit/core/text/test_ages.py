"""Times as people read them."""

import pytest

from barograph_core.text.ages import format_time


@pytest.mark.parametrize(
    ("ms", "expected"),
    [
        (1_700_000_000_123, "22:13:20.123"),
        (253_402_300_799_999, "23:59:59.999"),
        (253_402_300_800_000, "253402300800000 ms"),
    ],
)
def test_a_time_is_a_time_of_day_as_long_as_there_are_dates(ms: int, expected: str) -> None:
    assert format_time(ms) == expected
