"""The buffers in which records wait for the shipping loop: a flat list for each form of record."""

import itertools
from collections import deque
from collections.abc import Iterable
from typing import Final, Literal, Protocol, TypeAlias, get_args

from barograph_core.events.kinds import KINDS, Kind, KindName
from barograph_producer._record.fork_flag import make_fork_flag

# Each kind has one form of record; a request that is sampled or has free labels has a wider one.
Form: TypeAlias = KindName | Literal["sampled_request"]
Record: TypeAlias = tuple[object, ...]


def kind_of(form: Form) -> Kind:
    """Return the kind of the events whose records have this form."""
    return KINDS["request" if form == "sampled_request" else form]


def _fields_of(form: Form) -> tuple[str, ...]:
    kind = kind_of(form)
    if form == "request":
        return ("mark", *kind.measure_names)  # one mark stands for route, method and status
    status = ("status",) if kind.has_status else ()
    free = ("labels",) if kind.has_free_labels else ()
    weight = ("weight",) if form == "sampled_request" else ()
    return (*kind.labels, *status, *free, *weight, *kind.measure_names)


FORMS: Final[tuple[Form, ...]] = ("sampled_request", *get_args(KindName))
# Names of the values of one record, after its time.
FIELDS: Final[dict[Form, tuple[str, ...]]] = {form: _fields_of(form) for form in FORMS}
RECORD_WIDTHS: Final[dict[Form, int]] = {form: 1 + len(fields) for form, fields in FIELDS.items()}


class Buffer:
    """Records of one form, one after another in a flat list: ``time_s, label, …, measure, …``.

    ``list.extend`` of a whole record is one atomic call into C, so no lock is needed. A flat list is used because
    stored tuples would trigger the garbage collector. The shipping loop slices records off the front and deletes
    them; it never replaces the list, because the recorders hold its ``extend``.

    Attributes:
        max_events: Most records that it holds.
        is_open: Whether recorders may append without the slow path. Not before a record took that path while a
            shipping loop ran, and never in a forked child, of whatever kind, before the same happened there.
        limit: The length of the list at which a recorder calls its slow path.
    """

    __slots__ = ("form", "is_open", "limit", "max_events", "records", "width")

    def __init__(self, form: Form, max_events: int) -> None:
        self.form: Form = form
        self.width = RECORD_WIDTHS[form]
        self.max_events = max_events
        self.limit = max_events * self.width
        self.is_open = make_fork_flag()
        self.records: list[object] = []

    def __len__(self) -> int:
        return len(self.records) // self.width

    def open(self) -> None:
        """Let recorders append without the slow path while there is room."""
        self.is_open.value = 1

    def shut(self) -> None:
        """Make recorders send every further record through the slow path."""
        self.is_open.value = 0

    def take(self, events: int, slice_events: int) -> deque[list[object]]:
        """Remove the oldest ``events`` records, or all if there are fewer.

        Returns:
            The flat records, oldest first, in slices of ``slice_events`` records.
        """
        end = min(events, len(self)) * self.width
        length = slice_events * self.width
        slices = deque(self.records[start : min(start + length, end)] for start in range(0, end, length))
        del self.records[:end]
        return slices

    def put_back(self, slices: Iterable[list[object]]) -> None:
        """Put back slices that ``take`` returned: those that remain after the oldest were packed."""
        self.records[:0] = itertools.chain.from_iterable(slices)

    def drop_all(self) -> int:
        """Remove every record, and return how many there were."""
        events = len(self)
        del self.records[: events * self.width]
        return events

    def oldest_ms(self) -> int | None:
        """Return the time of the oldest record; ``None`` if there is none."""
        oldest = self.records[:1]
        return int(oldest[0] * 1_000) if oldest and isinstance(oldest[0], float) else None


class SlowPath(Protocol):
    """Handles records for which a buffer has no room. Must not raise."""

    def __call__(self, buffer: Buffer, record: Record, /) -> None: ...
