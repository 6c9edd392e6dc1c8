"""Numbers the labels of requests in the host's threads, so that a record holds one mark for three labels."""

import itertools
import sys
from struct import pack, unpack
from typing import Final, TypeAlias, cast

from barograph_producer._labels import RawKey

MarkTree: TypeAlias = dict[object, dict[object, dict[object, float]]]

# Where a mark's float64 has the two lowest bytes of its number.
_MOST_KEYS: Final = 1 << 16
LOW_BYTE, NEXT_BYTE = (0, 1) if sys.byteorder == "little" else (7, 6)
# Numbered for each label set that is admitted: a route has a few methods and some statuses.
KEYS_PER_SET: Final = 8


class RequestKeys:
    """One number for each route, method and status that the host has used, up to a bound.

    Three look-ups in nested dictionaries, because a string's hash is kept and a tuple's is not: half the cost
    of one look-up of a new tuple. A record then needs three slots instead of five. What it holds is the number's
    mark, a float of the same bytes: a record of floats alone is turned into bytes in one call. A number is never
    used twice, and its key is known before its mark can be found: any thread may meet it at any time, and in a
    child after a fork.

    Attributes:
        marks: By status, method and route. Read it anywhere, change it by ``resolve`` alone.
    """

    def __init__(self, max_keys: int) -> None:
        self._max_keys = min(max_keys, _MOST_KEYS)
        self._next = itertools.count()
        self._keys: dict[int, RawKey] = {}
        self.marks: MarkTree = {}

    def __len__(self) -> int:
        return len(self._keys)

    def resolve(self, route: object, method: object, status: object) -> float | RawKey:
        """Return the mark, a new one where there is none; beyond the bound, or unhashable, the raw key.

        Lock-free and never raises: threads that meet the same new key at once may each get a number for it.
        """
        key = (route, method, status)
        try:
            hash(key)
            known = self.marks.get(status, {}).get(method, {}).get(route)
            if known is not None:
                return known
            if len(self._keys) >= self._max_keys:
                return key
            number = next(self._next)
            if number >= _MOST_KEYS:  # several threads passed the bound at once
                return key
            self._keys[number] = key
            by_route = self.marks.setdefault(status, {}).setdefault(method, {})
            return by_route.setdefault(route, mark_of(number))
        except Exception:  # noqa: BLE001  # the host's own types may raise anything
            return key

    def key(self, number: int) -> RawKey:
        """Return the raw key that was given ``number``."""
        return self._keys[number]

    def key_of(self, held: object) -> RawKey:
        """Return the raw key that a record holds by its mark or as it is."""
        if isinstance(held, float):
            return self._keys[number_of(held)]
        return cast(RawKey, held) if isinstance(held, tuple) else (held,)


def mark_of(number: int) -> float:
    """Return the float64 whose bytes are those of ``number``; it is only held and packed, never computed with."""
    mark: float = unpack("=d", pack("=Q", number))[0]
    return mark


def number_of(mark: float) -> int:
    """Return the number whose mark this is."""
    number: int = unpack("=Q", pack("=d", mark))[0]
    return number
