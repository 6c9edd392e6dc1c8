"""Moves records from the buffers to the backlog in slices, so that the host's threads wait for one slice at most."""

from collections.abc import Callable, Sequence
from typing import Final

from barograph_producer._pack.packer import Packer
from barograph_producer._record.buffer import Buffer
from barograph_producer._ship.backlog import Backlog
from barograph_producer._stats import ProducerCounters

# Fewest records taken out of a long buffer at once. A removal moves all later records forward and touches every object
# that it removes, while the host's threads wait.
MOST_TAKEN: Final = 3_000
# Events packed between two pauses for the host's threads, at 0.15 to 0.3 µs each.
SLICE_EVENTS: Final = 750


class Drain:
    """Packs the buffers' records into the backlog. Only the shipping thread may use it, except for ``events``."""

    def __init__(
        self,
        *,
        buffers: Sequence[Buffer],
        packer: Packer,
        backlog: Backlog,
        counters: ProducerCounters,
        yield_to_host: Callable[[], None],
        note_fault: Callable[[Exception], None],
    ) -> None:
        """Make one.

        Args:
            buffers: The buffers, in the order in which they are emptied.
            packer: Packs records into batches.
            backlog: Receives the batches. When it is full, records stay in the buffers.
            counters: Count the events drained and lost.
            yield_to_host: Called between two slices.
            note_fault: Called with a fault of ours in packing, whose events are counted as ``invalid``.
        """
        self._buffers = buffers
        self._packer = packer
        self._backlog = backlog
        self._counters = counters
        self._yield_to_host = yield_to_host
        self._note_fault = note_fault
        # Events taken out of their buffer and not packed yet.
        self._held = 0

    @property
    def events(self) -> int:
        """Number of events that are recorded and not in the backlog yet. Any thread may read it."""
        return sum(map(len, self._buffers)) + self._held

    def run(self, through_ms: int, *, only_full: bool, must_wait: bool) -> tuple[int, bool]:
        """Pack the records that the buffers hold now, not those that are added during the call.

        Args:
            through_ms: The time now.
            only_full: Whether to leave records that do not fill a batch. While the server is away, many small
                batches would fill the backlog with overhead.
            must_wait: Whether the batches will wait in the backlog for long.

        Returns:
            The time up to which every event is in the backlog, and whether all buffers were emptied.
        """
        is_drained = True
        for buffer in self._buffers:
            left = len(buffer)
            while left and not self._backlog.is_full and not (only_full and left < SLICE_EVENTS):
                events = min(left, max(MOST_TAKEN, left // 8))
                whole = events - events % SLICE_EVENTS if only_full else events
                left -= self._pack_oldest(buffer, whole, must_wait=must_wait)
                if left:
                    self._yield_to_host()
            if left:
                is_drained = False
                through_ms = min(through_ms, buffer.oldest_ms() or through_ms)
        return through_ms, is_drained

    def drop_all(self) -> int:
        """Remove all records from the buffers, count them as drained, and return their number."""
        events = sum(buffer.drop_all() for buffer in self._buffers)
        self._counters.drained += events
        return events

    def _pack_oldest(self, buffer: Buffer, events: int, *, must_wait: bool) -> int:
        """Pack the oldest ``events``, or as many as the backlog has room for; return how many."""
        self._held = events
        slices = buffer.take(events, SLICE_EVENTS)
        while slices and not self._backlog.is_full:
            self._yield_to_host()
            # Release one slice at a time: freeing all objects of thousands of events at once would hold the
            # interpreter's lock for longer than packing them.
            self._pack(buffer, slices.popleft(), must_wait=must_wait)
        buffer.put_back(slices)
        packed, self._held = events - self._held, 0
        return packed

    def _pack(self, buffer: Buffer, records: list[object], *, must_wait: bool) -> None:
        events = len(records) // buffer.width
        self._counters.drained += events
        self._held -= events
        lost_before = sum(self._counters.lost.values())
        waiting_before = self._backlog.events
        try:
            for batch in self._packer.pack(buffer.form, records):
                self._backlog.add(batch, must_wait=must_wait)
        except Exception as error:  # noqa: BLE001  # events that a fault of ours loses must still be counted
            accounted = sum(self._counters.lost.values()) - lost_before + self._backlog.events - waiting_before
            self._counters.drop("invalid", events - accounted)
            self._note_fault(error)
