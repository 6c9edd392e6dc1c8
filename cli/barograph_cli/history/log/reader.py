"""Reads a range of an events stream page by page, without a group, so that workers are not disturbed."""

import heapq
from collections.abc import Iterator, Sequence
from typing import Final

from barograph_cli.failure import CommandError
from barograph_cli.history.log.complete_range import LogExtent
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import Entry, EntryId, as_entries, as_entry_id, as_facts, as_int, as_list
from barograph_core.text.timestamps import format_timestamp

PAGE: Final = 500
BEGINNING: Final = EntryId(0, 0)


def refuse_without_log(connection: Connection, shards: Sequence[ShardKeys], prefix: str) -> None:
    """Make sure that a prefix has a log: a mistyped prefix would look like an empty one.

    Raises:
        CommandError: No shard has an events stream.
    """
    if not any(as_int(connection.command("EXISTS", keys.events)) for keys in shards):
        raise CommandError(f"there is no events stream in prefix {prefix!r}")


def read_extent(connection: Connection, stream: str) -> LogExtent:
    """Return what ``stream`` still holds. A stream that does not exist is empty and complete."""
    if not as_int(connection.command("EXISTS", stream)):
        return LogExtent(BEGINNING, None)
    facts = as_facts(connection.command("XINFO", "STREAM", stream))
    last = as_entry_id(facts["last-generated-id"])
    gone = [as_entry_id(facts["max-deleted-entry-id"])]
    if as_int(facts["entries-added"]) > as_int(facts["length"]):
        # Trimming shows only in this count: entries before the first one may be gone.
        first = facts["first-entry"]
        gone.append(last if first is None else _before(as_entry_id(as_list(first)[0])))
    newest = max(gone)
    return LogExtent(last, None if newest == BEGINNING else newest)


def read_log(
    connection: Connection, stream: str, first: EntryId, last: EntryId, *, after: EntryId | None = None
) -> Iterator[list[Entry]]:
    """Yield the entries from ``first`` to ``last``, both included, in pages.

    Args:
        connection: To the server.
        stream: An events stream.
        first: First entry to read.
        last: Last entry to read.
        after: The last entry that was read before; reading continues after it, and ``first`` is ignored.

    Raises:
        CommandError: Entries were trimmed before they were read.
        BarographError: The server is unreachable or refuses.
    """
    while True:
        start = str(first) if after is None else f"({after}"
        page, head = connection.pipeline(
            [("XRANGE", stream, start, str(last), "COUNT", PAGE), ("XRANGE", stream, "-", "+", "COUNT", 1)]
        )
        oldest = as_entries(head)
        # The last entry read must still be there, or entries after it may have been trimmed too.
        if after is not None and (not oldest or oldest[0].id > after):
            raise CommandError(
                f"{stream} was trimmed past {format_timestamp(after.ms)} while it was read: "
                "begin later, or keep events for longer (keep_events_ms)"
            )
        entries = as_entries(page)
        if entries:
            yield entries
        if len(entries) < PAGE:
            return
        after = entries[-1].id


def read_logs(
    connection: Connection, streams: Sequence[str], extents: Sequence[LogExtent]
) -> Iterator[tuple[int, Entry]]:
    """Yield the entries of several streams as one log by entry id, each with the index of its stream."""
    logs = [
        _numbered(index, read_log(connection, stream, BEGINNING, extent.last))
        for index, (stream, extent) in enumerate(zip(streams, extents, strict=True))
    ]
    return heapq.merge(*logs, key=lambda numbered: numbered[1].id)


def _numbered(index: int, pages: Iterator[list[Entry]]) -> Iterator[tuple[int, Entry]]:
    for page in pages:
        for entry in page:
            yield index, entry


def _before(entry_id: EntryId) -> EntryId:
    return EntryId(entry_id.ms, entry_id.seq - 1) if entry_id.seq else EntryId(entry_id.ms - 1, 2**63 - 1)
