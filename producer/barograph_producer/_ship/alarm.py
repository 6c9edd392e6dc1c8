"""Wakes the shipping thread: always for a flush, and for an important event unless these are frequent."""

import threading
from typing import Final

from barograph_core.clock import Clock

BURST: Final = 20
REFILL_MS: Final = 100.0
SPACING_MS: Final = 20.0
_PAUSE_S: Final = 0.0002
# A pause shorter than this was not used by another thread, which would keep the interpreter's lock for up to 5 ms.
_UNDISTURBED_MS: Final = 2.0


class WakeBudget:
    """Limits early wakes, because an append from a cold thread costs some 0.4 ms of CPU.

    It allows ``BURST`` wakes that are ``SPACING_MS`` apart, then one each ``REFILL_MS``. The first errors of an
    incident are shipped at once, and a storm of errors costs at most 10 additional appends a second.
    """

    def __init__(self, now_ms: float) -> None:
        self._tokens = float(BURST)
        self._refilled_ms = now_ms
        self._spent_ms = now_ms - SPACING_MS

    def wait_ms(self, now_ms: float) -> float:
        """Return how long from ``now_ms`` until a wake is allowed; 0 if it is allowed now."""
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
    """Lets any thread wake the shipping thread without taking a lock.

    The shipping thread sleeps by trying to acquire a lock that is already held; another thread wakes it by releasing
    that lock. A release never blocks, so recording from a signal handler or a finaliser cannot deadlock, as it could
    with ``threading.Event``, whose ``set`` acquires a lock. The locks are made together with the thread: gevent
    replaces both, and a greenlet that waits for a real lock stops all others.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.prepare()
        self._budget = WakeBudget(clock.monotonic_ms())
        self._is_armed = False
        self._is_rung = False
        self._is_nudged = False
        self._may_skip = False

    def prepare(self) -> None:
        """Make the locks of the thread that is about to start."""
        self._pause = _held_lock()
        self._sleep = _held_lock()

    def ring(self) -> None:
        """Wake the shipping thread for an important event, within the budget."""
        self._is_rung = True
        if self._is_armed:
            self._is_armed = False
            self._wake()

    def nudge(self) -> None:
        """Wake the shipping thread, regardless of the budget."""
        self._is_nudged = True
        self._wake()

    def wait(self, timeout_ms: float) -> bool:
        """Sleep until ``ring``, ``nudge`` or ``timeout_ms``. Only the shipping thread may call it.

        Returns:
            Whether ``nudge`` was called.
        """
        deadline_ms = self._clock.monotonic_ms() + timeout_ms
        self._doze(min(timeout_ms, self._budget.wait_ms(self._clock.monotonic_ms())))
        now_ms = self._clock.monotonic_ms()
        if not self._is_nudged and now_ms < deadline_ms:
            # Arm before reading the flag, so that a ring in between either sets the flag or wakes this thread.
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
        """Let waiting threads of the host run; a plain switch would usually return straight to this thread.

        If no thread took the interpreter's lock, the next call does nothing, because a pause costs a third of the
        work between two pauses.
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
            return  # the thread is awake, and reads the flag before it sleeps


def _held_lock() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock
