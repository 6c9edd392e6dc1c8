"""The notation of series in a test of rules, which is promtool's: ``0x10 5x3 _x4 1+2x5``."""

import math
import re
from collections.abc import Iterator
from typing import Final

# Limit of the values of one series: a month of minutes is 43,200.
MAX_VALUES: Final = 1_000_000
_NUMBER: Final = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?"
_ITEM: Final = re.compile(
    rf"(?P<first>{_NUMBER}|_)(?P<step>[+-](?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)?(?:x(?P<more>\d{{1,7}}))?\Z", re.IGNORECASE
)


class ValuesError(ValueError):
    """A series cannot be read; the message says what is wrong and how to write it."""


def parse_values(text: str) -> list[float | None]:
    """Return the values of a series, ``None`` where there is none.

    Items are separated by blanks: ``5`` is one value, ``5x3`` is 5 and three more of it, ``1+2x3`` is 1 3 5 7,
    ``_`` is no value and ``_x4`` are four of them.

    Raises:
        ValuesError: It has another form, or more than ``MAX_VALUES`` values.
    """
    values: list[float | None] = []
    for item in text.split():
        found = _ITEM.match(item)
        more = int(found["more"] or 0) if found else 0
        if found is None or (found["step"] and not found["more"]) or (found["first"] == "_" and found["step"]):
            raise ValuesError(f"{item[:40]!r} is no item such as 5, 5x3 (four fives), 1+2x3 (1 3 5 7), _ or _x4")
        if len(values) + more >= MAX_VALUES:
            raise ValuesError(f"has more than {MAX_VALUES:,} values")
        if found["first"] == "_":
            values += [None] * (more if found["more"] else 1)
        else:
            values += _numbers(item, float(found["first"]), float(found["step"] or 0), more)
    if not values:
        raise ValuesError("has no values")
    return values


def _numbers(item: str, first: float, step: float, more: int) -> Iterator[float]:
    for index in range(more + 1):
        value = first + index * step
        if not math.isfinite(value):
            raise ValuesError(f"{item[:40]!r} is not finite")
        yield value
