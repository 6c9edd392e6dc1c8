"""Reads one columnar batch of the events stream and checks every part of it; a batch with a mistake gets one reason.

Schema version 1: the entry's fields are text, except ``data``, which is MessagePack of
``[base_ms, labels, series, times, columns]``, or of six elements, with ``weights`` at the end. ``labels`` is an
array of label sets, each an array. ``series`` holds an index into it for each event, ``times`` an offset in ms
from ``base_ms`` (which is ``first_ms``). ``columns`` has one column for each measure, nil when no event has it,
NaN where an event lacks it. An older producer sends fewer columns: the measures at the end are then absent. More
columns than the kind has measures come from a newer producer and are refused, as is an unknown kind. ``weights`` says
how many events each record stands for, 1 when it is left out; ``n`` counts records. A column is ``[code, bytes]``,
little-endian, code one of ``B H I Q`` (unsigned integers) and ``d`` (float64).
"""

from dataclasses import dataclass

import numpy as np

from barograph_core.decode.block import EventBlock
from barograph_core.decode.entries import EntryDecoder, Fields
from barograph_core.decode.header import BatchOrigin, read_origin
from barograph_core.errors import MalformedEventError
from barograph_core.events.kinds import Kind, Labels
from barograph_core.numerics.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class EventBatch:
    """A batch of events of one kind from one instance, every value checked. For callers that need a single entry.

    Attributes:
        block: The same events in the form from which panes are built.
        seq: Sequence number of the entry among those of its instance.
        through_ms: Everything this instance saw earlier has been shipped.
        labels: The label sets that events refer to, without the status. For a custom event: ``(name, k1, v1, …)``.
        status: For each label set its status code, or ``None`` where the kind has none.
        series: For each record its index into ``labels``.
    """

    origin: BatchOrigin
    seq: int
    through_ms: int
    block: EventBlock
    labels: tuple[Labels, ...]
    status: IntArray | None
    series: IntArray

    @classmethod
    def of(cls, origin: BatchOrigin, seq: int, through_ms: int, block: EventBlock) -> "EventBatch":
        """Return the records of ``block`` as a batch, with the label sets that they refer to."""
        used, series = np.unique(block.label_sets, return_inverse=True)
        ranks: list[int] = block.table.series[used].tolist()
        labels = tuple(block.table.labels[rank] for rank in ranks)
        status = block.table.status[used] if block.kind.has_status else None
        return cls(origin, seq, through_ms, block, labels, status, series)

    @property
    def kind(self) -> Kind:
        return self.block.kind

    @property
    def service(self) -> str:
        return self.origin.service

    @property
    def instance(self) -> str:
        return self.origin.instance

    @property
    def n(self) -> int:
        """Return the number of records. Each is one event, or stands for as many as its weight."""
        return len(self.block)

    @property
    def events(self) -> int:
        """Return the number of events that the records stand for."""
        return self.block.events

    @property
    def times_ms(self) -> IntArray:
        """Return for each record its event time, in no particular order."""
        return self.block.times_ms

    @property
    def first_ms(self) -> int:
        return int(self.times_ms.min())

    @property
    def last_ms(self) -> int:
        return int(self.times_ms.max())

    @property
    def columns(self) -> tuple[FloatArray | None, ...]:
        """Return for each measure of the kind the values (NaN: absent), or ``None`` when no record has it."""
        return self.block.columns

    @property
    def weights(self) -> IntArray | None:
        """Return for each record the number of events it stands for; ``None`` when each stands for itself."""
        return self.block.weights

    def select(self, which: BoolArray) -> "EventBatch":
        """Return the batch with some of its records."""
        return EventBatch.of(self.origin, self.seq, self.through_ms, self.block.select(which))

    def expanded(self) -> "EventBatch":
        """Return the batch with each record repeated by its weight, up to ``MAX_WEIGHTED_EVENTS`` records.

        ``weights`` still marks the records that were repeated.
        """
        return EventBatch.of(self.origin, self.seq, self.through_ms, self.block.expanded())


def decode_batch(fields: Fields) -> EventBatch:
    """Read one entry of the events stream.

    Memory and time are bounded by ``MAX_BATCH_BYTES`` and ``MAX_EVENTS_PER_BATCH``. Unknown further fields
    are ignored.

    Raises:
        MalformedEventError: The entry differs from the description of this module. The error carries the fields.
    """
    found = EntryDecoder().decode([fields])
    if found.bad:
        raise MalformedEventError(found.bad[0].reason, fields)
    (block,) = found.blocks
    return EventBatch.of(read_origin(fields), int(fields[b"seq"]), int(fields[b"through_ms"]), block)
