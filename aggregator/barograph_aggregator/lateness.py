"""Which events are too late, or too early, to count: a function of the log alone, so that a replay decides alike."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from barograph_core.errors import StreamUnavailableError
from barograph_core.event_block import EventBlock
from barograph_core.keys import ShardKeys
from barograph_core.stream import Connection, Entry, Value

# As long as a producer's own report lives.
_REPORT_LIFE_S: Final = 3_600


@dataclass(slots=True)
class OutOfBounds:
    """Events that do not count, by the instance that sent them.

    Attributes:
        late: Further before their arrival than the allowed lateness.
        future: Further after their arrival than a clock may be ahead.
    """

    late: Counter[str] = field(default_factory=Counter[str])
    future: Counter[str] = field(default_factory=Counter[str])

    @property
    def total(self) -> int:
        return self.late.total() + self.future.total()


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far an event may lie from its arrival: the ms of its entry's id, the server's clock when it was appended."""

    allowed_lateness_ms: int
    max_future_ms: int

    def split(self, block: EventBlock, entries: Sequence[Entry], dropped: OutOfBounds) -> EventBlock:
        """Return what of ``block`` lies within the bounds (the same object when all does), and count the rest.

        A record that stands for several events counts as so many.

        Args:
            block: What was decoded of ``entries``.
            entries: Ascending.
            dropped: Where the rest is added.
        """
        # Between the bounds of the first entry and of the last: this spares most blocks a look at each arrival.
        earliest_ms = entries[-1].id.ms - self.allowed_lateness_ms
        latest_ms = entries[0].id.ms + self.max_future_ms
        if not len(block) or earliest_ms <= int(block.times_ms.min()) <= int(block.times_ms.max()) <= latest_ms:
            return block
        ahead_ms = block.times_ms - np.array([entry.id.ms for entry in entries], np.int64)[block.entry_of]
        is_late, is_future = ahead_ms < -self.allowed_lateness_ms, ahead_ms > self.max_future_ms
        _count(block.select(is_late), entries, dropped.late)
        _count(block.select(is_future), entries, dropped.future)
        return block.select(~(is_late | is_future))


def _count(block: EventBlock, entries: Sequence[Entry], counts: Counter[str]) -> None:
    positions, inverse = np.unique(block.entry_of, return_inverse=True)
    for position, events in zip(positions.tolist(), np.bincount(inverse, block.weights).tolist(), strict=True):
        counts[entries[position].fields[b"instance"].decode()] += int(events)


def report(connection: Connection, keys: ShardKeys, dropped: OutOfBounds) -> None:
    """Add what was dropped to the reports of the instances that sent it, for ``barograph status``.

    After the commit and apart from it: a worker that dies in between leaves these figures short, the panes never. So
    does a full server.

    Raises:
        BarographError: The server is gone or refuses, but not for want of memory.
    """
    commands: list[list[Value]] = []
    for name, counts in (("events_late", dropped.late), ("events_future", dropped.future)):
        for instance, count in counts.items():
            if count:
                key = keys.producer(instance)
                commands.append(["HINCRBY", key, name, count])
                commands.append(["EXPIRE", key, _REPORT_LIFE_S])
    try:
        connection.pipeline(commands)
    except StreamUnavailableError as error:
        # A full server refuses figures, yet takes the work that empties it: that must not wait.
        if error.reason != "out_of_memory":
            raise
