"""Handles failures of shipping: decides when to try again, and logs each kind at most once a minute."""

import logging
from collections.abc import Callable
from typing import Final

from barograph_core.backoff import Backoff
from barograph_core.clock import Clock
from barograph_core.errors import BarographError, StreamUnavailableError
from barograph_core.log_limit import LogLimit
from barograph_producer._stats import ProducerCounters

log = logging.getLogger(__name__)

# After these errors the connection still works, so a new one is not needed.
_CONNECTED_REASONS: Final = frozenset(("out_of_memory", "no_library", "loading"))


class FailureLog:
    """The failures since the last success. Only the shipping thread may use it."""

    def __init__(
        self,
        *,
        clock: Clock,
        counters: ProducerCounters,
        backoff: Backoff,
        jitter: Callable[[], float],
        situation: Callable[[], dict[str, object]],
    ) -> None:
        """Make one.

        Args:
            clock: Provides monotonic time.
            counters: Receive the last error.
            backoff: The waits between attempts.
            jitter: Returns a new random number from 0 to 1.
            situation: Returns the fields to log in addition to the error.
        """
        self._clock = clock
        self._counters = counters
        self._backoff = backoff
        self._jitter = jitter
        self._failures = 0
        self._ready_ms = 0.0
        self._situation = situation
        self._log_limit = LogLimit()

    @property
    def has_failed(self) -> bool:
        """Whether the last attempt failed."""
        return self._failures > 0

    @property
    def wait_ms(self) -> float:
        """How long until the next attempt; 0 if it may be made now."""
        return max(0.0, self._ready_ms - self._clock.monotonic_ms())

    def note_error(self, error: BarographError) -> bool:
        """Note an error of the server or the connection. Return whether a new connection is needed."""
        reason = error.reason if isinstance(error, StreamUnavailableError) else type(error).__name__
        if self._fail(str(error), "error"):
            log.warning("producer.cannot_ship", extra={"reason": reason, "error": str(error), **self._situation()})
        return reason not in _CONNECTED_REASONS

    def note_fault(self, error: Exception) -> None:
        """Note a fault of ours."""
        if self._fail(repr(error), "fault"):
            log.error("producer.internal_error", exc_info=error, extra=self._situation())

    def note_success(self) -> None:
        """Note that the server accepted everything."""
        if self._failures and self._log_limit.allows("recovered", self._clock.monotonic_ms()):
            log.info("producer.recovered", extra=self._situation())
        self._failures, self._ready_ms = 0, 0.0
        self._counters.last_error = None

    def _fail(self, text: str, name: str) -> bool:
        now_ms = self._clock.monotonic_ms()
        self._failures += 1
        self._ready_ms = now_ms + self._backoff.wait_ms(self._failures, self._jitter())
        self._counters.last_error = text
        return self._log_limit.allows(name, now_ms)
