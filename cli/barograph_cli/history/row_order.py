"""Puts rows in the order in which they happened, where a file does not have them so.

A row that comes after newer ones counts as having arrived with them: one that is out of order by more than the allowed
lateness would not count, and an export with the newest row first would lose nearly all of its rows.
"""

import marshal
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from barograph_cli.failure import CommandError
from barograph_cli.history.rows.event_row import EventRow
from barograph_core.events.kinds import KINDS
from barograph_core.server.replies import EntryId

_WRITTEN_AT_ONCE: Final = 10_000
# Of sqlite's cache; the rest lies in the temporary folder.
_CACHE_KIB: Final = 65_536


def is_in_order(rows: Iterable[EventRow], allowed_lateness_ms: int) -> bool:
    """Say whether every row counts if they are taken as they come. Reads all rows."""
    newest_ms, newest_id, is_ordered = 0, EntryId(0, 0), True
    for row in rows:
        if row.entry_id is not None:
            is_ordered &= row.entry_id >= newest_id
            newest_id = row.entry_id
        else:
            is_ordered &= row.time_ms >= newest_ms - allowed_lateness_ms
            newest_ms = max(newest_ms, row.time_ms)
    return is_ordered


def in_order(rows: Iterable[EventRow]) -> Iterator[EventRow]:
    """Yield the rows by time of arrival, equal ones as they come. They wait on disk, in the temporary folder.

    Raises:
        CommandError: There is no room for them.
    """
    with tempfile.TemporaryDirectory(prefix="barograph-import-") as folder:
        try:
            yield from _sorted(sqlite3.connect(Path(folder) / "rows", isolation_level=None), rows)
        except sqlite3.Error as error:
            raise CommandError(f"rows cannot be put in order in {tempfile.gettempdir()}: {error}") from error


def _sorted(database: sqlite3.Connection, rows: Iterable[EventRow]) -> Iterator[EventRow]:
    try:
        # Nothing has to survive: neither a journal nor waiting for the disk.
        for setting in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_KIB}"):
            database.execute(f"PRAGMA {setting}")
        database.execute("CREATE TABLE rows (ms INTEGER, seq TEXT, packed BLOB)")
        page: list[tuple[int, str, bytes]] = []
        for row in rows:
            # As text of one length: sqlite's numbers end where those of entry ids do, and a sum of both would not fit.
            seq = "" if row.entry_id is None else f"{row.entry_id.seq:020}"
            page.append((row.arrived_ms, seq, _packed(row)))
            if len(page) == _WRITTEN_AT_ONCE:
                _write(database, page)
        _write(database, page)
        for (packed,) in database.execute("SELECT packed FROM rows ORDER BY ms, seq, rowid"):
            yield _unpacked(packed)
    finally:
        database.close()


def _write(database: sqlite3.Connection, page: list[tuple[int, str, bytes]]) -> None:
    database.execute("BEGIN")
    database.executemany("INSERT INTO rows VALUES (?, ?, ?)", page)
    database.execute("COMMIT")
    page.clear()


def _packed(row: EventRow) -> bytes:
    entry = None if row.entry_id is None else (row.entry_id.ms, row.entry_id.seq)
    return marshal.dumps(
        (row.time_ms, entry, row.service, row.instance, row.kind.name, row.labels, row.status, row.values, row.weight)
        + (row.is_other, row.is_folded)
    )


def _unpacked(packed: bytes) -> EventRow:
    # Our own bytes of a moment ago, in a folder that only we can read.
    time_ms, entry, service, instance, kind, labels, status, values, weight, *folds = marshal.loads(packed)  # noqa: S302
    entry_id = None if entry is None else EntryId(*entry)
    return EventRow(time_ms, entry_id, service, instance, KINDS[kind], labels, status, values, weight, *folds)
