"""Keeps encoded batches in order: those that wait, and for a few seconds those that were confirmed.

A state machine without clock or server: the shipper tells it what the server replied.
"""

import itertools
import zlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from barograph_core.encode import EncodedBatch
from barograph_producer._stats import Counters

# What a parcel costs beside its data: objects, queue slot, allocator.
PARCEL_OVERHEAD_BYTES: Final = 512
# Sizes of confirmed batches remembered, to say exactly how many events a failover lost.
REMEMBERED_BATCHES: Final = 4_096
# Of compressed batches that wait. The allocator gives so much a place of its own.
_SHELF_BYTES: Final = 256 * 1024


@dataclass(slots=True)
class Parcel:
    """A batch with its place in the sequence.

    Attributes:
        seq: 1, 2, 3 … within an instance.
        batch: To be shipped as ``whole_batch``.
        squeezed: The batch's data, compressed; ``None`` when the batch has it.
        doubtful_since_ms: Monotonic time of the first attempt that got no reply, and so may have landed.
        refusals: How often the server has refused it.
        confirmed_ms: Monotonic time of the confirmation.
    """

    seq: int
    batch: EncodedBatch
    squeezed: memoryview | None = None
    doubtful_since_ms: float | None = None
    refusals: int = 0
    confirmed_ms: float = 0.0

    @property
    def whole_batch(self) -> EncodedBatch:
        """The batch as it goes on the stream."""
        return self.batch if self.squeezed is None else replace(self.batch, data=zlib.decompress(self.squeezed))

    @property
    def cost_bytes(self) -> int:
        return len(self.batch.data if self.squeezed is None else self.squeezed) + PARCEL_OVERHEAD_BYTES


class Shelf:
    """Lays compressed batches side by side, each block of them freed with its last batch.

    Seven kilobytes here and there, made while the records they came from were still in memory, kept half as much of
    it again from being used by anything.
    """

    def __init__(self) -> None:
        self._left = memoryview(b"")

    def lay(self, data: bytes) -> memoryview:
        """Return a copy of ``data`` that lies beside the one before."""
        if len(data) > len(self._left):
            self._left = memoryview(bytearray(max(_SHELF_BYTES, len(data))))
        place, self._left = self._left[: len(data)], self._left[len(data) :]
        place[:] = data
        return place


class Backlog:
    """The queue of one instance. Only for the shipper thread; ``events`` may be read from any."""

    def __init__(self, counters: Counters, *, max_bytes: int, keep_ms: float, keep_bytes: int) -> None:
        self._counters = counters
        self._max_bytes = max_bytes
        self._keep_ms = keep_ms
        self._keep_bytes = keep_bytes
        self._waiting: deque[Parcel] = deque()
        self._kept: deque[Parcel] = deque()
        self._sizes: deque[tuple[int, int]] = deque(maxlen=REMEMBERED_BATCHES)
        self._shelf = Shelf()
        self._waiting_bytes = self._kept_bytes = 0
        self._next_seq = 1
        self.events = 0
        self.last_seq = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        return self._waiting_bytes >= self._max_bytes

    @property
    def head(self) -> Parcel | None:
        """The parcel to ship next; its ``previous`` on the wire is ``last_seq``."""
        return self._waiting[0] if self._waiting else None

    @property
    def oldest_ms(self) -> int | None:
        """Event time of the oldest event that waits. Linear in the parcels."""
        return min((parcel.batch.first_ms for parcel in self._waiting), default=None)

    def add(self, batch: EncodedBatch, *, must_wait: bool = False) -> None:
        """Put ``batch`` at the end of the queue.

        Args:
            batch: Becomes the newest.
            must_wait: Whether it is going to wait for long, and is worth compressing: by a fifth, for some
                0.1 µs an event, in which the interpreter's lock is free.
        """
        squeezed = None
        if must_wait:
            squeezed = self._shelf.lay(zlib.compress(batch.data, level=1))
            batch = replace(batch, data=b"")
        parcel = Parcel(self._next_seq, batch, squeezed)
        self._next_seq += 1
        self._waiting.append(parcel)
        self._waiting_bytes += parcel.cost_bytes
        self.events += batch.n

    def oldest(self, most: int, most_bytes: int) -> Sequence[Parcel]:
        """Return the parcels to ship next, in order: at most ``most``, and one even if it alone is too large.

        Their numbers are consecutive: the server counts them up from the first one's.
        """
        parcels: list[Parcel] = []
        size_bytes = 0
        for parcel in itertools.islice(self._waiting, most):
            size_bytes += parcel.cost_bytes
            if parcels and (size_bytes > most_bytes or parcel.seq != parcels[-1].seq + 1):
                break
            parcels.append(parcel)
        return parcels

    def confirm(self, through_seq: int, now_ms: float) -> None:
        """Take the parcels up to ``through_seq`` as shipped, and keep them for a while in case the server forgets."""
        while self._waiting and self._waiting[0].seq <= through_seq:
            parcel = self._pop_head()
            self.last_seq = parcel.seq
            self._counters.shipped += parcel.batch.n
            parcel.confirmed_ms, parcel.doubtful_since_ms = now_ms, None
            self._kept.append(parcel)
            self._kept_bytes += parcel.cost_bytes
            self._sizes.append((parcel.seq, parcel.batch.n))
        self.forget_old(now_ms)

    def forget_old(self, now_ms: float) -> None:
        """Let go of confirmed parcels beyond the time or the bytes to keep."""
        while self._kept and (
            self._kept[0].confirmed_ms + self._keep_ms < now_ms or self._kept_bytes > self._keep_bytes
        ):
            self._kept_bytes -= self._kept.popleft().cost_bytes

    def drop_head(self) -> int:
        """Give the head up; the next parcel declares the hole. Returns its number of events."""
        return self._pop_head().batch.n

    def rewind(self, server_last: int) -> None:
        """Follow the server, whose last sequence number is not ours.

        When it is older, a failover lost confirmed batches: those still kept wait again, in order and before
        all others; the rest is counted as ``lost_by_server``, and the next offer declares it.
        """
        lost_seqs = range(server_last + 1, self.last_seq + 1)
        self.last_seq = server_last
        if not lost_seqs:
            return
        while self._kept and self._kept[-1].seq > server_last:
            parcel = self._kept.pop()
            self._kept_bytes -= parcel.cost_bytes
            self._waiting.appendleft(parcel)
            self._waiting_bytes += parcel.cost_bytes
            self.events += parcel.batch.n
            self._counters.shipped -= parcel.batch.n
        first_waiting = self._waiting[0].seq if self._waiting else self._next_seq
        lost = 0
        while self._sizes and self._sizes[-1][0] > server_last:
            seq, n = self._sizes.pop()
            lost += n if seq < first_waiting else 0
        self._counters.shipped -= lost
        self._counters.drop("lost_by_server", lost)

    def renumber(self) -> None:
        """Begin at 1 again, for a new instance: what waits goes on waiting, what was confirmed is forgotten."""
        self._kept.clear()
        self._sizes.clear()
        self._kept_bytes = self.last_seq = 0
        for seq, parcel in enumerate(self._waiting, start=1):
            parcel.seq, parcel.doubtful_since_ms = seq, None
        self._next_seq = len(self._waiting) + 1

    def drop_all(self) -> int:
        """Give up everything that waits. Returns the number of events."""
        events = 0
        while self._waiting:
            events += self.drop_head()
        return events

    def _pop_head(self) -> Parcel:
        parcel = self._waiting.popleft()
        self._waiting_bytes -= parcel.cost_bytes
        self.events -= parcel.batch.n
        return parcel
