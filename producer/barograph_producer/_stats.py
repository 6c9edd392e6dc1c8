"""What the producer counts about itself, and what a caller may read of it."""

import itertools
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

from barograph_producer._complaints import Complaints

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
        folded_by: The same by the label that had too many values: ``request.route``, ``custom.depth.user``.
        dropped: Events lost, by reason. ``buffer_full``: the bound was reached. ``invalid``: a label or value
            that cannot be one, or input of ``track`` or ``models`` that could not be used (once a call of
            ``track``, which is recorded all the same). ``too_large``: one event above the batch limit.
            ``refused``: the server takes heartbeats but not this batch. ``in_doubt``: unconfirmed for longer
            than the server remembers.
            ``lost_by_server``: confirmed, then lost in a failover, and no longer kept here.
            ``closed``: came after ``close``, or could not be shipped within its time.
        last_error: The latest trouble with the server, ``None`` when there is none now.
    """

    instance: str
    recorded: int
    shipped: int
    buffered: int
    folded: int
    folded_by: Mapping[str, int]
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

    def add_many(self, count: int) -> None:
        """Count ``count``, one by one. Lock-free: one call into C."""
        deque(itertools.islice(self._numbers, count), maxlen=0)

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
        unusable: Input that no event could be made of, in the hosts' threads.
        complaints: Why it could not.
        drained: Events taken out of the buffers.
        lost: Events dropped by the shipper thread, by reason.
    """

    def __init__(self) -> None:
        self.full = Tally()
        self.shut = Tally()
        self.unusable = Tally()
        self.complaints = Complaints()
        self.drained = 0
        self.shipped = 0
        self.folded_by: dict[str, int] = {}
        self.lost: dict[DropReason, int] = dict.fromkeys(DROP_REASONS, 0)
        self.last_error: str | None = None

    def drop(self, reason: DropReason, events: int) -> None:
        """Count ``events`` as lost. Only from the shipper thread."""
        self.lost[reason] += events

    def fold(self, by_label: Mapping[str, int]) -> None:
        """Count events whose labels became ``__other__``, by the label to blame. Only from the shipper thread."""
        for label, events in by_label.items():
            self.folded_by[label] = self.folded_by.get(label, 0) + events
            self.complaints.add("producer.labels_folded", f"{label} has too many values")

    def snapshot(self, *, instance: str, in_buffers: int, waiting: int, has_ended: bool = False) -> ProducerStats:
        """Return the figures.

        Args:
            instance: Of the producer now.
            in_buffers: Raw events that wait.
            waiting: Packed events that wait.
            has_ended: Whether nothing will be shipped any more: what a thread recorded while the producer
                was closed is then lost, and is counted as such.
        """
        full, shut, unusable = self.full.read(), self.shut.read(), self.unusable.read()
        dropped, folded_by = dict(self.lost), dict(self.folded_by)
        dropped["buffer_full"] += full
        dropped["invalid"] += unusable
        dropped["closed"] += shut + (in_buffers if has_ended else 0)
        return ProducerStats(
            instance=instance,
            recorded=self.drained + in_buffers + full + shut + unusable,
            shipped=self.shipped,
            buffered=waiting + (0 if has_ended else in_buffers),
            folded=sum(folded_by.values()),
            folded_by=folded_by,
            dropped=dropped,
            last_error=self.last_error,
        )
