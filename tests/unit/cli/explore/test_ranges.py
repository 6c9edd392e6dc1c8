"""The range as a request carries it."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from barograph_cli.explore.ranges import TimeRange, between, moment, newest


def test_the_newest_range_ends_now_and_moves() -> None:
    found = newest("15m")
    assert found.parameters() == [("from", "-900s"), ("to", "now")]
    assert found.moves


def test_chosen_times_are_of_the_viewers_clock() -> None:
    start, end = datetime.fromisoformat("2026-07-01T12:00"), datetime.fromisoformat("2026-07-01T13:00")
    found = between(start, end, ZoneInfo("Europe/Berlin"))
    assert found is not None
    assert found.parameters() == [("from", "1782900000000"), ("to", "1782903600000")]
    assert not found.moves


def test_a_range_that_ends_before_it_begins_is_none() -> None:
    assert between(datetime.fromisoformat("2026-07-01T13:00"), datetime.fromisoformat("2026-07-01T12:00"), UTC) is None


def test_a_time_is_shown_in_the_viewers_zone() -> None:
    assert f"{moment(1_782_900_000_000, ZoneInfo('Europe/Berlin')):%H:%M}" == "12:00"


def test_the_bounds_of_a_range_are_those_that_the_console_reads() -> None:
    assert newest("15m").bounds(1_000_000) == (100_000, 1_000_000)
    assert TimeRange("5000", "9000").bounds(1_000_000) == (5_000, 9_000)
