"""The range of event time that an aggregator closes: everything, except in a replay of a part of the log."""

import sys
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class PaneSpan:
    """Event time from ``from_ms`` until before ``to_ms``.

    A roll-up that crosses its borders would lack the events outside, and would look complete.
    """

    from_ms: int = 0
    to_ms: int = sys.maxsize

    def holds(self, start_ms: int, end_ms: int) -> bool:
        """Say whether a pane with these borders lies wholly inside."""
        return self.from_ms <= start_ms and end_ms <= self.to_ms


EVERYTHING: Final = PaneSpan()
