"""Turns the log of all shards into rows, in the order of arrival, with one page in memory at a time."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from barograph_cli.history.log.range_arguments import TimeRange
from barograph_cli.history.log.reader import read_extent, read_logs
from barograph_cli.history.log.selection import Glance, Selection
from barograph_cli.history.rebuild.series_decisions import SeriesBeyondCap
from barograph_cli.history.rows.event_row import EventRow, rows_of
from barograph_core.decode.batch import decode_batch
from barograph_core.errors import MalformedEventError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import Entry, EntryId
from barograph_core.services.ending import read_deleted

_ROWS_AT_ONCE = 2_000
_ENDLESS_MS = 2**53


@dataclass(frozen=True, slots=True)
class ExportReport:
    """The counts of an export.

    Attributes:
        events: More than ``rows`` if a row is a sample that stands for several events.
        unreadable: Entries that are not an event batch; they are left out.
        log_begins_after: Entries up to here may be gone from some shard; ``None`` when none are gone.
    """

    entries: int
    rows: int
    events: int
    unreadable: int
    by_kind: Mapping[str, int]
    log_begins_after: EntryId | None


class Exporter:
    """Exports the events of a range."""

    def __init__(self, connection: Connection, shards: Sequence[ShardKeys], wanted: TimeRange, series_cap: int) -> None:
        self._connection = connection
        self._shards = shards
        self._selections = [
            Selection(
                frozenset(wanted.services),
                wanted.from_ms or 0,
                _ENDLESS_MS if wanted.to_ms is None else wanted.to_ms,
                read_deleted(connection, keys),
            )
            for keys in shards
        ]
        self._beyond_cap = [SeriesBeyondCap(connection, keys, series_cap) for keys in shards]
        self._entries = self._unreadable = self._events = 0
        self._by_kind: Counter[str] = Counter()

    def run(self, write: Callable[[Sequence[EventRow]], None], progress: Callable[[float, int], None]) -> ExportReport:
        """Pass all rows to ``write``.

        Args:
            write: Called with some thousand rows at a time.
            progress: Called with the share of the log that is read, and the time of its newest entry.

        Raises:
            BarographError: The server is unreachable or refuses, or the log was trimmed while it was read.
        """
        extents = [read_extent(self._connection, keys.events) for keys in self._shards]
        streams = [keys.events for keys in self._shards]
        last_ms = max(extent.last.ms for extent in extents)
        first_ms: int | None = None
        rows: list[EventRow] = []
        for index, entry in read_logs(self._connection, streams, extents):
            first_ms = entry.id.ms if first_ms is None else first_ms
            rows += self._rows(index, entry)
            if len(rows) >= _ROWS_AT_ONCE:
                write(rows)
                rows = []
                progress((entry.id.ms - first_ms) / max(last_ms - first_ms, 1), entry.id.ms)
        write(rows)
        gone = [extent.intact_after for extent in extents if extent.intact_after is not None]
        return ExportReport(
            entries=self._entries,
            rows=self._by_kind.total(),
            events=self._events,
            unreadable=self._unreadable,
            by_kind=dict(sorted(self._by_kind.items())),
            log_begins_after=max(gone, default=None),
        )

    def _rows(self, index: int, entry: Entry) -> Sequence[EventRow]:
        selection, glance = self._selections[index], Glance.at(entry)
        if glance is not None and not selection.is_wanted(entry.id, glance):
            return ()
        try:
            batch = decode_batch(entry.fields)
        except MalformedEventError:
            self._unreadable += 1
            return ()
        rows = list(rows_of(batch, entry.id, selection.positions(batch), self._beyond_cap[index]))
        if rows:
            self._entries += 1
            self._by_kind[batch.kind.name] += len(rows)
            self._events += sum(row.weight for row in rows)
        return rows
