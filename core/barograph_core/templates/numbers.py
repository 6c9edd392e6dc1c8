"""Numbers as templates show them, and the filters for them."""

import math
from typing import Final

from jinja2 import Undefined

# Shown for no number: None, or NaN, see `ValueOfMeasure` of the alerter.
NO_DATA: Final = "no data"


def percent(ratio: float | None, digits: int = 1) -> str:
    """Return a ratio from 0 to 1 as a percentage: ``0.1234`` gives ``12.3 %``."""
    return NO_DATA if ratio is None or math.isnan(ratio) else f"{ratio * 100:.{digits}f} %"


def ms(duration_ms: float | None) -> str:
    """Return milliseconds for people: ``0.8 ms``, ``512 ms``, ``1.50 s``."""
    if duration_ms is None or math.isnan(duration_ms):
        return NO_DATA
    if abs(duration_ms) >= 1_000:
        return f"{duration_ms / 1_000:.2f} s"
    return f"{duration_ms:.0f} ms" if abs(duration_ms) >= 10 else f"{duration_ms:.1f} ms"


def rounded(value: float | None, digits: int = 0) -> str:
    """Return a number with ``digits`` decimals. Jinja's own ``round`` fails where there is no value."""
    return NO_DATA if value is None or math.isnan(value) else f"{value:.{digits}f}"


def shown(value: object) -> object:
    """Return what ``{{ value }}`` shows: a number with six significant digits, anything else as it is.

    Raises:
        TypeError: It is nothing that has a text of bounded length.
    """
    given = value
    if not isinstance(value, str | int | float | dict | list | tuple | Undefined | None):
        raise TypeError(f"a {type(value).__name__} has no text")
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return NO_DATA
    return f"{value:.6g}" if isinstance(value, float) else given
