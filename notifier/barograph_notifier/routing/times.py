"""Times of the week, the month and the year by the clock of a zone: ``[[times]]``. Pure."""

from calendar import monthrange
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

DAY_MINUTES: Final = 1_440
# Beyond a year and a month nothing that waits would be of use.
_LOOK_AHEAD_DAYS: Final = 400
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """One ``[[times]]``: a span of the clock on certain days. What is empty means all.

    The clock is that on the wall: an hour that it skips is in no span, and one that it repeats is in a span twice.

    Attributes:
        name: By which routes name it.
        begin: First minute of the day, 0 to 1,439.
        end: The minute after the last, 1 to 1,440. At or before ``begin`` it is one of the next day; the span then
            belongs to the day on which it begins.
        weekdays: 0 is Monday.
        days_of_month: First and last of each range; -1 is the last day of a month.
        months: 1 to 12.
    """

    name: str
    zone: ZoneInfo
    begin: int = 0
    end: int = DAY_MINUTES
    weekdays: frozenset[int] = frozenset()
    days_of_month: tuple[tuple[int, int], ...] = ()
    months: frozenset[int] = frozenset()

    def contains(self, at_ms: int) -> bool:
        """Say whether the moment, in ms since the epoch, is one of these times."""
        local = datetime.fromtimestamp(at_ms // 1_000, self.zone)
        minute, today = local.hour * 60 + local.minute, local.date()
        if self.begin < self.end:
            return self.begin <= minute < self.end and self._has_day(today)
        return (minute >= self.begin and self._has_day(today)) or (minute < self.end and self._has_day(today - _DAY))

    def change_after(self, at_ms: int) -> int | None:
        """Return the first later moment for which ``contains`` has another answer, ``None`` if there is none soon."""
        state = self.contains(at_ms)
        for candidate in self._candidates(at_ms):
            if candidate > at_ms and self.contains(candidate) is not state:
                return candidate
        return None

    def _has_day(self, day: date) -> bool:
        return (
            (not self.weekdays or day.weekday() in self.weekdays)
            and (not self.months or day.month in self.months)
            and (not self.days_of_month or self._has_day_of_month(day))
        )

    def _has_day_of_month(self, day: date) -> bool:
        length = monthrange(day.year, day.month)[1]
        return any(
            _from_start(first, length) <= day.day <= _from_start(last, length) for first, last in self.days_of_month
        )

    def _candidates(self, at_ms: int) -> Iterator[int]:
        """Yield in order all moments, in ms, at which the answer can change, from the day of ``at_ms`` on."""
        day = datetime.fromtimestamp(at_ms // 1_000, self.zone).date()
        start_s = _midnight_s(day, self.zone)
        for _ in range(_LOOK_AHEAD_DAYS):
            day += _DAY
            end_s = _midnight_s(day, self.zone)
            # On a day on which the clock is set, any minute may follow on any other.
            is_regular = end_s - start_s == DAY_MINUTES * 60
            minutes = sorted({0, self.begin, self.end % DAY_MINUTES}) if is_regular else range((end_s - start_s) // 60)
            yield from ((start_s + minute * 60) * 1_000 for minute in minutes)
            start_s = end_s


def any_contains(several: Sequence[Times], at_ms: int) -> Times | None:
    """Return the first of ``several`` that contains the moment."""
    return next((times for times in several if times.contains(at_ms)), None)


def first_outside(several: Sequence[Times], at_ms: int) -> int | None:
    """Return the first moment from ``at_ms`` on that none of ``several`` contains; ``None`` if there is none soon."""
    return _first(at_ms, lambda moment: [times for times in several if times.contains(moment)][:1])


def first_inside(each: Sequence[Sequence[Times]], at_ms: int) -> int | None:
    """Return the first moment from ``at_ms`` on that one times of each sequence contains; ``None`` if not soon."""
    return _first(
        at_ms, lambda moment: next((several for several in each if any_contains(several, moment) is None), ())
    )


def _first(at_ms: int, in_the_way: Callable[[int], Sequence[Times]]) -> int | None:
    """Go on to the next change of the times that are in the way, until none is."""
    limit_ms = at_ms + _LOOK_AHEAD_DAYS * DAY_MINUTES * 60_000
    moment: int | None = at_ms
    while moment is not None and moment < limit_ms:
        waiting = in_the_way(moment)
        if not waiting:
            return moment
        changes = [times.change_after(moment) for times in waiting]
        moment = min((change for change in changes if change is not None), default=None)
    return None


def _midnight_s(day: date, zone: ZoneInfo) -> int:
    """Return when ``day`` begins, in seconds since the epoch, also where the clock skips or repeats midnight."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


def _from_start(day: int, length: int) -> int:
    return day if day > 0 else length + 1 + day
