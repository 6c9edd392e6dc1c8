"""``[[times]]`` are spans of the clock on certain days, by the clock of their zone."""

from pathlib import Path

import pytest

from barograph_core.errors import Problem
from barograph_core.settings.config_file import parse_config
from barograph_core.text.timestamps import iso_ms
from barograph_notifier.routing.times import Times, first_inside, first_outside
from barograph_notifier.routing.times_reading import parse_times


def read(lines: str) -> tuple[Times | None, list[str]]:
    problems: list[Problem] = []
    times = parse_times(parse_config(f'[[times]]\nname = "t"\n{lines}\n', Path("barograph.toml")), problems)
    return times.get("t"), [str(problem) for problem in problems]


def times_of(lines: str) -> Times:
    times, problems = read(lines)
    assert problems == []
    assert times is not None
    return times


@pytest.mark.parametrize(
    ("lines", "moment", "is_inside"),
    [
        ("", "2026-03-04T12:00:00Z", True),
        ('from = "09:00"\nto = "17:30"', "2026-03-04T09:00:00Z", True),
        ('from = "09:00"\nto = "17:30"', "2026-03-04T17:29:59.999Z", True),
        # The end is not a part.
        ('from = "09:00"\nto = "17:30"', "2026-03-04T17:30:00Z", False),
        ('from = "09:00"\nto = "17:30"', "2026-03-04T08:59:59.999Z", False),
        ('from = "22:00"', "2026-03-04T23:59:59Z", True),
        ('to = "24:00"', "2026-03-04T23:59:59Z", True),
        ('to = "06:00"', "2026-03-04T05:59:00Z", True),
        # A span over midnight belongs to the day on which it begins: 2026-03-06 is a Friday.
        ('days = ["fri"]\nfrom = "22:00"\nto = "06:00"', "2026-03-06T22:00:00Z", True),
        ('days = ["fri"]\nfrom = "22:00"\nto = "06:00"', "2026-03-07T05:59:00Z", True),
        ('days = ["fri"]\nfrom = "22:00"\nto = "06:00"', "2026-03-06T05:59:00Z", False),
        ('days = ["fri"]\nfrom = "22:00"\nto = "06:00"', "2026-03-07T22:00:00Z", False),
        ('days_of_month = ["-1"]\nfrom = "22:00"\nto = "06:00"', "2026-03-01T03:00:00Z", True),
        ('days = ["Monday:Friday"]', "2026-03-07T12:00:00Z", False),
        ('days = ["sat:mon"]', "2026-03-09T12:00:00Z", True),
        ('days = ["sat:mon", "wed"]', "2026-03-10T12:00:00Z", False),
        ('days = ["sat:mon", "wed"]', "2026-03-11T12:00:00Z", True),
        ('days_of_month = ["1:7", "-1"]', "2026-02-07T12:00:00Z", True),
        ('days_of_month = ["1:7", "-1"]', "2026-02-08T12:00:00Z", False),
        ('days_of_month = ["1:7", "-1"]', "2026-02-28T12:00:00Z", True),
        ('days_of_month = ["-3:-1"]', "2024-02-27T12:00:00Z", True),
        ('days_of_month = ["-3:-1"]', "2024-02-26T12:00:00Z", False),
        ('days_of_month = ["29:31"]', "2026-02-28T12:00:00Z", False),
        ('days_of_month = ["-31"]', "2026-02-01T12:00:00Z", False),
        ('days_of_month = ["-31"]', "2026-03-01T12:00:00Z", True),
        ('months = ["nov:feb"]', "2026-01-31T23:59:00Z", True),
        ('months = ["nov:feb"]', "2026-03-01T00:00:00Z", False),
        ('zone = "America/New_York"\nto = "01:00"', "2026-03-04T05:30:00Z", True),
        # All that is given must hold.
        ('days = ["sun"]\nmonths = ["mar"]\ndays_of_month = ["1:7"]', "2026-03-08T12:00:00Z", False),
        # Berlin skips 02:00 to 03:00 on 2026-03-29, and repeats it on 2026-10-25.
        ('zone = "Europe/Berlin"\nfrom = "02:00"\nto = "03:00"', "2026-03-29T01:00:00Z", False),
        ('zone = "Europe/Berlin"\nfrom = "02:00"\nto = "03:00"', "2026-10-25T00:30:00Z", True),
        ('zone = "Europe/Berlin"\nfrom = "02:00"\nto = "03:00"', "2026-10-25T01:30:00Z", True),
    ],
)
def test_a_moment_is_inside_or_not(lines: str, moment: str, *, is_inside: bool) -> None:
    assert times_of(lines).contains(iso_ms(moment)) is is_inside


@pytest.mark.parametrize(
    ("lines", "after", "change"),
    [
        ('from = "09:00"\nto = "17:00"', "2026-03-04T12:00:00.500Z", "2026-03-04T17:00:00Z"),
        ('from = "09:00"\nto = "17:00"', "2026-03-04T17:00:00Z", "2026-03-05T09:00:00Z"),
        ('days = ["mon"]', "2026-03-04T12:00:00Z", "2026-03-09T00:00:00Z"),
        ('months = ["feb"]\ndays_of_month = ["28"]', "2026-03-01T00:00:00Z", "2027-02-28T00:00:00Z"),
        # The clock goes from 02:00 to 03:00: a span that would begin at 02:30 begins with the jump.
        ('zone = "Europe/Berlin"\nfrom = "02:30"', "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"),
        # It goes back from 03:00 to 02:00: a span that ends at 02:30 holds once more.
        ('zone = "Europe/Berlin"\nto = "02:30"', "2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z"),
        ('zone = "Europe/Berlin"\nto = "02:30"', "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z"),
        ('zone = "Europe/Berlin"\nto = "02:30"', "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z"),
        # Santiago skips midnight itself on 2026-09-06.
        ('zone = "America/Santiago"\ndays = ["sun"]', "2026-09-06T00:00:00Z", "2026-09-06T04:00:00Z"),
    ],
)
def test_the_next_change_is_known(lines: str, after: str, change: str) -> None:
    assert times_of(lines).change_after(iso_ms(after)) == iso_ms(change)


def test_what_never_changes_within_a_year_has_no_change() -> None:
    """Nothing waits for the next leap year."""
    assert times_of("").change_after(0) is None
    leap = times_of('months = ["feb"]\ndays_of_month = ["29"]')
    assert leap.change_after(iso_ms("2025-03-01T00:00:00Z")) is None
    assert first_inside([[leap]], iso_ms("2025-03-01T00:00:00Z")) is None


def test_several_times_hold_one_after_the_other() -> None:
    """A moment is muted while any of them holds."""
    evening, night = times_of('from = "18:00"\nto = "22:00"'), times_of('from = "21:00"\nto = "06:00"')
    begun = iso_ms("2026-03-04T19:00:00Z")
    assert first_outside([evening, night], begun) == iso_ms("2026-03-05T06:00:00Z")
    assert first_outside([night], begun) == begun
    assert first_inside([[night]], begun) == iso_ms("2026-03-04T21:00:00Z")
    assert first_outside([times_of('to = "12:00"'), times_of('from = "12:00"')], begun) is None


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            'zone = "Europe/Berln"',
            "zone: 'Europe/Berln' is not a time zone such as 'Europe/Berlin' or 'UTC'; did you mean",
        ),
        ('zone = "../etc"', "zone: '../etc' is not a time zone"),
        ('from = "9:00"', "from: must be a time of the day such as '09:00' or '17:30', not '9:00'"),
        ('from = "24:00"', "from: must be a time of the day"),
        ('to = "24:01"', "to: must be a time of the day"),
        ('from = "09:00"\nto = "09:00"', "to: is the same as 'from', so that no moment lies between"),
        ('days = ["mo"]', "days: 'mo' is none of mon, tue, wed, thu, fri, sat, sun; a range is mon:fri"),
        ('days = ["mon-fri"]', "days: 'mon-fri' is none of mon,"),
        ('days = ["mon:wed:fri"]', "days: 'mon:wed:fri' has more than a first and a last"),
        ('months = ["13"]', "months: '13' is none of jan, feb,"),
        ('days_of_month = ["0"]', "days_of_month: '0' is no day or range of days of a month"),
        ('days_of_month = ["7:1"]', "days_of_month: '7:1' ends before it begins"),
        ('days_of_month = ["-1:5"]', "days_of_month: '-1:5' ends before it begins"),
        ('tz = "UTC"', "tz: is not a key of this times"),
    ],
)
def test_a_mistake_is_named(line: str, words: str) -> None:
    times, problems = read(line)
    assert times is None
    assert len(problems) == 1
    assert f"times[1].{words}" in problems[0]
