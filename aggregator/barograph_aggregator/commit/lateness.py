"""Drops events that are too late or too early. Depends on the log alone, so that a replay decides the same."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from barograph_core.decode.block import EventBlock
from barograph_core.decode.header import MAX_WHOLE_NUMBER
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value
from barograph_core.server.refusals import skip_if_full
from barograph_core.server.replies import Entry

# Same as the lives of a producer's own report and of a service's totals.
_REPORT_LIFE_S: Final = 86_400
_TOTALS_LIFE_S: Final = 7_776_000
_AT_MS: Final = b"at_ms"
_MAX_DIGITS: Final = 15


class Sender(NamedTuple):
    """A producer, and the service that it belongs to."""

    service: str
    instance: str


@dataclass(slots=True)
class OutOfBounds:
    """Numbers of dropped events, by the service and the instance that sent them.

    Attributes:
        late: Events that arrived later than the allowed lateness.
        future: Events whose time is further ahead of their arrival than a clock may be.
        refused: Number of events of services beyond the service cap.
    """

    late: Counter[Sender] = field(default_factory=Counter[Sender])
    future: Counter[Sender] = field(default_factory=Counter[Sender])
    refused: int = 0

    @property
    def total(self) -> int:
        return self.late.total() + self.future.total()


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far an event's time may be from its entry's arrival, which is by the server's clock."""

    allowed_lateness_ms: int
    max_future_ms: int

    def split(self, block: EventBlock, entries: Sequence[Entry], dropped: OutOfBounds) -> EventBlock:
        """Return the events of ``block`` within the bounds (``block`` itself if all are), and count the others.

        A record that stands for several events counts as that many.

        Args:
            block: The decoded ``entries``.
            entries: Ascending.
            dropped: Receives the counts.
        """
        # Most blocks lie within the bounds of both the first and the last entry: they need no check of each event.
        arrivals_ms = [arrival_ms(entry) for entry in entries]
        earliest_ms = max(arrivals_ms) - self.allowed_lateness_ms
        latest_ms = min(arrivals_ms) + self.max_future_ms
        if not len(block) or earliest_ms <= int(block.times_ms.min()) <= int(block.times_ms.max()) <= latest_ms:
            return block
        ahead_ms = block.times_ms - np.array(arrivals_ms, np.int64)[block.entry_of]
        is_late, is_future = ahead_ms < -self.allowed_lateness_ms, ahead_ms > self.max_future_ms
        _count(block.select(is_late), entries, dropped.late)
        _count(block.select(is_future), entries, dropped.future)
        return block.select(~(is_late | is_future))


def arrival_ms(entry: Entry) -> int:
    """Return when an entry arrived: the time in its id, unless the append function wrote an earlier one next to it.

    It does so where the id was ahead of the server's clock. An id that exceeds every time counts as the latest one.
    """
    written = entry.fields.get(_AT_MS, b"")
    if written.isdigit() and len(written) <= _MAX_DIGITS:
        return min(int(written), entry.id.ms)
    return min(entry.id.ms, MAX_WHOLE_NUMBER)


def _count(block: EventBlock, entries: Sequence[Entry], counts: Counter[Sender]) -> None:
    positions, inverse = np.unique(block.entry_of, return_inverse=True)
    for position, events in zip(positions.tolist(), np.bincount(inverse, block.weights).tolist(), strict=True):
        fields = entries[int(position)].fields
        counts[Sender(fields[b"service"].decode(), fields[b"instance"].decode())] += int(events)


def report(connection: Connection, keys: ShardKeys, dropped: OutOfBounds) -> None:
    """Add the dropped events to the reports of the instances that sent them and to the totals of their services.

    This is a write of its own after the commit. If the worker dies in between, or the server is full, these figures are
    too low; panes are not affected.

    Raises:
        BarographError: The server is unreachable, or refuses for another reason than lacking memory.
    """
    commands: list[list[Value]] = []
    for name, counts in (("late", dropped.late), ("future", dropped.future)):
        for sender, count in counts.items():
            if count:
                own, totals = keys.producer(sender.instance), keys.totals(sender.service)
                commands.append(["HINCRBY", own, f"events_{name}", count])
                commands.append(["EXPIRE", own, _REPORT_LIFE_S])
                commands.append(["HINCRBY", totals, name, count])
                commands.append(["EXPIRE", totals, _TOTALS_LIFE_S])
    with skip_if_full():
        connection.pipeline(commands)
