"""Computes the wait before the next attempt at something that failed."""

from dataclasses import dataclass

# 2 to this power exceeds the ratio of any two waits; the bound keeps the number small.
_MAX_DOUBLINGS = 63


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double with each failure in a row, up to a longest wait."""

    first_ms: float
    longest_ms: float

    def wait_ms(self, failures: int, jitter: float = 1.0) -> float:
        """Return the wait after ``failures`` failures in a row; 0 after none.

        Args:
            failures: Count of attempts that failed since the last success.
            jitter: A random number from 0 to 1. It decides over half of the wait, so that what failed together does
                not return together. With 1 the wait is the longest possible.
        """
        if failures == 0:
            return 0.0
        whole_ms = min(self.longest_ms, self.first_ms * 2.0 ** min(failures - 1, _MAX_DOUBLINGS))
        return whole_ms * (0.5 + 0.5 * jitter)
