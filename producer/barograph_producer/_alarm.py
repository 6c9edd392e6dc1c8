"""Wakes the shipper thread: always for a flush, and for an important event unless those are common."""

import threading
from typing import Final

from barograph_core.clock import Clock

BURST: Final = 20
REFILL_MS: Final = 100.0
SPACING_MS: Final = 20.0
_PAUSE_S: Final = 0.0002
# A thread that runs Python gives the interpreter's lock away after 5 ms, if it is not waiting before that.
_UNDISTURBED_MS: Final = 2.0


class WakeBudget:
    """Limits early wakes: a cold append costs some 0.4 ms of CPU, which only a rare event is worth.

    ``BURST`` wakes at once, ``SPACING_MS`` apart, then one each ``REFILL_MS``: an incident's first errors
    leave at once, a storm of errors costs at most 10 appends a second more.
    """

    def __init__(self, now_ms: float) -> None:
        self._tokens = float(BURST)
        self._refilled_ms = now_ms
        self._spent_ms = now_ms - SPACING_MS

    def wait_ms(self, now_ms: float) -> float:
        """Return how long from ``now_ms`` until a wake is allowed; 0 when it is."""
        self._refill(now_ms)
        missing_ms = (1.0 - self._tokens) * REFILL_MS
        return max(0.0, missing_ms, self._spent_ms + SPACING_MS - now_ms)

    def spend(self, now_ms: float) -> None:
        self._refill(now_ms)
        self._tokens = max(0.0, self._tokens - 1.0)
        self._spent_ms = now_ms

    def _refill(self, now_ms: float) -> None:
        self._tokens = min(float(BURST), self._tokens + (now_ms - self._refilled_ms) / REFILL_MS)
        self._refilled_ms = now_ms


class Alarm:
    """Lets any thread wake the shipper without taking a lock.

    The lock inside is used the wrong way round: the shipper sleeps by trying to take it, and whoever wakes it
    releases it. A release never blocks, so recording from a signal handler or a finaliser cannot deadlock,
    as it could with ``threading.Event``, whose ``set`` takes a lock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sleep = threading.Lock()
        self._sleep.acquire()
        self._pause = threading.Lock()
        self._pause.acquire()
        self._budget = WakeBudget(clock.monotonic_ms())
        self._is_armed = False
        self._is_rung = False
        self._is_nudged = False
        self._may_skip = False

    def ring(self) -> None:
        """Say that an important event waits."""
        self._is_rung = True
        if self._is_armed:
            self._is_armed = False
            self._wake()

    def nudge(self) -> None:
        """Wake the shipper whatever the budget says."""
        self._is_nudged = True
        self._wake()

    def wait(self, timeout_ms: float) -> bool:
        """Sleep until rung, nudged or ``timeout_ms`` have passed. Only for the shipper thread.

        Returns:
            Whether it was nudged.
        """
        deadline_ms = self._clock.monotonic_ms() + timeout_ms
        self._doze(min(timeout_ms, self._budget.wait_ms(self._clock.monotonic_ms())))
        now_ms = self._clock.monotonic_ms()
        if not self._is_nudged and now_ms < deadline_ms:
            # Armed before the flag is read: a ring in between is seen one way or the other.
            self._is_armed = True
            if not self._is_rung:
                self._doze(deadline_ms - now_ms)
            self._is_armed = False
        was_nudged = self._is_nudged
        if self._is_rung:
            self._budget.spend(self._clock.monotonic_ms())
        self._is_nudged = self._is_rung = False
        return was_nudged

    def yield_to_host(self) -> None:
        """Let waiting threads of the host run: a plain switch would mostly come straight back to this one.

        Where none took the interpreter's lock, the next call does nothing: a pause costs a third of what is done
        between two of them.
        """
        if self._may_skip:
            self._may_skip = False
            return
        began_ms = self._clock.monotonic_ms()
        self._pause.acquire(timeout=_PAUSE_S)
        self._may_skip = self._clock.monotonic_ms() - began_ms < _UNDISTURBED_MS

    def _doze(self, duration_ms: float) -> None:
        if duration_ms > 0 and not self._is_nudged:
            self._sleep.acquire(timeout=duration_ms / 1_000)

    def _wake(self) -> None:
        try:
            self._sleep.release()
        except RuntimeError:
            return  # not asleep: the flag will be read before it is
