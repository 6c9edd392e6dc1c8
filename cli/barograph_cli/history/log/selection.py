"""Selects the entries, and of those the events, of some services and a range of time."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from barograph_cli.history.log.reader import BEGINNING
from barograph_core.decode.batch import EventBatch, decode_batch
from barograph_core.errors import MalformedEventError
from barograph_core.events.encode import LabelSet, encode_batch, entry_fields
from barograph_core.numerics.arrays import BoolArray
from barograph_core.server.link import Value
from barograph_core.server.replies import Entry, EntryId

Fields: TypeAlias = Mapping[bytes, bytes] | Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An entry to write, under the id that it has, or would have had, on its log."""

    id: EntryId
    fields: Fields


@dataclass(frozen=True, slots=True)
class Glance:
    """The plain-text fields of an entry that describe its events, which only decoding the entry can confirm."""

    service: str
    first_ms: int
    last_ms: int

    @classmethod
    def at(cls, entry: Entry) -> "Glance | None":
        """Parse the fields; return ``None`` when one is missing or unreadable."""
        fields = entry.fields
        try:
            return cls(fields[b"service"].decode(), int(fields[b"first_ms"]), int(fields[b"last_ms"]))
        except (KeyError, ValueError):
            return None


@dataclass(frozen=True, slots=True)
class Selection:
    """Events of some services, from ``from_ms`` until before ``to_ms``.

    Attributes:
        services: Their names; empty for all.
        deleted: Deleted services and, for each, the last deleted entry: those events must not come back.
    """

    services: frozenset[str]
    from_ms: int
    to_ms: int
    deleted: Mapping[str, EntryId]

    def is_wanted(self, entry_id: EntryId, glance: Glance) -> bool:
        """Say whether any event of an entry can be selected."""
        is_in_time = glance.first_ms < self.to_ms and glance.last_ms >= self.from_ms
        is_ours = not self.services or glance.service in self.services
        return is_in_time and is_ours and entry_id > self.deleted.get(glance.service, BEGINNING)

    def is_whole(self, glance: Glance) -> bool:
        """Say whether every event of a wanted entry is selected."""
        return self.from_ms <= glance.first_ms and glance.last_ms < self.to_ms

    def positions(self, batch: EventBatch) -> list[int]:
        """Return the positions of the selected records of a wanted entry."""
        positions: list[int] = np.flatnonzero(self._is_inside(batch)).tolist()
        return positions

    def _is_inside(self, batch: EventBatch) -> BoolArray:
        return (batch.times_ms >= self.from_ms) & (batch.times_ms < self.to_ms)

    def of(self, entries: Iterable[Entry]) -> Iterator[LogEntry]:
        """Yield the wanted entries: unchanged if all their events are selected, else repacked with those that are.

        An unreadable entry is passed on. Folding moves it to the dead-letter stream, as happened on its own log.
        """
        for entry in entries:
            glance = Glance.at(entry)
            if glance is None:
                yield LogEntry(entry.id, entry.fields)
            elif self.is_wanted(entry.id, glance):
                fields = entry.fields if self.is_whole(glance) else self._part(entry)
                if fields is not None:
                    yield LogEntry(entry.id, fields)

    def _part(self, entry: Entry) -> Fields | None:
        try:
            batch = decode_batch(entry.fields)
        except MalformedEventError:
            return entry.fields
        is_inside = self._is_inside(batch)
        return repacked(batch.select(is_inside)) if is_inside.any() else None


def repacked(batch: EventBatch) -> Mapping[str, Value]:
    """Return the fields of an entry with the events of ``batch``, as its producer would have written it."""
    fixed = len(batch.kind.labels)
    statuses: list[tuple[int, ...]] = [()] * len(batch.labels)
    if batch.status is not None:
        statuses = [(int(code),) for code in batch.status]
    label_sets: list[LabelSet] = [
        (*labels[:fixed], *status, *labels[fixed:]) for labels, status in zip(batch.labels, statuses, strict=True)
    ]
    columns = [None if column is None else column.tolist() for column in batch.columns]
    weights = None if batch.weights is None else batch.weights.tolist()
    packed = encode_batch(batch.kind, label_sets, batch.series.tolist(), batch.times_ms.tolist(), columns, weights)
    return entry_fields(
        packed, service=batch.service, instance=batch.instance, seq=batch.seq, through_ms=batch.through_ms
    )
