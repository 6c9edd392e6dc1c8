"""What went wrong while shipping: when to try again, what to say of it, and how often."""

import logging
from collections.abc import Callable
from typing import Final

from barograph_core.clock import Clock
from barograph_core.errors import BarographError, StreamUnavailableError
from barograph_producer._schedule import Backoff, LogLimit
from barograph_producer._stats import Counters

log = logging.getLogger(__name__)

# After these the connection may be as good as new; a new one would only cost.
_CONNECTED_REASONS: Final = frozenset(("out_of_memory", "no_library", "loading"))


class Troubles:
    """Only for the shipper thread."""

    def __init__(
        self, *, clock: Clock, counters: Counters, backoff: Backoff, situation: Callable[[], dict[str, object]]
    ) -> None:
        """Make one.

        Args:
            clock: Its monotonic time.
            counters: Show the last error.
            backoff: Grows with each failure in a row.
            situation: Returns what a log line says beside the error.
        """
        self._clock = clock
        self._counters = counters
        self._backoff = backoff
        self._situation = situation
        self._log_limit = LogLimit()

    @property
    def have_come(self) -> bool:
        """Whether the last attempt failed."""
        return self._backoff.has_failed

    @property
    def wait_ms(self) -> float:
        """How long until the next attempt, 0 when it may be made."""
        return self._backoff.wait_ms(self._clock.monotonic_ms())

    def note(self, error: BarographError) -> bool:
        """Take note of what the server or the way to it did. Returns whether a new connection is needed."""
        reason = error.reason if isinstance(error, StreamUnavailableError) else type(error).__name__
        if self._fail(str(error), "trouble"):
            log.warning("producer.cannot_ship", extra={"reason": reason, "error": str(error), **self._situation()})
        return reason not in _CONNECTED_REASONS

    def note_fault(self, error: Exception) -> None:
        """Take note of a fault of ours."""
        if self._fail(repr(error), "bug"):
            log.error("producer.internal_error", exc_info=error, extra=self._situation())

    def end(self) -> None:
        """Take note that the server took all that it was offered."""
        if self._backoff.has_failed and self._log_limit.allows("recovered", self._clock.monotonic_ms()):
            log.info("producer.recovered", extra=self._situation())
        self._backoff.succeed()
        self._counters.last_error = None

    def _fail(self, text: str, name: str) -> bool:
        now_ms = self._clock.monotonic_ms()
        self._backoff.fail(now_ms)
        self._counters.last_error = text
        return self._log_limit.allows(name, now_ms)
