"""What goes wrong again and again is told now and then: a log of one line a pass hides everything else."""

import logging

from barograph_core.clock import Clock
from barograph_core.errors import BarographError, StreamUnavailableError

log = logging.getLogger(__name__)

_EVERY_MS = 60_000


class Complaints:
    """When each thing was last told. For one thread."""

    def __init__(self, clock: Clock, stage: str) -> None:
        self._clock = clock
        self._stage = stage
        self._told_ms: dict[str, float] = {}

    def tell(self, message: str, error: Exception) -> None:
        """Log ``error`` as a warning, unless one of its kind was told within a minute."""
        is_ours = isinstance(error, BarographError)
        # By its kind: what fails now and then between passes that succeed is not worth a line each time.
        kind = error.reason if isinstance(error, StreamUnavailableError) else type(error).__name__
        if self.may_tell(f"{message} {kind}", _EVERY_MS):
            extra = {"stage": self._stage, "error": str(error)}
            log.warning(message, extra=extra, exc_info=None if is_ours else error)

    def may_tell(self, what: str, every_ms: int) -> bool:
        """Say whether ``what`` was not told within ``every_ms``; if so it counts as told now."""
        now = self._clock.monotonic_ms()
        if now - self._told_ms.get(what, float("-inf")) < every_ms:
            return False
        self._told_ms[what] = now
        return True
