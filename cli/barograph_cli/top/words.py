"""Figures and spans of time as the console's page writes them: three digits at most, always a unit. Pure."""

from collections.abc import Sequence
from datetime import datetime
from math import isfinite
from typing import Final

MISSING: Final = "–"
_MINUTE_MS: Final = 60_000
_LEVELS: Final = "▁▂▃▄▅▆▇█"


def per_minute(number: int, covered_ms: int) -> int:
    """Return a number as one of a minute: 3,000 requests of 30 s are 6,000."""
    return round(number * _MINUTE_MS / (covered_ms or _MINUTE_MS))


def percent(ratio: float | None) -> str:
    """Return a ratio of 0 to 1 in percent."""
    if ratio is None:
        return MISSING
    value = ratio * 100
    if value == 0 or value >= 99.95:
        return f"{value:.0f} %"
    if value < 0.005:
        return "<0.01 %"
    return f"{value:.2f} %" if value < 0.995 else f"{value:.1f} %"


def milliseconds(ms: float | None) -> str:
    """Return a duration with its unit."""
    if ms is None:
        return MISSING
    if ms < 999.5:
        return f"{ms:.2f} ms" if ms < 0.995 else f"{ms:.1f} ms" if ms < 9.95 else f"{ms:.0f} ms"
    seconds = ms / 1_000
    return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s" if seconds < 99.95 else f"{seconds:.0f} s"


def plain(value: float | None) -> str:
    """Return a figure without a unit in three digits."""
    return MISSING if value is None else f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def span(ms: float) -> str:
    """Return how long something lasts: ``12 s``, ``10 min``, ``2 h 5 min``, ``3 d``."""
    seconds = max(0, round(ms / 1_000))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3_600:
        half = ".5" if seconds < 600 and seconds % 60 >= 30 else ""
        return f"{seconds // 60}{half} min"
    if seconds < 86_400:
        minutes = seconds % 3_600 // 60
        return f"{seconds // 3_600} h {minutes} min" if minutes else f"{seconds // 3_600} h"
    return f"{seconds // 86_400} d"


def clock(ms: int) -> str:
    """Return the time of day in the zone of this machine."""
    return datetime.fromtimestamp(ms / 1_000).astimezone().strftime("%H:%M:%S")


def plural(number: int, one: str) -> str:
    return f"{number:,} {one}" if number == 1 else f"{number:,} {one}s"


def sparkline(values: Sequence[float | None], *, least: float = 0.0) -> str:
    """Return a line of blocks, one a value; a gap where there is none.

    Args:
        values: The oldest first.
        least: A full block stands for no less than this, so that a flat line near zero looks like one.
    """
    known = [value if value is not None and isfinite(value) else None for value in values]
    top = max([least, *(value for value in known if value is not None)])
    last = len(_LEVELS) - 1
    return "".join(" " if value is None else _LEVELS[round(value / top * last) if top > 0 else 0] for value in known)
