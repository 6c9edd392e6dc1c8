"""Times of a week, a month and a year, against a plain model that has nothing of ours and nothing of ``zoneinfo``."""

import calendar
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from barograph_notifier.routing.route import Route
from barograph_notifier.routing.routing import Routing
from barograph_notifier.routing.times import Times
from tests.unit.notifier.samples import transition

_ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Santiago")
_BEGIN_S = calendar.timegm((2026, 1, 1, 0, 0, 0))
_YEAR_S = 365 * 86_400
_DAYS = st.one_of(st.integers(1, 31), st.integers(-31, -1))
_MINUTES = st.one_of(st.integers(0, 1_440), st.sampled_from((0, 60, 120, 150, 180, 1_380, 1_440)))
# Near a change of a clock, and anywhere in the year.
_CHANGES = tuple(
    calendar.timegm(moment)
    for moment in (
        (2026, 3, 29, 1, 0, 0),
        (2026, 10, 25, 1, 0, 0),
        (2026, 3, 8, 7, 0, 0),
        (2026, 11, 1, 6, 0, 0),
        (2026, 4, 4, 15, 0, 0),
        (2026, 10, 3, 15, 30, 0),
        (2026, 4, 5, 3, 0, 0),
        (2026, 9, 6, 4, 0, 0),
    )
)
_MOMENTS = st.one_of(
    st.integers(_BEGIN_S, _BEGIN_S + _YEAR_S),
    st.tuples(st.sampled_from(_CHANGES), st.integers(-90_000, 90_000)).map(sum),
)


@st.composite
def _some_times(draw: st.DrawFn) -> Times:
    begin = draw(_MINUTES.filter(lambda minute: minute < 1_440))
    return Times(
        name="t",
        zone=ZoneInfo(draw(st.sampled_from(_ZONES))),
        begin=begin,
        end=draw(_MINUTES.filter(lambda minute: minute != begin)),
        weekdays=draw(st.frozensets(st.integers(0, 6), max_size=4)),
        days_of_month=tuple(draw(st.lists(st.tuples(_DAYS, _DAYS), max_size=2))),
        months=draw(st.frozensets(st.integers(1, 12), max_size=6)),
    )


@contextmanager
def _clock_on_the_wall(zone: str) -> Generator[None]:
    """Let ``time.localtime`` be that of ``zone``, by the C library and its own reading of the zone's data."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = zone
    time.tzset()
    try:
        yield
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()


def _is_named(times: Times, year: int, month: int, day: int) -> bool:
    length = calendar.monthrange(year, month)[1]
    # Every number that names this day: from the front and from the back.
    ranges = [
        (first if first > 0 else length + 1 + first, last if last > 0 else length + 1 + last)
        for first, last in times.days_of_month
    ]
    return (
        (not times.weekdays or calendar.weekday(year, month, day) in times.weekdays)
        and (not times.months or month in times.months)
        and (not ranges or any(day in range(first, last + 1) for first, last in ranges))
    )


def _model(times: Times, at_s: int) -> bool:
    """Say the same by listing the minutes of the day before and of the day."""
    local = time.localtime(at_s)
    minute = local.tm_hour * 60 + local.tm_min
    yesterday = time.gmtime(calendar.timegm((local.tm_year, local.tm_mon, local.tm_mday, 0, 0, 0)) - 86_400)
    spans: list[range] = []
    for days_ago, day in ((0, local), (1, yesterday)):
        if _is_named(times, day.tm_year, day.tm_mon, day.tm_mday):
            end = times.end if times.end > times.begin else times.end + 1_440
            spans.append(range(times.begin - days_ago * 1_440, end - days_ago * 1_440))
    return any(minute in span for span in spans)


@settings(max_examples=400, deadline=None)
@given(times=_some_times(), at_s=_MOMENTS)
def test_a_moment_is_inside_exactly_when_the_model_says_so(times: Times, at_s: int) -> None:
    with _clock_on_the_wall(times.zone.key):
        is_inside = _model(times, at_s)
    assert times.contains(at_s * 1_000 + 999) is is_inside


@settings(max_examples=100, deadline=None)
@given(times=_some_times(), at_s=_MOMENTS)
def test_the_next_change_is_the_first_minute_with_another_answer(times: Times, at_s: int) -> None:
    """Looked for minute by minute over two days."""
    with _clock_on_the_wall(times.zone.key):
        now = _model(times, at_s)
        minutes = range(at_s // 60 * 60 + 60, at_s + 2 * 86_400, 60)
        expected = next((minute * 1_000 for minute in minutes if _model(times, minute) is not now), None)
    change = times.change_after(at_s * 1_000)
    if expected is None:
        assert change is None or change >= minutes.stop * 1_000
    else:
        assert change == expected


@settings(max_examples=80, deadline=None)
@given(
    several=st.lists(st.tuples(_some_times(), _some_times(), st.booleans()), min_size=1, max_size=4),
    at_s=_MOMENTS,
)
def test_channels_by_time_are_those_of_a_plain_walk(several: list[tuple[Times, Times, bool]], at_s: int) -> None:
    """A route takes the alert when it is active, and sends at once unless it is muted."""
    routes = [
        Route(number=number, channels=(str(number),), active=(active,), mute=(mute,), continues=continues)
        for number, (active, mute, continues) in enumerate(several)
    ]
    at_once: set[str] = set()
    has_taken = False
    for number, (active, mute, continues) in enumerate(several):
        if _holds(active, at_s):
            has_taken = True
            at_once |= set() if _holds(mute, at_s) else {str(number)}
            if not continues:
                break
    due = Routing(routes).channels_of(transition(), at_s * 1_000)
    assert {name for name, from_ms in due.items() if from_ms == at_s * 1_000} == at_once
    for name, from_ms in due.items():
        assert not _holds(several[int(name)][1], from_ms // 1_000)
        assert has_taken or from_ms > at_s * 1_000


def _holds(times: Times, at_s: int) -> bool:
    with _clock_on_the_wall(times.zone.key):
        return _model(times, at_s)
