"""Durations are read with their units and written back the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph_core.text.durations import format_duration, parse_duration_ms


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("250ms", 250),
        ("0s", 0),
        ("10s", 10_000),
        ("5m", 300_000),
        ("1h30m", 5_400_000),
        ("2d", 172_800_000),
        ("1m1ms", 60_001),
    ],
)
def test_a_duration_with_units_is_read(text: str, ms: int) -> None:
    """Every unit has its size, and units add up."""
    assert parse_duration_ms(text) == ms


@pytest.mark.parametrize(
    "text", ["", "10", "s", "1.5s", "-5s", "5 m", "5M", "30m1h", "1s2s", "1s\n", "\u0665s", "9" * 40 + "s"]
)
def test_what_is_no_duration_is_refused_by_name(text: str) -> None:
    """A bare number, a fraction, a wrong order: each is named in the error, none is guessed at."""
    with pytest.raises(ValueError, match="is not a duration such as '250ms'") as caught:
        parse_duration_ms(text)
    assert repr(text) in str(caught.value)


@given(st.integers(min_value=0, max_value=10**12))
def test_a_written_duration_reads_back(ms: int) -> None:
    """What ``format_duration`` writes, ``parse_duration_ms`` reads."""
    assert parse_duration_ms(format_duration(ms)) == ms


def test_a_negative_duration_is_shown_with_its_sign() -> None:
    """Figures for people may lie in the past."""
    assert format_duration(-90_000) == "-1m30s"
