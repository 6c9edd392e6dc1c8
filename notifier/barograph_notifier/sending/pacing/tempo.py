"""How many senders of a channel are worth their while: those who wait for answers, not for each other."""

from typing import Final

from barograph_core.clock import Clock

# Work on a delivery besides the attempt. Senders of one process share one CPU for it: another one helps only where the
# attempts wait for longer than that, and is in the way otherwise.
_WORK_MS: Final = 0.3
# Without an attempt that ended for so long, those under way hang, or there were none.
_STALE_MS: Final = 250
_WEIGHT: Final = 0.1


class Tempo:
    """Measures the attempts of a channel, shared by its senders in this process: what threads write is two numbers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._mean_ms = 0.0
        self._noted_ms = -_STALE_MS * 2.0

    def note(self, ms: float) -> None:
        """Note how long an attempt took."""
        self._mean_ms += _WEIGHT * (ms - self._mean_ms)
        self._noted_ms = self._clock.monotonic_ms()

    def wants(self, number: int) -> bool:
        """Say whether the sender of this number, from 0 on, helps when there is much to send."""
        if self._clock.monotonic_ms() - self._noted_ms > _STALE_MS:
            return True
        return number <= self._mean_ms / _WORK_MS
