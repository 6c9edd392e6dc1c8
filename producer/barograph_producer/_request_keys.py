"""Numbers the labels of requests in the host's threads, so that a record holds one small integer for three."""

import itertools
from typing import Final, TypeAlias, cast

from barograph_producer._labels import RawKey

NumberTree: TypeAlias = dict[object, dict[object, dict[object, int]]]

# Numbered for each label set that is admitted: a route has a few methods and some statuses.
KEYS_PER_SET: Final = 8


class RequestKeys:
    """One number for each route, method and status that the host has used, up to a bound.

    Three look-ups in nested dictionaries, because a string's hash is kept and a tuple's is not: half the cost
    of one look-up of a new tuple. A record then needs three slots instead of five. A number is never used twice,
    and its key is known before the number can be found: any thread may meet it at any time, and in a child after
    a fork.

    Attributes:
        numbers: By status, method and route. Read it anywhere, change it by ``resolve`` alone.
    """

    def __init__(self, max_keys: int) -> None:
        self._max_keys = max_keys
        self._next = itertools.count()
        self._keys: dict[int, RawKey] = {}
        self.numbers: NumberTree = {}

    def __len__(self) -> int:
        return len(self._keys)

    def resolve(self, route: object, method: object, status: object) -> int | RawKey:
        """Return the number, a new one where there is none; beyond the bound, or unhashable, the raw key.

        Lock-free and never raises: threads that meet the same new key at once may each get a number for it.
        """
        key = (route, method, status)
        try:
            hash(key)
            known = self.numbers.get(status, {}).get(method, {}).get(route)
            if known is not None:
                return known
            if len(self._keys) >= self._max_keys:
                return key
            number = next(self._next)
            self._keys[number] = key
            by_route = self.numbers.setdefault(status, {}).setdefault(method, {})
            return by_route.setdefault(route, number)
        except Exception:  # noqa: BLE001  # the host's own types may raise anything
            return key

    def key(self, number: object) -> RawKey:
        """Return the raw key that a record holds by its number or as it is."""
        if isinstance(number, int):
            return self._keys[number]
        return cast(RawKey, number) if isinstance(number, tuple) else (number,)
