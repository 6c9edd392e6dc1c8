"""Turns the stamps of many records into whole milliseconds, in as few steps of Python as there are milliseconds."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import repeat
from operator import mul, sub
from typing import Final

# Just above 1,000: a stamp made of whole ms must come back as it was, whatever its division was rounded to.
MS_PER_S: Final = 1_000.0000000000003
# From so many events per ms on, finding where each ms begins is cheaper than converting every stamp.
_DENSE: Final = 16


def offsets_ms(stamps_s: Sequence[float]) -> tuple[int, Sequence[int]]:
    """Return the oldest of ``stamps_s`` in ms, and for each stamp how many ms later it is.

    Args:
        stamps_s: In seconds, at least one, in any order; mostly they ascend.
    """
    first_ms = _ms(stamps_s[0])
    span_ms = _ms(stamps_s[-1]) - first_ms
    if 0 <= span_ms * _DENSE <= len(stamps_s) and sorted(stamps_s) == stamps_s:
        return first_ms, _runs(stamps_s, first_ms, span_ms)
    times_ms = list(map(int, map(mul, stamps_s, repeat(MS_PER_S))))
    first_ms = min(times_ms)
    return first_ms, list(map(sub, times_ms, repeat(first_ms)))


def rebased(first_ms: int, offsets: Sequence[int]) -> tuple[int, Sequence[int]]:
    """Return the same times counted from the oldest among them."""
    least = min(offsets)
    return (first_ms + least, [offset - least for offset in offsets]) if least else (first_ms, offsets)


def _runs(stamps_s: Sequence[float], first_ms: int, span_ms: int) -> bytes:
    offsets = bytearray()
    for offset in range(span_ms):
        next_ms = first_ms + offset + 1
        # Where it begins as nearly as a float tells; a stamp within its rounding is looked at.
        end = bisect_left(stamps_s, next_ms / MS_PER_S, lo=len(offsets))
        while end < len(stamps_s) and _ms(stamps_s[end]) < next_ms:
            end += 1
        while end > len(offsets) and _ms(stamps_s[end - 1]) >= next_ms:
            end -= 1
        offsets += bytes((offset,)) * (end - len(offsets))
    offsets += bytes((span_ms,)) * (len(stamps_s) - len(offsets))
    return bytes(offsets)


def _ms(stamp_s: float) -> int:
    return int(stamp_s * MS_PER_S)
