"""How much work one answer may be. Whoever reads panes for it, reads within these bounds."""

from typing import Final

from barograph_console.reading.query_plan import QueryError
from barograph_core.clock import Clock

# Limits of the work for one answer: packed panes read, and the time for it.
MOST_BYTES: Final = 256 * 1_048_576
DEADLINE_MS: Final = 30_000


class Work:
    """Counts what is read for one answer, and refuses what would take too long. For one thread."""

    def __init__(self, clock: Clock) -> None:
        """Begin now."""
        self._clock = clock
        self._deadline_ms = clock.monotonic_ms() + DEADLINE_MS
        self._bytes = 0

    def add(self, size: int, *, expected: int) -> None:
        """Count ``size`` bytes of panes that were read; about ``expected`` more are to follow.

        Raises:
            QueryError: ``too_much_work``.
        """
        self.check_time()
        self._bytes += size
        total = self._bytes + expected
        if total > MOST_BYTES:
            raise QueryError(
                "too_much_work",
                f"about {total >> 20} MB of panes would be read, more than {MOST_BYTES >> 20}; "
                "ask a shorter range, a larger step, or a stored step without quantiles of your own",
            )

    def check_time(self) -> None:
        """Refuse what has taken too long.

        Raises:
            QueryError: ``too_much_work``.
        """
        if self._clock.monotonic_ms() > self._deadline_ms:
            raise QueryError("too_much_work", f"not answered within {DEADLINE_MS // 1_000} s; ask a shorter range")
