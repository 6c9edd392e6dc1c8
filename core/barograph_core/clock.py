"""The only place that reads a clock, so that everything else can be given one."""

import time
from typing import Protocol


class Clock(Protocol):
    """A source of the time.

    ``now_ms`` is wall time: whole milliseconds since the epoch, UTC; it may jump. ``monotonic_ms`` measures durations
    and never goes back.
    """

    def now_ms(self) -> int: ...

    def monotonic_ms(self) -> float: ...


class SystemClock:
    """The machine's clocks."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> float:
        return time.monotonic_ns() / 1_000_000
