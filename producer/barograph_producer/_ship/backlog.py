"""Holds encoded batches in order: those that wait, and for a few seconds those that the server confirmed.

It is a state machine without a clock or a connection; the shipper passes it the replies of the server.
"""

import itertools
import zlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from barograph_core.events.encode import EncodedBatch
from barograph_producer._stats import ProducerCounters

# Memory of a parcel in addition to its data: objects, queue slot, allocator.
PARCEL_OVERHEAD_BYTES: Final = 512
# Number of confirmed batches whose size is remembered, to count exactly how many events a failover lost.
REMEMBERED_BATCHES: Final = 4_096
# Size of a block for compressed batches. The allocator maps blocks this large separately, so freeing one returns its
# memory to the system.
_BLOCK_BYTES: Final = 256 * 1024


@dataclass(slots=True)
class Parcel:
    """A batch with its sequence number.

    Attributes:
        seq: 1, 2, 3 … within an instance.
        batch: The batch; without its data if that is compressed.
        compressed: The compressed data; ``None`` if ``batch`` has its data.
        doubtful_since_ms: Monotonic time of the first attempt without a reply, which may have been successful.
        refusals: How often the server has refused the batch.
        confirmed_ms: Monotonic time of the confirmation.
    """

    seq: int
    batch: EncodedBatch
    compressed: memoryview | None = None
    doubtful_since_ms: float | None = None
    refusals: int = 0
    confirmed_ms: float = 0.0

    @property
    def whole_batch(self) -> EncodedBatch:
        """The batch with its data, as it goes to the stream."""
        return self.batch if self.compressed is None else replace(self.batch, data=zlib.decompress(self.compressed))

    @property
    def cost_bytes(self) -> int:
        return len(self.batch.data if self.compressed is None else self.compressed) + PARCEL_OVERHEAD_BYTES


class BlockStore:
    """Stores compressed batches next to each other in large blocks; a block is freed with its last batch.

    Stored separately, each batch of about 7 kB would lie between the records that were in memory when it was made.
    The gaps that these leave could not be reused, and cost half as much memory again.
    """

    def __init__(self) -> None:
        self._free = memoryview(b"")

    def add(self, data: bytes) -> memoryview:
        """Return a copy of ``data``, stored next to the previous one."""
        if len(data) > len(self._free):
            self._free = memoryview(bytearray(max(_BLOCK_BYTES, len(data))))
        place, self._free = self._free[: len(data)], self._free[len(data) :]
        place[:] = data
        return place


class Backlog:
    """The queue of one instance. Only the shipping thread may use it; any thread may read ``events``.

    Attributes:
        events: Number of events that wait.
        last_seq: The last number that the server has confirmed.
        offered_seq: The highest number that was ever sent, confirmed or not.
    """

    def __init__(self, counters: ProducerCounters, *, max_bytes: int, keep_ms: float, keep_bytes: int) -> None:
        self._counters = counters
        self._max_bytes = max_bytes
        self._keep_ms = keep_ms
        self._keep_bytes = keep_bytes
        self._waiting: deque[Parcel] = deque()
        self._kept: deque[Parcel] = deque()
        self._sizes: deque[tuple[int, int]] = deque(maxlen=REMEMBERED_BATCHES)
        self._blocks = BlockStore()
        self._waiting_bytes = self._kept_bytes = 0
        self._next_seq = 1
        self.events = 0
        self.last_seq = 0
        self.offered_seq = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        return self._waiting_bytes >= self._max_bytes

    @property
    def head(self) -> Parcel | None:
        """The parcel to ship next. It is sent with ``last_seq`` as the number before it."""
        return self._waiting[0] if self._waiting else None

    @property
    def oldest_ms(self) -> int | None:
        """Event time of the oldest event that waits. Linear in the number of parcels."""
        return min((parcel.batch.first_ms for parcel in self._waiting), default=None)

    def add(self, batch: EncodedBatch, *, must_wait: bool = False) -> None:
        """Append ``batch`` to the queue.

        Args:
            batch: The newest batch.
            must_wait: Whether it will wait for long and should be compressed. That saves a fifth and costs some
                0.1 µs an event, during which the interpreter's lock is free.
        """
        compressed = None
        if must_wait:
            compressed = self._blocks.add(zlib.compress(batch.data, level=1))
            batch = replace(batch, data=b"")
        parcel = Parcel(self._next_seq, batch, compressed)
        self._next_seq += 1
        self._waiting.append(parcel)
        self._waiting_bytes += parcel.cost_bytes
        self.events += batch.n

    def oldest(self, most: int, most_bytes: int) -> Sequence[Parcel]:
        """Return the parcels to ship next, in order: at most ``most``, but one even if it alone is too large.

        Their numbers are consecutive, because the server counts from the number of the first.
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
        """Mark the parcels up to ``through_seq`` as shipped, and keep them for a while: a failover may lose them."""
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
        """Drop confirmed parcels that exceed the time or the bytes to keep."""
        while self._kept and (
            self._kept[0].confirmed_ms + self._keep_ms < now_ms or self._kept_bytes > self._keep_bytes
        ):
            self._kept_bytes -= self._kept.popleft().cost_bytes

    def drop_head(self) -> int:
        """Drop the head and return its number of events. The next parcel declares the gap to the server."""
        return self._pop_head().batch.n

    def rewind(self, server_last: int) -> None:
        """Adopt the last sequence number of the server, which differs from ours.

        If it is lower, a failover lost confirmed batches. Those still kept wait again, in order and before all
        others. The others are counted as ``lost_by_server``, and the next call declares the gap.
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
        """Number the waiting parcels from 1, for a new instance, and forget the confirmed ones."""
        self._kept.clear()
        self._sizes.clear()
        self._kept_bytes = self.last_seq = self.offered_seq = 0
        for seq, parcel in enumerate(self._waiting, start=1):
            parcel.seq, parcel.doubtful_since_ms = seq, None
        self._next_seq = len(self._waiting) + 1

    def drop_all(self) -> int:
        """Drop everything that waits and return the number of events."""
        events = 0
        while self._waiting:
            events += self.drop_head()
        return events

    def _pop_head(self) -> Parcel:
        parcel = self._waiting.popleft()
        self._waiting_bytes -= parcel.cost_bytes
        self.events -= parcel.batch.n
        return parcel
