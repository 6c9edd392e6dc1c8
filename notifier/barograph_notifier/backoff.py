"""How long to wait before the next attempt."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Doubling waits with jitter.

    Attributes:
        first_ms: Longest wait after the first failure.
        cap_ms: Longest wait after any failure.
        asked_cap_ms: Longest wait that a channel can ask for.
    """

    first_ms: int = 1_000
    cap_ms: int = 300_000
    asked_cap_ms: int = 3_600_000

    def delay_ms(self, failures: int, rng: random.Random, asked_s: float | None = None) -> int:
        """Return the wait after ``failures`` failures in a row (1 or more).

        Half of it is fixed and half is random, so that many alerts that failed together do not come
        back together. A wait the channel asked for is never cut short, but by ``asked_cap_ms``.

        Args:
            failures: Attempts so far.
            rng: Source of the jitter.
            asked_s: The channel's ``Retry-After``.
        """
        # 63 doublings exceed any cap; the bound keeps the number small.
        bound_ms = min(self.cap_ms, self.first_ms << min(failures - 1, 63))
        own_ms = bound_ms / 2 + rng.uniform(0, bound_ms / 2)
        if asked_s is None:
            return round(own_ms)
        asked_ms = min(max(asked_s, 0.0) * 1_000, self.asked_cap_ms)
        return round(max(own_ms, asked_ms + rng.uniform(0, self.first_ms / 2)))
