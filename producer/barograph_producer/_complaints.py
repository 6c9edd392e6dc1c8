"""Reasons for invalid input, kept by the host's threads and logged by ours: logging takes locks and does I/O."""

import logging
from typing import Final

from barograph_producer._schedule import LogLimit

log = logging.getLogger(__name__)

_MAX_TEXT: Final = 500


class Complaints:
    """Keeps the latest reason of each sort until it is logged, at most once a minute each."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}
        self._limit = LogLimit()

    def add(self, event: str, reason: str) -> None:
        """Keep ``reason``; a later one of the same event takes its place. From any thread, lock-free."""
        self._reasons[event] = reason[:_MAX_TEXT]

    def log_due(self, now_ms: float) -> None:
        """Log what is kept, where a minute has passed since the last time. Only from the shipper thread."""
        for event in tuple(self._reasons):
            if self._limit.allows(event, now_ms):
                log.warning(event, extra={"reason": self._reasons.pop(event)})
