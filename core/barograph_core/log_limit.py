"""Limits how often a recurring message is logged, so that it does not flood the log."""

import math
from collections.abc import Hashable
from typing import Final

# Period that never ends: the message is logged once, and again only after `forget`.
ONCE: Final = math.inf

# Names may contain ids of data. Past this many, all are forgotten and may be logged once more.
_MAX_NAMES: Final = 1_000


class LogLimit:
    """Allows one message of each name in ``every_ms``. For one thread."""

    def __init__(self, every_ms: float = 60_000) -> None:
        self._every_ms = every_ms
        self._logged_ms: dict[Hashable, float] = {}

    def allows(self, name: Hashable, now_ms: float = 0.0) -> bool:
        """Say whether to log a message of ``name`` now; if so, it counts as logged."""
        logged_ms = self._logged_ms.get(name)
        if logged_ms is not None and now_ms - logged_ms < self._every_ms:
            return False
        if len(self._logged_ms) >= _MAX_NAMES:
            self._logged_ms.clear()
        self._logged_ms[name] = now_ms
        return True

    def forget(self, name: Hashable) -> None:
        """Allow the next message of ``name``: what it was about is over."""
        self._logged_ms.pop(name, None)
