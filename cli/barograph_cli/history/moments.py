"""Moments as people give them to `--from` and `--to`, and as reports show them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from barograph_core.durations import parse_duration_ms

_FLAGS: Final = ("--from", "--to")
# A date of the year 33658 is a slip of the finger; the servers' functions count exactly up to 2**53.
_LATEST_MS: Final = 10**15


def parse_moment(text: str, now_ms: int) -> int:
    """Return the moment that ``text`` names, in ms since the epoch.

    Args:
        text: ISO 8601 (UTC where it names no zone), whole milliseconds since the epoch, ``now``, or a duration
            before now: ``-1h``.
        now_ms: The present.

    Raises:
        ValueError: It is none of these, or lies before the epoch.
    """
    moment = _read(text.strip(), now_ms)
    if not 0 <= moment <= _LATEST_MS:
        raise ValueError(f"{text!r} is no moment between the epoch and the year 33658")
    return moment


def _read(text: str, now_ms: int) -> int:
    if text == "now":
        return now_ms
    if text.isascii() and text.isdigit() and len(text) <= len(str(_LATEST_MS)):
        return int(text)
    try:
        if text.startswith("-"):
            return now_ms - parse_duration_ms(text[1:])
        return iso_ms(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is no moment: write 2026-03-01T12:00:00Z, milliseconds since the epoch, 'now', or '-1h'"
        ) from None


def iso_ms(text: str) -> int:
    """Return an ISO 8601 date, or date and time, in ms since the epoch; UTC where it names no zone.

    Raises:
        ValueError: It is none, or lies outside the years 1 to 9999.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    # Not timestamp(): as a float it would round the milliseconds of some moments down.
    return (since.days * 86_400 + since.seconds) * 1_000 + since.microseconds // 1_000


def format_moment(ms: int) -> str:
    """Return ``ms`` as ISO 8601 in UTC, with milliseconds only where there are any."""
    moment = datetime.fromtimestamp(ms // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    rest = ms % 1_000
    return f"{moment}.{rest:03d}Z" if rest else f"{moment}Z"


def join_moments(argv: Sequence[str]) -> list[str]:
    """Return ``argv`` with ``--from -1h`` as ``--from=-1h``: argparse takes ``-1h`` for another option."""
    joined: list[str] = []
    for word in argv:
        if joined and joined[-1] in _FLAGS and word[:1] == "-" and word[1:2].isdigit():
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined
