"""The producer's counters, and the figures that a caller may read."""

import itertools
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

from barograph_producer._rejected_input import RejectedInput

DropReason = Literal["buffer_full", "invalid", "too_large", "refused", "in_doubt", "lost_by_server", "closed"]
DROP_REASONS: Final[tuple[DropReason, ...]] = get_args(DropReason)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducerStats:
    """Figures of one producer in one process. ``recorded = shipped + buffered + all dropped``.

    While the shipping loop works, the two sides may differ by the batch that it holds.

    Attributes:
        instance: The name of this producer on the stream; a fork gets a new one.
        recorded: Events that the host recorded, including those that were dropped at once.
        shipped: Events that the server has confirmed.
        buffered: Events that wait, raw or packed.
        folded: Shipped or waiting events whose labels became ``__other__`` because of ``max_label_sets``.
        folded_by: The same by the label that had too many values: ``request.route``, ``custom.depth.user``.
        dropped: Events lost, by reason. ``buffer_full``: the buffer was full. ``invalid``: a label or value was not
            valid, or input of ``track`` or ``models`` could not be used (counted once for a call of ``track``, whose
            latency is recorded nevertheless). ``too_large``: one event exceeds the limit of a batch.
            ``refused``: the server accepts heartbeats but refuses this batch. ``in_doubt``: unconfirmed for longer
            than the server remembers.
            ``lost_by_server``: confirmed, then lost in a failover, and no longer kept here.
            ``closed``: recorded after ``close``, or not shipped within its time limit.
        shared_names: How often the server knew batches of this instance that were not sent from here, because another
            process is a copy of this one. The producer then takes a new name, and loses nothing.
        last_error: The latest error of the server or the connection, ``None`` after a success.
    """

    instance: str
    recorded: int
    shipped: int
    buffered: int
    folded: int
    folded_by: Mapping[str, int]
    dropped: Mapping[DropReason, int]
    last_error: str | None
    shared_names: int = 0

    @property
    def lost(self) -> int:
        return sum(self.dropped.values())


class DropCount:
    """A counter for the host's threads, where ``n += 1`` would lose increments and a lock could deadlock."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._reads = 0

    def add_many(self, count: int) -> None:
        """Add ``count``, one by one. Lock-free: a single call into C."""
        deque(itertools.islice(self._numbers, count), maxlen=0)

    def read(self) -> int:
        """Return the count. It takes a lock, because reading advances the counter too: not for recording threads."""
        with self._lock:
            value = next(self._numbers) - self._reads
            self._reads += 1
        return value


class ProducerCounters:
    """The producer's counters. Host threads change each ``DropCount``; the shipping thread changes all others.

    Attributes:
        full: Events refused by a full buffer.
        shut: Events recorded after ``close``.
        unusable: Inputs from which the host's threads could make no event.
        rejected: The reasons why input was not usable.
        drained: Events taken out of the buffers.
        lost: Events dropped by the shipping thread, by reason.
        shared_names: How often another process sent under the same name.
    """

    def __init__(self) -> None:
        self.full = DropCount()
        self.shut = DropCount()
        self.unusable = DropCount()
        self.rejected = RejectedInput()
        self.drained = 0
        self.shipped = 0
        self.folded_by: dict[str, int] = {}
        self.lost: dict[DropReason, int] = dict.fromkeys(DROP_REASONS, 0)
        self.last_error: str | None = None
        self.shared_names = 0

    def note_shared_name(self, instance: str) -> None:
        """Count that another process sends as ``instance``. Only the shipping thread may call it."""
        self.shared_names += 1
        self.rejected.add("producer.instance_is_shared", f"another process sends as {instance}")

    def drop(self, reason: DropReason, events: int) -> None:
        """Count ``events`` as lost. Only the shipping thread may call it."""
        self.lost[reason] += events

    def fold(self, by_label: Mapping[str, int]) -> None:
        """Count events whose labels became ``__other__``, by label. Only the shipping thread may call it."""
        for label, events in by_label.items():
            self.folded_by[label] = self.folded_by.get(label, 0) + events
            self.rejected.add("producer.labels_folded", f"{label} has too many values")

    def snapshot(self, *, instance: str, in_buffers: int, waiting: int, has_ended: bool = False) -> ProducerStats:
        """Return the figures.

        Args:
            instance: The current name of the producer.
            in_buffers: Number of raw events that wait.
            waiting: Number of packed events that wait.
            has_ended: Whether nothing more will be shipped. Raw events are then counted as lost.
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
            shared_names=self.shared_names,
        )
