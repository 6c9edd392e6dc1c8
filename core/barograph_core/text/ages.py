"""Formats ages and times of day for people."""

from datetime import UTC, datetime

from barograph_core.text.timestamps import LATEST_MS


def format_age(ms: float) -> str:
    """Return an age in two leading units at most: ``12 ms``, ``3.4 s``, ``5 min 2 s``, ``3 h 4 min``, ``2 d 1 h``."""
    if ms < 1_000:
        return f"{ms:.0f} ms"
    seconds = ms / 1_000
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, second = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {second} s"
    hours, minute = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minute} min"
    return f"{hours // 24} d {hours % 24} h"


def format_time(ms: int) -> str:
    """Return a time of day in UTC with milliseconds: ``14:03:05.120``; ``ms`` itself beyond the year 9999."""
    if ms > LATEST_MS:
        return f"{ms} ms"
    return datetime.fromtimestamp(ms // 1_000, UTC).strftime("%H:%M:%S.") + f"{ms % 1_000:03d}"
