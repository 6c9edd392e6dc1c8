"""When to try again and when to give a sign of life: small state machines that are told the time."""

from collections.abc import Callable
from typing import Final

BEAT_MS: Final = 1_000
# A beat comes this much after the whole second, each producer with an offset of its own, so that a
# thousand of them do not beat at once; well before the pane of that second is closed.
MAX_OFFSET_MS: Final = 100


class HeartbeatSchedule:
    """Due once a second, right after each whole second of wall time, and at once when new.

    A pane's end is a whole second: a beat just before it would leave an idle producer missing in the pane
    for most of the next second.
    """

    def __init__(self, offset_ms: int) -> None:
        self._offset_ms = offset_ms
        self._due_ms = 0

    def is_due(self, now_ms: int) -> bool:
        # A clock set back by hours must not silence the producer for hours.
        return now_ms >= self._due_ms or self._due_ms - now_ms > BEAT_MS + MAX_OFFSET_MS

    def beat(self, now_ms: int) -> None:
        """Take the beat of ``now_ms`` as given."""
        second_ms = (now_ms - self._offset_ms) // BEAT_MS * BEAT_MS
        self._due_ms = second_ms + BEAT_MS + self._offset_ms

    def wait_ms(self, now_ms: int, every_ms: float = BEAT_MS) -> float:
        """Return how long until the next beat, or until the next whole ``every_ms`` since the last one if that is less.

        Shipments on the beat's own grid: one that fell between two beats by chance would split a batch in two.
        """
        if self.is_due(now_ms):
            return 0.0
        until_beat_ms = self._due_ms - now_ms
        since_beat_ms = max(0, BEAT_MS - until_beat_ms)
        return min(until_beat_ms, every_ms - since_beat_ms % every_ms)


class Backoff:
    """Waits longer after each failure in a row, with jitter, so that a fleet does not return as one."""

    def __init__(self, *, first_ms: float, longest_ms: float, jitter: Callable[[], float]) -> None:
        """Make one.

        Args:
            first_ms: The wait after one failure, doubled by each further one.
            longest_ms: The most it grows to.
            jitter: A fresh number from 0 to 1; the wait is half fixed, half random.
        """
        self._first_ms = first_ms
        self._longest_ms = longest_ms
        self._jitter = jitter
        self._failures = 0
        self._ready_ms = 0.0

    @property
    def has_failed(self) -> bool:
        """Whether the last attempt failed."""
        return self._failures > 0

    def wait_ms(self, now_ms: float) -> float:
        """Return how long until the next attempt, 0 when it may be made."""
        return max(0.0, self._ready_ms - now_ms)

    def fail(self, now_ms: float) -> None:
        wait_ms = min(self._longest_ms, self._first_ms * 2.0 ** min(self._failures, 16))
        self._ready_ms = now_ms + wait_ms * (0.5 + 0.5 * self._jitter())
        self._failures += 1

    def succeed(self) -> None:
        self._failures, self._ready_ms = 0, 0.0


class LogLimit:
    """Lets one message of each name through per ``period_ms``."""

    def __init__(self, period_ms: float = 60_000) -> None:
        self._period_ms = period_ms
        self._last_ms: dict[str, float] = {}

    def allows(self, name: str, now_ms: float) -> bool:
        last_ms = self._last_ms.get(name)
        if last_ms is not None and now_ms - last_ms < self._period_ms:
            return False
        self._last_ms[name] = now_ms
        return True
