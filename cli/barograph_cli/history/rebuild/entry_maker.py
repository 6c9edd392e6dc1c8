"""Turns rows into log entries, under the id that they had or one that follows from the times of the events."""

import math
from collections.abc import Iterator, Sequence
from typing import Final

from barograph_cli.history.log.selection import LogEntry
from barograph_cli.history.rows.event_row import EventRow
from barograph_core.events.encode import EncodedBatch, LabelSet, encode_batch, entry_fields
from barograph_core.events.kinds import MAX_BATCH_BYTES, MAX_EVENTS_PER_BATCH, MAX_WEIGHTED_EVENTS
from barograph_core.server.replies import EntryId

# Rows without an entry id arrive as if a producer had shipped them once a second.
_WINDOW_MS: Final = 1_000

_BatchOrigin = tuple[str, str, str]


class EntryMaker:
    """Groups the rows of one shard into entries whose ids ascend. The same rows always give the same entries.

    A row with an entry id goes into that entry, together with its neighbours of the same id. A row without one counts
    as arrived when the newest event up to it happened: a row that is out of order by more than the allowed lateness is
    late, as on a live log.
    """

    def __init__(self) -> None:
        self._last = EntryId(0, 0)
        self._seq = 0
        self._newest_ms = 0
        self._window_from_ms = 0
        self._groups: dict[_BatchOrigin, list[EventRow]] = {}
        self._rows = 0
        self._id: EntryId | None = None

    def add(self, row: EventRow) -> Iterator[LogEntry]:
        """Add a row; yield the entries that it completes."""
        origin = (row.service, row.kind.name, row.instance)
        if self._rows and self._is_full(row, origin):
            yield from self.finish()
        if row.entry_id is None:
            self._newest_ms = max(self._newest_ms, row.time_ms)
            if not self._rows:
                self._window_from_ms = self._newest_ms
        self._id = row.entry_id
        self._groups.setdefault(origin, []).append(row)
        self._rows += 1

    def finish(self) -> Iterator[LogEntry]:
        """Yield the entries of the remaining rows."""
        groups, self._groups, self._rows = self._groups, {}, 0
        arrived = self._id or EntryId(self._newest_ms, 0)
        for rows in groups.values():
            yield from self._entries(rows, arrived)

    def _is_full(self, row: EventRow, origin: _BatchOrigin) -> bool:
        if row.entry_id != self._id or self._rows >= MAX_EVENTS_PER_BATCH:
            return True
        if row.entry_id is not None:
            return origin not in self._groups
        return row.time_ms - self._window_from_ms >= _WINDOW_MS

    def _entries(self, rows: Sequence[EventRow], arrived: EntryId) -> Iterator[LogEntry]:
        weight = sum(row.weight for row in rows)
        packed = None
        if len(rows) <= MAX_EVENTS_PER_BATCH and (weight <= MAX_WEIGHTED_EVENTS or len(rows) == 1):
            packed = _packed(rows)
        if packed is None or (len(packed.data) > MAX_BATCH_BYTES and len(rows) > 1):
            middle = len(rows) // 2
            yield from self._entries(rows[:middle], arrived)
            yield from self._entries(rows[middle:], arrived)
            return
        self._last = arrived if arrived > self._last else EntryId(self._last.ms, self._last.seq + 1)
        self._seq += 1
        fields = entry_fields(
            packed, service=rows[0].service, instance=rows[0].instance, seq=self._seq, through_ms=packed.last_ms
        )
        yield LogEntry(self._last, fields)


def _packed(rows: Sequence[EventRow]) -> EncodedBatch:
    kind = rows[0].kind
    fixed = len(kind.labels)
    numbers: dict[LabelSet, int] = {}
    series: list[int] = []
    for row in rows:
        labels = row.counted_labels
        status = () if row.status is None else (row.status,)
        label_set: LabelSet = (*labels[:fixed], *status, *labels[fixed:])
        series.append(numbers.setdefault(label_set, len(numbers)))
    columns = [
        None if all(value is None for value in column) else [math.nan if value is None else value for value in column]
        for column in zip(*(row.values for row in rows), strict=True)
    ]
    return encode_batch(
        kind, list(numbers), series, [row.time_ms for row in rows], columns, [row.weight for row in rows]
    )
