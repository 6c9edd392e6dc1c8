"""When to send the next heartbeat."""

from typing import Final

BEAT_MS: Final = 1_000
# Latest time of a heartbeat after the whole second. Each producer has its own offset, so that a thousand producers do
# not send at once; all of them send well before the pane of that second is closed.
MAX_OFFSET_MS: Final = 100


class HeartbeatSchedule:
    """Due at once when new, then right after each whole second of wall time.

    A pane ends at a whole second. A heartbeat just before it would leave an idle producer missing from the pane for
    most of the next second.
    """

    def __init__(self, offset_ms: int) -> None:
        self._offset_ms = offset_ms
        self._due_ms = 0

    def is_due(self, now_ms: int) -> bool:
        # A clock set back by hours must not silence the producer for hours.
        return now_ms >= self._due_ms or self._due_ms - now_ms > BEAT_MS + MAX_OFFSET_MS

    def beat(self, now_ms: int) -> None:
        """Note that the heartbeat was sent at ``now_ms``."""
        second_ms = (now_ms - self._offset_ms) // BEAT_MS * BEAT_MS
        self._due_ms = second_ms + BEAT_MS + self._offset_ms

    def wait_ms(self, now_ms: int, every_ms: float = BEAT_MS) -> float:
        """Return how long until the next heartbeat, or until the next multiple of ``every_ms`` after the last one.

        Shipments are aligned with the heartbeats, because one shortly before a heartbeat would split a batch in two.
        """
        if self.is_due(now_ms):
            return 0.0
        until_beat_ms = self._due_ms - now_ms
        since_beat_ms = max(0, BEAT_MS - until_beat_ms)
        return min(until_beat_ms, every_ms - since_beat_ms % every_ms)
