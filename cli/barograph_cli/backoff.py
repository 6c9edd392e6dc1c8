"""How long a process that keeps dying waits before it is started again."""

from dataclasses import dataclass
from typing import Final

FIRST_MS: Final = 500
LONGEST_MS: Final = 30_000
# A process that ran this long died of something new.
STEADY_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Backoff:
    """Deaths in a row, as a value."""

    deaths: int = 0

    @property
    def wait_ms(self) -> int:
        """Return the wait before the next start: 0.5 s, doubled with each death, at most 30 s."""
        return 0 if self.deaths == 0 else min(LONGEST_MS, FIRST_MS << min(self.deaths - 1, 10))

    def after_death(self, ran_ms: float) -> "Backoff":
        """Return the state after a process died that had run for ``ran_ms``."""
        return Backoff(1 if ran_ms >= STEADY_MS else self.deaths + 1)
