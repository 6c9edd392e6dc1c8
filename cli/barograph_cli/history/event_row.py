"""One event as a row of a file: what export writes and import reads, whatever the format."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from barograph_core.decode import EventBatch
from barograph_core.events import KINDS, OTHER_LABEL, Kind
from barograph_core.stream import EntryId

# Every measure there is, in the order of the kinds: the columns of a file with all of them.
MEASURES: Final[tuple[str, ...]] = tuple(dict.fromkeys(name for kind in KINDS.values() for name in kind.measure_names))
# In the order in which files have them; the measures follow.
FIELDS: Final = ("time_ms", "entry_id", "service", "instance", "kind", "labels", "status", "weight", "is_other")

IsOther = Callable[[str, str, tuple[str, ...]], bool]


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event, or as many alike as its weight says.

    Attributes:
        time_ms: When it happened.
        entry_id: Of the stream entry that brought it, which tells when it arrived; ``None`` where no log did.
        labels: As in ``EventBatch.labels``: the kind's own, then names and values of free ones, sorted by name.
        status: Of a request.
        values: One for each measure of the kind, ``None`` where it has none.
        is_other: Whether its series is beyond the cap of the service, and counts as ``__other__``.
    """

    time_ms: int
    entry_id: EntryId | None
    service: str
    instance: str
    kind: Kind
    labels: tuple[str, ...]
    status: int | None
    values: tuple[float | None, ...]
    weight: int = 1
    is_other: bool = False

    @property
    def arrived_ms(self) -> int:
        """Return when its entry came, as far as is known: the moment up to which a log has come with it."""
        return self.time_ms if self.entry_id is None else self.entry_id.ms

    @property
    def label_pairs(self) -> tuple[tuple[str, str], ...]:
        """Return names and values of all labels, in their order."""
        fixed = len(self.kind.labels)
        free = zip(self.labels[fixed::2], self.labels[fixed + 1 :: 2], strict=True)
        return (*zip(self.kind.labels, self.labels[:fixed], strict=True), *free)

    @property
    def counted_labels(self) -> tuple[str, ...]:
        """Return the labels of the series in which it counts."""
        return (OTHER_LABEL,) * len(self.kind.labels) if self.is_other else self.labels


def rows_of(batch: EventBatch, entry_id: EntryId, positions: Sequence[int], is_other: IsOther) -> Iterator[EventRow]:
    """Yield the records of a batch at ``positions`` as rows.

    Args:
        batch: As decoded.
        entry_id: Of its entry.
        positions: Which records.
        is_other: Says of service, kind and labels whether that series is beyond the cap.
    """
    others = [is_other(batch.service, batch.kind.name, labels) for labels in batch.labels]
    status: list[int] | None = None if batch.status is None else batch.status.tolist()
    series: list[int] = batch.series.tolist()
    times: list[int] = batch.times_ms.tolist()
    weights: list[int] | None = None if batch.weights is None else batch.weights.tolist()
    columns = [None if column is None else column.tolist() for column in batch.columns]
    for at in positions:
        label_set = series[at]
        values = (None if column is None else column[at] for column in columns)
        yield EventRow(
            time_ms=times[at],
            entry_id=entry_id,
            service=batch.service,
            instance=batch.instance,
            kind=batch.kind,
            labels=batch.labels[label_set],
            status=None if status is None else status[label_set],
            values=tuple(None if value is None or math.isnan(value) else value for value in values),
            weight=1 if weights is None else weights[at],
            is_other=others[label_set],
        )
