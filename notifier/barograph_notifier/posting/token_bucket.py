"""How many messages a channel may send: a token bucket, shared by the senders of all shards in this process."""

import re
import threading
from dataclasses import dataclass
from typing import Final

from barograph_core.clock import Clock

_RATE: Final = re.compile(r"([1-9]\d{0,5})/([smh])\Z", re.ASCII)
_PERIODS_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000}


@dataclass(frozen=True, slots=True)
class Rate:
    """``count`` messages in ``period_ms``, at once or spread."""

    count: int
    period_ms: int


def parse_rate(text: str) -> Rate:
    """Read ``1/s``, ``30/m`` or ``200/h``.

    Raises:
        ValueError: ``text`` has another form.
    """
    match = _RATE.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not a rate such as '1/s', '30/m' or '200/h'")
    return Rate(int(match[1]), _PERIODS_MS[match[2]])


class TokenBucket:
    """Holds ``rate.count`` tokens at most and gains them evenly. Threads may share it."""

    def __init__(self, rate: Rate, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._tokens = float(rate.count)
        self._at_ms = clock.monotonic_ms()
        self._lock = threading.Lock()

    def take(self) -> float:
        """Take a token and return 0, or take none and return the milliseconds until there is one."""
        each_ms = self._rate.period_ms / self._rate.count
        with self._lock:
            now_ms = self._clock.monotonic_ms()
            self._tokens = min(self._rate.count, self._tokens + (now_ms - self._at_ms) / each_ms)
            self._at_ms = now_ms
            # A sum of parts may fall short of a whole token by a rounding error, and would then wait for 0 ms.
            if self._tokens > 1 - 1e-6:
                self._tokens = max(0.0, self._tokens - 1)
                return 0.0
            return (1 - self._tokens) * each_ms
