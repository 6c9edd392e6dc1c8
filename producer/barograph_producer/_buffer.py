"""Where records wait for the shipper: a flat list for each form."""

import itertools
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Literal, Protocol, TypeAlias

from barograph_core.events import KindName

Form = Literal["request", "sampled_request", "model", "system", "custom"]

# Per form the values of one record: its time, then the labels as they were given, then the measures. A request
# has one mark for its labels; a sampled one has them as they are, then the free labels and the weight.
RECORD_WIDTHS: Final[dict[Form, int]] = {"request": 3, "sampled_request": 7, "model": 7, "system": 15, "custom": 4}
KIND_OF: Final[dict[Form, KindName]] = {
    "request": "request",
    "sampled_request": "request",
    "model": "model",
    "system": "system",
    "custom": "custom",
}

Record: TypeAlias = tuple[object, ...]


class Buffer:
    """Records of one form, laid flat in one list: ``time_s, label, …, measure, …`` and again.

    ``list.extend`` of a whole record is one call into C and atomic, so no lock is needed; kept tuples would
    also wake the garbage collector, a flat list does not. The shipper takes a prefix by slicing and
    deleting; the list itself is never swapped, because the recorders hold its ``extend``.

    Attributes:
        limit: The list's length at which recording takes the slow way. 0 while there is no running shipper
            (not started, forked, closed): one comparison serves every special case.
    """

    __slots__ = ("_tell_limit", "form", "limit", "records", "width")

    def __init__(self, form: Form) -> None:
        self.form: Form = form
        self.width = RECORD_WIDTHS[form]
        self.records: list[object] = []
        self.limit = 0
        self._tell_limit: Callable[[int], None] | None = None

    def __len__(self) -> int:
        return len(self.records) // self.width

    def open(self, max_events: int) -> None:
        """Take up to ``max_events`` the fast way."""
        self._set_limit(max_events * self.width)

    def shut(self) -> None:
        """Send every further record the slow way."""
        self._set_limit(0)

    def take(self, events: int, slice_events: int) -> deque[list[object]]:
        """Remove the oldest ``events`` records, or all if there are fewer.

        Returns:
            The records, still flat, the oldest first, in slices of ``slice_events``.
        """
        end = min(events, len(self)) * self.width
        length = slice_events * self.width
        slices = deque(self.records[start : min(start + length, end)] for start in range(0, end, length))
        del self.records[:end]
        return slices

    def put_back(self, slices: Iterable[list[object]]) -> None:
        """Return the newest slices of those that were taken, to where they were."""
        self.records[:0] = itertools.chain.from_iterable(slices)

    def drop_all(self) -> int:
        """Remove every record, and return how many there were."""
        events = len(self)
        del self.records[: events * self.width]
        return events

    def follow(self, tell_limit: Callable[[int], None]) -> None:
        """Have ``tell_limit`` called with each new limit, for a recorder that keeps it where it is read fastest."""
        self._tell_limit = tell_limit
        tell_limit(self.limit)

    def oldest_ms(self) -> int | None:
        """Return the time of the oldest record, ``None`` when there is none."""
        oldest = self.records[:1]
        return int(oldest[0] * 1_000) if oldest and isinstance(oldest[0], float) else None

    def _set_limit(self, limit: int) -> None:
        self.limit = limit
        if self._tell_limit is not None:
            self._tell_limit(limit)


class SlowPath(Protocol):
    """What to do with a record that a buffer has no room for. Must not raise."""

    def __call__(self, buffer: Buffer, record: Record, /) -> None: ...
