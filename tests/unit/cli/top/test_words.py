"""Figures as they are written, at the edges of their forms."""

import pytest

from barograph_cli.top.words import milliseconds, per_minute, percent, plain, span, sparkline


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (None, "–"),
        (0.0, "0 %"),
        (0.00001, "<0.01 %"),
        (0.0042, "0.42 %"),
        (0.131, "13.1 %"),
        (0.99949, "99.9 %"),
        (1.0, "100 %"),
    ],
)
def test_a_ratio_is_written_in_percent(ratio: float | None, text: str) -> None:
    assert percent(ratio) == text


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (None, "–"),
        (0.0, "0.00 ms"),
        (0.994, "0.99 ms"),
        (0.999, "1.0 ms"),
        (9.96, "10 ms"),
        (999.4, "999 ms"),
        (999.6, "1.00 s"),
        (12_340.0, "12.3 s"),
        (123_400.0, "123 s"),
    ],
)
def test_a_duration_has_three_digits_and_its_unit(ms: float | None, text: str) -> None:
    assert milliseconds(ms) == text


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (-5, "0 s"),
        (59_400, "59 s"),
        (60_000, "1 min"),
        (90_000, "1.5 min"),
        (3_599_000, "59 min"),
        (7_500_000, "2 h 5 min"),
        (7_200_000, "2 h"),
        (90_000_000, "1 d"),
    ],
)
def test_a_span_is_written_in_its_largest_units(ms: float, text: str) -> None:
    assert span(ms) == text


def test_a_part_of_a_minute_is_scaled_to_a_minute() -> None:
    assert per_minute(3_000, 30_000) == 6_000
    assert per_minute(3_000, 0) == 3_000


def test_figures_without_a_unit_have_three_digits() -> None:
    assert [plain(value) for value in (None, 0.61234, 12_345.6)] == ["–", "0.612", "12,346"]


def test_a_course_shows_gaps_and_is_measured_by_its_largest_value() -> None:
    assert sparkline([0.0, None, 5.0, 10.0]) == "▁ ▅█"
    assert sparkline([None, float("nan"), 0.0]) == "  ▁"


def test_a_course_far_below_what_matters_is_flat() -> None:
    assert sparkline([0.001, 0.002], least=0.05) == "▁▁"
