"""Moments as people give them to --from and --to."""

import pytest

from barograph_cli.history.moments import format_moment, join_moments, parse_moment

NOW_MS = 1_772_366_400_000


@pytest.mark.parametrize(
    ("text", "expected_ms"),
    [
        ("2026-03-01T12:00:00Z", 1_772_366_400_000),
        ("2026-03-01T12:00:00", 1_772_366_400_000),
        ("2026-03-01T13:00:00+01:00", 1_772_366_400_000),
        ("2026-03-01T12:00:00.257Z", 1_772_366_400_257),
        ("2026-03-01", 1_772_323_200_000),
        ("1772366400257", 1_772_366_400_257),
        ("0", 0),
        ("now", NOW_MS),
        ("-1h", NOW_MS - 3_600_000),
        ("-1h30m", NOW_MS - 5_400_000),
    ],
)
def test_a_moment_is_iso_8601_milliseconds_or_a_duration_ago(text: str, expected_ms: int) -> None:
    assert parse_moment(text, NOW_MS) == expected_ms


@pytest.mark.parametrize(
    "text", ["", "yesterday", "1h", "-1", "-", "9" * 17, "12:00", "1969-12-31T23:59:59Z", "-99999d"]
)
def test_what_is_no_moment_is_refused_and_named(text: str) -> None:
    """A unit or a zone that is guessed wrong would show another hour as if it were the one asked for."""
    with pytest.raises(ValueError, match="moment"):
        parse_moment(text, NOW_MS)


def test_a_moment_is_shown_with_milliseconds_only_where_there_are_any() -> None:
    assert [format_moment(ms) for ms in (NOW_MS, NOW_MS + 7)] == ["2026-03-01T12:00:00Z", "2026-03-01T12:00:00.007Z"]


def test_a_duration_ago_may_stand_behind_its_flag() -> None:
    """argparse alone would take it for another option."""
    joined = join_moments(["--from", "-1h", "--to", "now", "-x", "--service", "-1"])
    assert joined == ["--from=-1h", "--to", "now", "-x", "--service", "-1"]
