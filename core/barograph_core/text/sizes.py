"""Parses sizes of settings and formats them for tables: ``500MB``, ``1GB``, ``4GiB``."""

import re
from typing import Final

_UNITS: Final = {
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KIB": 2**10,
    "MIB": 2**20,
    "GIB": 2**30,
    "TIB": 2**40,
}
_SHOWN: Final = (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3))
_PATTERN: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?) ?([A-Za-z]{1,3})\Z", re.ASCII)


def parse_size_bytes(text: str) -> int:
    """Return the bytes of ``text``: a number and a unit, ``1GB`` for 10^9 and ``1GiB`` for 2^30.

    Raises:
        ValueError: ``text`` has another form. A number without a unit is refused: its unit would be a guess.
    """
    match = _PATTERN.match(text)
    factor = _UNITS.get(match[2].upper()) if match else None
    if match is None or factor is None:
        raise ValueError(f"{text!r} is not a size such as '500MB', '1GB' or '4GiB'")
    return round(float(match[1]) * factor)


def format_size(size_bytes: float) -> str:
    """Return a size with three figures: ``987 B``, ``1.50 MB``, ``12.3 GB``."""
    for unit, factor in _SHOWN:
        if size_bytes >= factor:
            value = size_bytes / factor
            return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f} {unit}"
    return f"{size_bytes:.0f} B"
