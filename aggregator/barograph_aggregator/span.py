"""The stretch of event time for which an aggregator answers: all of it, but for a replay of a part of the log."""

import sys
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Span:
    """Event time from ``from_ms`` until before ``to_ms``.

    A roll-up that begins before it or ends after it would lack the events outside, and look like a whole one.
    """

    from_ms: int = 0
    to_ms: int = sys.maxsize

    def holds(self, start_ms: int, end_ms: int) -> bool:
        """Say whether a pane of that start and end lies wholly inside."""
        return self.from_ms <= start_ms and end_ms <= self.to_ms


EVERYTHING: Final = Span()
