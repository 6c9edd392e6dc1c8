"""Stores why input was rejected. The host's threads store it and the shipping thread logs it.

Logging takes locks and does I/O, which must not happen in a host's thread.
"""

import logging
from typing import Final

from barograph_core.log_limit import LogLimit

log = logging.getLogger(__name__)

_MAX_TEXT: Final = 500


class RejectedInput:
    """The latest reason for each event name, logged at most once a minute for each."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}
        self._limit = LogLimit()

    def add(self, event: str, reason: str) -> None:
        """Store ``reason`` in place of the previous one for ``event``. Lock-free; any thread may call it."""
        self._reasons[event] = reason[:_MAX_TEXT]

    def log_due(self, now_ms: float) -> None:
        """Log the stored reasons whose name was not logged within a minute. Only the shipping thread may call it."""
        for event in tuple(self._reasons):
            if self._limit.allows(event, now_ms):
                log.warning(event, extra={"reason": self._reasons.pop(event)})
