"""Limits how often an address may show a wrong token."""

import ipaddress
from collections import OrderedDict, deque
from typing import Final

from barograph_core.clock import Clock

_FAILURES: Final = 5
_WINDOW_MS: Final = 60_000
_ADDRESSES: Final = 4_096
_IPV6_NETWORK_BITS: Final = 64


class FailureLimit:
    """Counts failures of the last minute by address: 5 are allowed, then all tokens from there are refused.

    Also right ones, since the answer would otherwise tell which guess was right. Sessions go on: their ids are
    random and cannot be guessed. Holds a bounded number of addresses; the one that failed longest ago makes room.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def add(self, address: str) -> None:
        """Note a failure."""
        name = network_of(address)
        times = self._failures.setdefault(name, deque(maxlen=_FAILURES))
        times.append(self._clock.monotonic_ms())
        self._failures.move_to_end(name)
        if len(self._failures) > _ADDRESSES:
            self._failures.popitem(last=False)

    def wait_s(self, address: str) -> int:
        """Return in how many seconds the address may try again; 0 for at once."""
        times = self._failures.get(network_of(address))
        if times is None or len(times) < _FAILURES:
            return 0
        left_ms = times[0] + _WINDOW_MS - self._clock.monotonic_ms()
        return 0 if left_ms <= 0 else int(left_ms // 1_000) + 1


def network_of(address: str) -> str:
    """Return the address, or its network for IPv6: a host there may choose among 2^64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, _IPV6_NETWORK_BITS), strict=False))
