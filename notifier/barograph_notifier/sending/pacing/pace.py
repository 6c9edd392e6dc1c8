"""When a channel may send its next message: after a hold that its target asked for, and within its rate."""

from barograph_core.clock import Clock
from barograph_notifier.posting.token_bucket import TokenBucket


class Pace:
    """The pace of one channel, shared by its senders in this process: what threads write is one number.

    Other processes learn of a hold from the server (``Turns.hold``); this one ends a sender's batch at once.
    """

    def __init__(self, clock: Clock, bucket: TokenBucket | None = None) -> None:
        self._clock = clock
        self._bucket = bucket
        self._until_ms = 0.0

    def hold(self, ms: float) -> None:
        """Send nothing for ``ms``, or for longer if a hold goes on."""
        self._until_ms = max(self._until_ms, self._clock.monotonic_ms() + ms)

    @property
    def left_ms(self) -> int:
        """Return the ms left of a hold, rounded up, so that nothing is sent too early; 0 when there is none."""
        left_ms = self._until_ms - self._clock.monotonic_ms()
        return 0 if left_ms <= 0 else int(left_ms) + 1

    def take_ms(self) -> int:
        """Return 0 and count a message, or the ms until one may be sent."""
        if self.left_ms == 0 and self._bucket is not None:
            wait_ms = self._bucket.take()
            if wait_ms > 0:
                self.hold(wait_ms)
        return self.left_ms
