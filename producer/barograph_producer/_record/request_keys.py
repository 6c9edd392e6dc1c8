"""Numbers the labels of requests in the host's threads, so that a record has one mark instead of three labels."""

import itertools
import sys
from struct import pack, unpack
from typing import Final, TypeAlias, cast

from barograph_core.events.kinds import MAX_LABEL_BYTES

RawKey: TypeAlias = tuple[object, ...]
MarkTree: TypeAlias = dict[object, dict[object, dict[object, float]]]

# Most keys that a number of two bytes can identify.
_MOST_KEYS: Final = 1 << 16
# Most characters of a text that are kept: one more than a label can have, so that a text which is too long stays so.
_MOST_CHARACTERS: Final = MAX_LABEL_BYTES + 1
# Positions, in the bytes of a mark, of the two lowest bytes of its number.
LOW_BYTE, NEXT_BYTE = (0, 1) if sys.byteorder == "little" else (7, 6)
# Most numbers given for each label set of the bound: a route has a few methods and several statuses.
KEYS_PER_SET: Final = 8


class RequestKeys:
    """One number for each combination of route, method and status that the host has used, up to a bound.

    A look-up goes through three nested dictionaries. It costs half of a look-up with a new tuple, because Python
    caches the hash of a string and not that of a tuple. A record then has three values instead of five. It holds the
    mark of the number, which is a float with the same bytes, because one call packs a list of floats into bytes.
    A number is never used twice, and its key is stored before its mark can be found: any thread may read a mark at
    any time, also in a child after a fork.

    Attributes:
        marks: The marks by status, method and route. Any thread may read it; only ``resolve`` changes it.
    """

    def __init__(self, max_keys: int) -> None:
        self._max_keys = min(max_keys, _MOST_KEYS)
        self._next = itertools.count()
        self._keys: dict[int, RawKey] = {}
        self.marks: MarkTree = {}

    def __len__(self) -> int:
        return len(self._keys)

    def resolve(self, route: object, method: object, status: object) -> float | RawKey:
        """Return the mark of a key, a new one if the key is new.

        Returns the raw key itself if it is unhashable or the bound is reached. Lock-free and never raises. Threads
        that use the same new key at the same time may each get a number for it. Texts are cut before they are kept,
        because clients send paths of any length.
        """
        route, method, status = key = cut_text(route), cut_text(method), cut_text(status)
        try:
            hash(key)
            known = self.marks.get(status, {}).get(method, {}).get(route)
            if known is not None:
                return known
            if len(self._keys) >= self._max_keys:
                return key
            number = next(self._next)
            if number >= _MOST_KEYS:  # several threads passed the check of the bound at once
                return key
            self._keys[number] = key
            by_route = self.marks.setdefault(status, {}).setdefault(method, {})
            return by_route.setdefault(route, mark_of(number))
        except Exception:  # noqa: BLE001  # the host's own types may raise anything
            return key

    def key(self, number: int) -> RawKey:
        """Return the raw key that has ``number``."""
        return self._keys[number]

    def key_of(self, held: object) -> RawKey:
        """Return the raw key for a value of a record, which is a mark or the key itself."""
        if isinstance(held, float):
            return self._keys[number_of(held)]
        return cast(RawKey, held) if isinstance(held, tuple) else (held,)


def cut_text(value: object) -> object:
    """Return a text that is longer than any label as its beginning, and other values as they are."""
    if isinstance(value, str) and str.__len__(value) > _MOST_CHARACTERS:  # a type of the host's own may change ``len``
        return str.__getitem__(value, slice(_MOST_CHARACTERS))
    return value


def is_short(key: RawKey) -> bool:
    """Say whether ``cut_text`` would leave all of ``key`` as it is."""
    return all(cut_text(value) is value for value in key)


def mark_of(number: int) -> float:
    """Return the float64 with the bytes of ``number``. It is only stored and packed; never compute with it."""
    mark: float = unpack("=d", pack("=Q", number))[0]
    return mark


def number_of(mark: float) -> int:
    """Return the number of which ``mark`` is the mark."""
    number: int = unpack("=Q", pack("=d", mark))[0]
    return number
