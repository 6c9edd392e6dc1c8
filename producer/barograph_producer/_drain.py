"""Empties the buffers into the backlog, a slice at a time, so that the host's threads wait for no more than one."""

from collections.abc import Callable, Sequence
from typing import Final

from barograph_producer._backlog import Backlog
from barograph_producer._buffer import Buffer
from barograph_producer._packer import Packer
from barograph_producer._stats import Counters

# Records taken out of a buffer at once, more from a long one: each time what is behind them moves up. Every object
# among them is touched, and the host's threads wait meanwhile.
MOST_TAKEN: Final = 3_000
# Packed between two pauses for the host's threads, at 0.15 to 0.3 µs an event.
SLICE_EVENTS: Final = 750


class Drain:
    """From the buffers through the packer into the backlog. Only for the shipper thread, but for ``events``."""

    def __init__(
        self,
        *,
        buffers: Sequence[Buffer],
        packer: Packer,
        backlog: Backlog,
        counters: Counters,
        yield_to_host: Callable[[], None],
        note_fault: Callable[[Exception], None],
    ) -> None:
        """Make one.

        Args:
            buffers: Emptied in this order.
            packer: Makes batches of what they hold.
            backlog: Takes the batches; when it is full, the rest stays in the buffers.
            counters: Of events drained and lost.
            yield_to_host: Called between two slices.
            note_fault: Told of a fault of ours in packing; the events are counted as ``invalid``.
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
        """How many events are recorded and not in the backlog yet. From any thread."""
        return sum(map(len, self._buffers)) + self._held

    def run(self, through_ms: int, *, only_full: bool, must_wait: bool) -> tuple[int, bool]:
        """Pack what the buffers hold now, not what comes meanwhile.

        Args:
            through_ms: The time now.
            only_full: Whether to leave what does not fill a batch: while the server is away, many small ones
                would fill the backlog with overhead.
            must_wait: Whether batches are going to wait in the backlog for long.

        Returns:
            Through which ms every event is in the backlog, and whether all buffers were emptied.
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
        """Take everything out of the buffers as drained, and return how many events that were."""
        events = sum(buffer.drop_all() for buffer in self._buffers)
        self._counters.drained += events
        return events

    def _pack_oldest(self, buffer: Buffer, events: int, *, must_wait: bool) -> int:
        """Pack the oldest ``events``, as many as the backlog has room for. Returns how many."""
        self._held = events
        slices = buffer.take(events, SLICE_EVENTS)
        while slices and not self._backlog.is_full:
            self._yield_to_host()
            # Let go of one by one: freeing all objects of thousands of events at once would hold the
            # interpreter's lock for longer than packing them does.
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
        except Exception as error:  # noqa: BLE001  # a fault of ours must not become a loss without a count
            accounted = sum(self._counters.lost.values()) - lost_before + self._backlog.events - waiting_before
            self._counters.drop("invalid", events - accounted)
            self._note_fault(error)
