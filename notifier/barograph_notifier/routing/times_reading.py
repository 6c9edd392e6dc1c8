"""Reads the ``[[times]]`` entries of the configuration, and names every mistake."""

import re
from collections.abc import Callable
from typing import Final, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from barograph_core.errors import Problem
from barograph_core.settings.config_file import ConfigFile, suggestion
from barograph_core.settings.table_entry import TableEntry
from barograph_notifier.routing.times import DAY_MINUTES, Times

T = TypeVar("T")
_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])\Z")
_DAY_OF_MONTH: Final = re.compile(r"-?([1-9]|[12][0-9]|3[01])\Z")


def parse_times(config: ConfigFile, problems: list[Problem]) -> dict[str, Times]:
    """Return the entries without mistakes by name, and append every mistake to ``problems``."""
    taken: set[str] = set()
    read = [_read(entry, taken) for entry in TableEntry.all_of(config, "times", problems)]
    return {times.name: times for times in read if times is not None}


def _read(entry: TableEntry, taken: set[str]) -> Times | None:
    name = entry.name(taken)
    zone = _zone(entry)
    begin, end = _clock(entry, "from", 0), _clock(entry, "to", DAY_MINUTES)
    if begin == end:
        entry.add_problem("to", "is the same as 'from', so that no moment lies between: correct it, or leave both out")
    weekdays = _ranges(entry, "days", lambda text: _cycle(text, _WEEKDAYS, 0))
    months = _ranges(entry, "months", lambda text: _cycle(text, _MONTHS, 1))
    days_of_month = _ranges(entry, "days_of_month", _days_of_month)
    entry.add_unknown_keys()
    if entry.has_problems or zone is None:
        return None
    return Times(
        name=name,
        zone=zone,
        begin=begin,
        end=end,
        weekdays=frozenset[int]().union(*weekdays),
        days_of_month=tuple(days_of_month),
        months=frozenset[int]().union(*months),
    )


def _zone(entry: TableEntry) -> ZoneInfo | None:
    name = entry.text("zone") or "UTC"
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        near = _near(name, available_timezones())
        entry.add_problem("zone", f"{name!r} is not a time zone such as 'Europe/Berlin' or 'UTC'{near}")
        return None


def _near(name: str, known: set[str]) -> str:
    """Return the zone most like ``name``, and nothing in place of a list of six hundred."""
    words = suggestion(name, known)
    return words if words.startswith("; did you mean") else ""


def _clock(entry: TableEntry, key: str, default: int) -> int:
    text = entry.given_text(key)
    match = _CLOCK.match(text or "")
    if match:
        return int(match[1]) * 60 + int(match[2])
    if text is not None and (text, key) != ("24:00", "to"):
        entry.add_problem(key, f"must be a time of the day such as '09:00' or '17:30', not {text!r}")
    return default


def _ranges(entry: TableEntry, key: str, parse: Callable[[str], T]) -> list[T]:
    ranges: list[T] = []
    for text in entry.texts(key):
        try:
            ranges.append(parse(text))
        except ValueError as error:
            entry.add_problem(key, str(error))
    return ranges


def _cycle(text: str, names: tuple[str, ...], first_number: int) -> frozenset[int]:
    """Return the numbers of ``mon``, ``monday`` or ``fri:mon``; a range goes on after the last name with the first.

    Raises:
        ValueError: There is no such name.
    """
    ends = [_position(part, names) for part in text.split(":")]
    if len(ends) > 2:
        raise ValueError(f"{text!r} has more than a first and a last: {names[0][:3]}:{names[4][:3]}")
    count = (ends[-1] - ends[0]) % len(names) + 1
    return frozenset((ends[0] + more) % len(names) + first_number for more in range(count))


def _position(word: str, names: tuple[str, ...]) -> int:
    for at, name in enumerate(names):
        if word.lower() in (name, name[:3]):
            return at
    raise ValueError(
        f"{word!r} is none of {', '.join(name[:3] for name in names)}; a range is {names[0][:3]}:{names[4][:3]}"
    )


def _days_of_month(text: str) -> tuple[int, int]:
    """Return the first and the last of ``15``, ``1:7``, ``-1`` or ``-3:-1``.

    Raises:
        ValueError: It is no such range.
    """
    parts = text.split(":")
    if len(parts) > 2 or not all(_DAY_OF_MONTH.match(part) for part in parts):
        raise ValueError(f"{text!r} is no day or range of days of a month, such as '15', '1:7', '-1' or '-3:-1'")
    first, last = int(parts[0]), int(parts[-1])
    if first > last > 0 or last < first < 0 or first < 0 < last:
        raise ValueError(f"{text!r} ends before it begins")
    return first, last
