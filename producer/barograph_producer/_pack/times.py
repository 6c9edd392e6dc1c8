"""Converts the times of many records to whole milliseconds, with one Python step per millisecond where possible."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import repeat
from operator import mul, sub
from typing import Final

# Just above 1,000, so that a time of whole ms that was divided by 1,000 and rounded converts back to the same ms.
MS_PER_S: Final = 1_000.0000000000003
# With at least this many events per ms, finding where each ms begins is cheaper than converting every time.
_DENSE: Final = 16


def offsets_ms(stamps_s: Sequence[float]) -> tuple[int, Sequence[int]]:
    """Return the oldest of ``stamps_s`` in ms, and for each of them how many ms later it is.

    Args:
        stamps_s: Seconds; at least one, in any order. Usually they ascend.
    """
    first_ms = _ms(stamps_s[0])
    span_ms = _ms(stamps_s[-1]) - first_ms
    if 0 <= span_ms * _DENSE <= len(stamps_s) and sorted(stamps_s) == stamps_s:
        return first_ms, _runs(stamps_s, first_ms, span_ms)
    times_ms = list(map(int, map(mul, stamps_s, repeat(MS_PER_S))))
    first_ms = min(times_ms)
    return first_ms, list(map(sub, times_ms, repeat(first_ms)))


def rebased(first_ms: int, offsets: Sequence[int]) -> tuple[int, Sequence[int]]:
    """Return the same times as offsets from the oldest of them."""
    least = min(offsets)
    return (first_ms + least, [offset - least for offset in offsets]) if least else (first_ms, offsets)


def _runs(stamps_s: Sequence[float], first_ms: int, span_ms: int) -> bytes:
    offsets = bytearray()
    for offset in range(span_ms):
        next_ms = first_ms + offset + 1
        # The next ms begins here, up to rounding; compare the times on either side exactly.
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
