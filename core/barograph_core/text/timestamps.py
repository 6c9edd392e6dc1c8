"""Parses timestamps of command lines, queries and files, and formats them for reports."""

from datetime import UTC, datetime
from typing import Final

from barograph_core.text.durations import parse_duration_ms

# The end of the year 9999: ``datetime`` has no later dates, and a later one is a typing mistake.
LATEST_MS: Final = 253_402_300_799_999
# Longest number that is read: a longer one is too late anyway, and int() of a very long text is slow.
_MAX_DIGITS: Final = 20
# Numbers that name days of the years 1973 to 5138 as seconds, but hours of the years 1970 to 1973 as milliseconds.
_SECONDS: Final = range(100_000_000, 100_000_000_000)


def parse_timestamp(text: str, now_ms: int) -> int:
    """Return the time of ``text`` in ms since the epoch.

    Args:
        text: ISO 8601 (UTC where it names no zone), whole milliseconds since the epoch, ``now``, or a duration
            before now: ``-1h``.
        now_ms: The time of ``now``.

    Raises:
        ValueError: ``text`` has none of these forms, seems to be in seconds, or lies outside the years 1970 to 9999.
    """
    moment = _read(text.strip(), now_ms)
    if not 0 <= moment <= LATEST_MS:
        raise ValueError(f"{text[:60]!r} is no moment of the years 1970 to 9999")
    return moment


def _read(text: str, now_ms: int) -> int:
    if text == "now":
        return now_ms
    if text.isascii() and text.isdigit():
        moment = int(text) if len(text) <= _MAX_DIGITS else LATEST_MS + 1
        if moment in _SECONDS:
            raise ValueError(f"{text!r} looks like seconds since the epoch: write {moment * 1_000} (milliseconds)")
        return moment
    try:
        if text.startswith("-"):
            return now_ms - parse_duration_ms(text[1:])
        return iso_ms(text)
    except ValueError:
        raise ValueError(
            f"{text[:60]!r} is no moment: write 2026-03-01T12:00:00Z, milliseconds since the epoch, 'now', or '-1h'"
        ) from None


def iso_ms(text: str) -> int:
    """Return an ISO 8601 date, or date and time, in ms since the epoch; UTC where it names no zone.

    Raises:
        ValueError: ``text`` has another form, or lies outside the years 1 to 9999.
    """
    # An unescaped plus sign in a query string arrives as a space.
    moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    # timestamp() returns a float, which would round the milliseconds of some times down.
    return (since.days * 86_400 + since.seconds) * 1_000 + since.microseconds // 1_000


def format_timestamp(ms: int) -> str:
    """Return ``ms`` as ISO 8601 in UTC, with milliseconds unless they are 0; ``ms`` itself beyond the year 9999."""
    if ms > LATEST_MS:
        return f"{ms} ms"
    moment = datetime.fromtimestamp(ms // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    rest = ms % 1_000
    return f"{moment}.{rest:03d}Z" if rest else f"{moment}Z"
