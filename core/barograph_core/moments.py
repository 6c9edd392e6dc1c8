"""Moments as people write them (on a command line, in a query, in a file), and as reports show them."""

from datetime import UTC, datetime
from typing import Final

from barograph_core.durations import parse_duration_ms

# The end of the year 9999: no calendar goes on, and a date beyond it is a slip of the finger.
LATEST_MS: Final = 253_402_300_799_999
# A longer number is none either, and int() of a very long text is slow.
_MAX_DIGITS: Final = 20


def parse_moment(text: str, now_ms: int) -> int:
    """Return the moment that ``text`` names, in ms since the epoch.

    Args:
        text: ISO 8601 (UTC where it names no zone), whole milliseconds since the epoch, ``now``, or a duration
            before now: ``-1h``.
        now_ms: The present.

    Raises:
        ValueError: It is none of these, or lies outside the years 1970 to 9999.
    """
    moment = _read(text.strip(), now_ms)
    if not 0 <= moment <= LATEST_MS:
        raise ValueError(f"{text[:60]!r} is no moment of the years 1970 to 9999")
    return moment


def _read(text: str, now_ms: int) -> int:
    if text == "now":
        return now_ms
    if text.isascii() and text.isdigit():
        return int(text) if len(text) <= _MAX_DIGITS else LATEST_MS + 1
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
        ValueError: It is none, or lies outside the years 1 to 9999.
    """
    # A plus sign in a query string that nobody escaped arrives as a space.
    moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    # Not timestamp(): as a float it would round the milliseconds of some moments down.
    return (since.days * 86_400 + since.seconds) * 1_000 + since.microseconds // 1_000


def format_moment(ms: int) -> str:
    """Return ``ms`` as ISO 8601 in UTC, with milliseconds only where there are any; as it is where no date has it."""
    if ms > LATEST_MS:
        return f"{ms} ms"
    moment = datetime.fromtimestamp(ms // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    rest = ms % 1_000
    return f"{moment}.{rest:03d}Z" if rest else f"{moment}Z"
