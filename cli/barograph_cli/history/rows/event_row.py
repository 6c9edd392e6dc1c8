"""One event as a row of a file, as export writes and import reads it in every format."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from barograph_core.decode.batch import EventBatch
from barograph_core.events.kinds import KINDS, OTHER_LABEL, Kind
from barograph_core.events.labels import without_free_values
from barograph_core.server.replies import EntryId

# All measures in the order of the kinds: the columns of a file.
MEASURES: Final[tuple[str, ...]] = tuple(dict.fromkeys(name for kind in KINDS.values() for name in kind.measure_names))
# Fields in the order of a file; the measures follow.
FIELDS: Final = (
    "time_ms",
    "entry_id",
    "service",
    "instance",
    "kind",
    "labels",
    "status",
    "weight",
    "is_other",
    "is_folded",
)

# How a series counts: apart, with ``__other__`` for the values of its free labels, or for all labels.
Place = Literal["own", "folded", "other"]
PlaceOf = Callable[[str, str, tuple[str, ...]], Place]


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event, or as many equal events as its weight says.

    Attributes:
        time_ms: When it happened.
        entry_id: Id of its stream entry, which contains the time of arrival; ``None`` if it comes from no log.
        labels: As in ``EventBatch.labels``: the kind's own, then names and values of free ones, sorted by name.
        status: Status code of a request.
        values: One for each measure of the kind, ``None`` where the event has none.
        is_other: Its series is over the cap of the service, and all its labels count as ``__other__``.
        is_folded: Likewise, but only the values of its free labels do.
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
    is_folded: bool = False

    @property
    def arrived_ms(self) -> int:
        """Return the time of arrival of its entry; the event's own time if there is none."""
        return self.time_ms if self.entry_id is None else self.entry_id.ms

    @property
    def label_pairs(self) -> tuple[tuple[str, str], ...]:
        """Return names and values of all labels, in their order."""
        fixed = len(self.kind.labels)
        free = zip(self.labels[fixed::2], self.labels[fixed + 1 :: 2], strict=True)
        return (*zip(self.kind.labels, self.labels[:fixed], strict=True), *free)

    @property
    def counted_labels(self) -> tuple[str, ...]:
        """Return the labels of the series in which the event counts."""
        if self.is_other:
            return (OTHER_LABEL,) * len(self.kind.labels)
        return without_free_values(self.kind, self.labels) if self.is_folded else self.labels


def rows_of(batch: EventBatch, entry_id: EntryId, positions: Sequence[int], place_of: PlaceOf) -> Iterator[EventRow]:
    """Yield the records of a batch at ``positions`` as rows.

    Args:
        batch: The decoded batch.
        entry_id: Id of its entry.
        positions: Positions of records in the batch.
        place_of: Takes service, kind and labels; says how that series counts.
    """
    places = [place_of(batch.service, batch.kind.name, labels) for labels in batch.labels]
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
            is_other=places[label_set] == "other",
            is_folded=places[label_set] == "folded",
        )
