"""The events of many entries as one set of columns, so that many small entries cost little more than one large one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from barograph_core.decode.label_table import LabelTable
from barograph_core.events.kinds import Kind
from barograph_core.numerics.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class EventBlock:
    """Events of one kind from many entries, every value checked. All columns are of one length.

    Attributes:
        kind: Defines the labels and columns.
        services: The services that have events.
        service_of: For each record the index of its service in ``services``; ``None`` when there is only one.
        entry_of: For each record the position of its entry among those that were decoded.
        table: The label sets.
        label_sets: For each record the number of its label set in ``table``.
        times_ms: For each record its event time, in no particular order.
        columns: For each measure of the kind its values, NaN where absent, or ``None`` when no record has it.
        weights: For each record the number of events it stands for; ``None`` when each stands for itself.
    """

    kind: Kind
    services: Sequence[str]
    service_of: IntArray | None
    entry_of: IntArray
    table: LabelTable
    label_sets: IntArray
    times_ms: IntArray
    columns: tuple[FloatArray | None, ...]
    weights: IntArray | None

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.times_ms)

    @property
    def events(self) -> int:
        """Return the number of events that the records stand for."""
        return len(self) if self.weights is None else int(self.weights.sum())

    def select(self, which: BoolArray | slice) -> "EventBlock":
        """Return the block with some of its records."""
        return replace(
            self,
            service_of=None if self.service_of is None else self.service_of[which],
            entry_of=self.entry_of[which],
            label_sets=self.label_sets[which],
            times_ms=self.times_ms[which],
            columns=tuple(None if column is None else column[which] for column in self.columns),
            weights=None if self.weights is None else self.weights[which],
        )

    def expanded(self) -> "EventBlock":
        """Return the block with each record repeated by its weight.

        ``weights`` still marks the records that were repeated.
        """
        weights = self.weights
        if weights is None:
            return self
        return replace(
            self,
            service_of=None if self.service_of is None else np.repeat(self.service_of, weights),
            entry_of=np.repeat(self.entry_of, weights),
            label_sets=np.repeat(self.label_sets, weights),
            times_ms=np.repeat(self.times_ms, weights),
            columns=tuple(None if column is None else np.repeat(column, weights) for column in self.columns),
            weights=np.repeat(weights, weights),
        )
