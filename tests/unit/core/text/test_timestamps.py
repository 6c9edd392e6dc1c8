"""Moments as people give them to --from and --to, to a query and in files."""

import pytest

from barograph_core.text.timestamps import LATEST_MS, format_timestamp, iso_ms, parse_timestamp

NOW_MS = 1_772_366_400_000


@pytest.mark.parametrize(
    ("text", "expected_ms"),
    [
        ("2026-03-01T12:00:00Z", 1_772_366_400_000),
        ("2026-03-01T12:00:00", 1_772_366_400_000),
        ("2026-03-01 12:00:00", 1_772_366_400_000),
        ("2026-03-01T13:00:00+01:00", 1_772_366_400_000),
        ("2026-03-01T13:00:00 01:00", 1_772_366_400_000),
        ("2026-03-01 13:00:00+01:00", 1_772_366_400_000),
        ("2026-03-01T12:00:00.257Z", 1_772_366_400_257),
        ("2026-03-01T12:00:00.257999Z", 1_772_366_400_257),
        ("2026-03-01", 1_772_323_200_000),
        ("1772366400257", 1_772_366_400_257),
        (" 1772366400257 ", 1_772_366_400_257),
        ("0", 0),
        ("253402300799999", LATEST_MS),
        ("9999-12-31T23:59:59.999Z", LATEST_MS),
        ("now", NOW_MS),
        ("-1h", NOW_MS - 3_600_000),
        ("-1h30m", NOW_MS - 5_400_000),
    ],
)
def test_a_moment_is_iso_8601_milliseconds_or_a_duration_ago(text: str, expected_ms: int) -> None:
    """In whole ms, which no float has rounded; a plus sign that an address lost is forgiven."""
    assert parse_timestamp(text, NOW_MS) == expected_ms


@pytest.mark.parametrize(
    "text", ["", "yesterday", "1h", "-1", "-", "--1m", "-15", "1e9", "12:00", "٣", "9" * 5_000 + "x"]
)
def test_what_is_no_moment_is_refused_and_named(text: str) -> None:
    """A unit or a zone that is guessed wrong would show another hour as if it were the one asked for."""
    with pytest.raises(ValueError, match=r"is no moment: write .{,120}$"):
        parse_timestamp(text, NOW_MS)


@pytest.mark.parametrize(
    "text",
    [
        *("1969-12-31T23:59:59Z", "0001-01-01", "0001-01-01T00:00:00+14:00", "-99999d"),
        *("253402300800000", "999999999999999", "9" * 17, "9" * 5_000, "9999-12-31T23:59:59-01:00"),
    ],
)
def test_a_moment_lies_in_the_years_1970_to_9999(text: str) -> None:
    """Beyond them it could not be shown as a date: the command would end in a traceback, after all its work."""
    with pytest.raises(ValueError, match=r"is no moment of the years 1970 to 9999$"):
        parse_timestamp(text, NOW_MS)


@pytest.mark.parametrize(
    ("text", "expected_ms"), [("1969-12-31T23:59:59.999Z", -1), ("0001-01-01", -62_135_596_800_000)]
)
def test_a_date_before_the_epoch_is_negative(text: str, expected_ms: int) -> None:
    """Whoever reads a file says what that means."""
    assert iso_ms(text) == expected_ms


def test_a_moment_is_shown_with_milliseconds_only_where_there_are_any() -> None:
    assert [format_timestamp(ms) for ms in (NOW_MS, NOW_MS + 7)] == ["2026-03-01T12:00:00Z", "2026-03-01T12:00:00.007Z"]


def test_a_time_that_no_date_has_is_shown_as_it_is() -> None:
    """Ids of entries that other programs wrote may lie anywhere."""
    shown = [format_timestamp(ms) for ms in (LATEST_MS, LATEST_MS + 1)]
    assert shown == ["9999-12-31T23:59:59.999Z", "253402300800000 ms"]
