"""Parses and formats durations of rules and settings: ``250ms``, ``10s``, ``5m``, ``1h30m``, ``2d``."""

import re
from typing import Final

_UNITS_MS: Final = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_PATTERN: Final = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?\Z", re.ASCII)
# Longest text that is read: a longer one is a typing mistake, and int() of a very long text is slow.
_MAX_TEXT: Final = 32


def parse_duration_ms(text: str) -> int:
    """Return the milliseconds of ``text``: whole numbers with units, largest unit first (``1h30m``).

    Raises:
        ValueError: ``text`` has another form. A number without a unit is refused: its unit would be a guess.
    """
    match = _PATTERN.match(text) if 0 < len(text) <= _MAX_TEXT else None
    if match is None:
        raise ValueError(f"{text!r} is not a duration such as '250ms', '10s', '5m', '1h30m' or '2d'")
    return sum(int(digits) * _UNITS_MS[unit] for digits, unit in zip(match.groups(), _UNITS_MS, strict=True) if digits)


def format_duration(ms: int) -> str:
    """Return ``ms`` in the form of ``parse_duration_ms``: ``0s`` for 0, ``-`` before a negative duration."""
    if ms == 0:
        return "0s"
    parts: list[str] = []
    rest = abs(ms)
    for unit, size in _UNITS_MS.items():
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return ("-" if ms < 0 else "") + "".join(parts)
