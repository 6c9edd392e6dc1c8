"""When a failed delivery is due again: after our own backoff, or when the channel asked for it."""

import random
from typing import Final

from barograph_core.backoff import Backoff

# Spreads what a target asked for, on all notifiers alike, without making it wait noticeably.
_SPREAD_MS: Final = 20
# A shorter wait that was asked for is none: our own backoff counts, up to this.
_LEAST_MS: Final = 1_000


def retry_delay_ms(
    backoff: Backoff,
    failures: int,
    rng: random.Random,
    asked_s: float | None = None,
    *,
    asked_cap_ms: int = 3_600_000,
) -> int:
    """Return the wait after ``failures`` failures in a row (1 or more).

    A positive ``asked_s``, the channel's ``Retry-After``, is kept to 100 ms, unless it exceeds ``asked_cap_ms``;
    without one the wait doubles with each failure.
    """
    own_ms = backoff.wait_ms(failures, rng.random())
    if asked_s is None or asked_s <= 0:
        return round(own_ms)
    asked_ms = min(asked_s * 1_000, asked_cap_ms)
    return round(max(asked_ms, min(own_ms, _LEAST_MS)) + _SPREAD_MS * rng.random())
