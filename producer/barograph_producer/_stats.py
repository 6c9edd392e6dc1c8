"""What the producer counts about itself, and what a caller may read of it."""

import itertools
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

DropReason = Literal["buffer_full", "invalid", "too_large", "refused", "in_doubt", "lost_by_server", "closed"]
DROP_REASONS: Final[tuple[DropReason, ...]] = get_args(DropReason)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducerStats:
    """A moment's figures of one producer in one process. ``recorded = shipped + buffered + all dropped``.

    Taken while the shipper works, the parts may be apart by the batch it holds.

    Attributes:
        instance: Who this producer is on the stream; new after a fork.
        recorded: Events the host gave, those dropped at once included.
        shipped: Events the server has confirmed.
        buffered: Events that wait, raw or packed.
        folded: Shipped or waiting events whose labels became ``__other__`` because of ``max_label_sets``.
        dropped: Events lost, by reason. ``buffer_full``: the bound was reached. ``invalid``: a label or value
            that cannot be one. ``too_large``: one event above the batch limit. ``refused``: the server takes
            heartbeats but not this batch. ``in_doubt``: unconfirmed for longer than the server remembers.
            ``lost_by_server``: confirmed, then lost in a failover, and no longer kept here.
            ``closed``: came after ``close``, or could not be shipped within its time.
        last_error: The latest trouble with the server, ``None`` when there is none now.
    """

    instance: str
    recorded: int
    shipped: int
    buffered: int
    folded: int
    dropped: Mapping[DropReason, int]
    last_error: str | None

    @property
    def lost(self) -> int:
        return sum(self.dropped.values())


class Tally:
    """A counter for the host's threads: ``n += 1`` loses increments between threads, and a lock may deadlock."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._looks = 0

    def add(self) -> None:
        """Count one. Lock-free: one call into C."""
        next(self._numbers)

    def read(self) -> int:
        """Return the count. Not for the recording path: it locks, because a look moves the counter too."""
        with self._lock:
            value = next(self._numbers) - self._looks
            self._looks += 1
        return value


class Counters:
    """The producer's counters. The tallies are the host threads', everything else the shipper thread's.

    Attributes:
        full: Events refused by a full buffer.
        shut: Events that came after ``close``.
        drained: Events taken out of the buffers.
        lost: Events dropped by the shipper thread, by reason.
    """

    def __init__(self) -> None:
        self.full = Tally()
        self.shut = Tally()
        self.drained = 0
        self.shipped = 0
        self.folded = 0
        self.lost: dict[DropReason, int] = dict.fromkeys(DROP_REASONS, 0)
        self.last_error: str | None = None

    def drop(self, reason: DropReason, events: int) -> None:
        """Count ``events`` as lost. Only from the shipper thread."""
        self.lost[reason] += events

    def snapshot(self, *, instance: str, in_buffers: int, waiting: int) -> ProducerStats:
        """Return the figures.

        Args:
            instance: Of the producer now.
            in_buffers: Raw events that wait.
            waiting: Packed events that wait.
        """
        full, shut = self.full.read(), self.shut.read()
        dropped = dict(self.lost)
        dropped["buffer_full"] += full
        dropped["closed"] += shut
        return ProducerStats(
            instance=instance,
            recorded=self.drained + in_buffers + full + shut,
            shipped=self.shipped,
            buffered=in_buffers + waiting,
            folded=self.folded,
            dropped=dropped,
            last_error=self.last_error,
        )
