"""Reads a stretch of an events stream page by page, without a group: nobody who works on it notices."""

import heapq
from collections.abc import Iterator, Sequence
from typing import Final

from barograph_cli.failure import CommandError
from barograph_cli.history.stretch import LogExtent
from barograph_core.keys import ShardKeys
from barograph_core.moments import format_moment
from barograph_core.stream import Connection, Entry, EntryId, as_entries, as_int, as_list, as_text

PAGE: Final = 500
BEGINNING: Final = EntryId(0, 0)


def refuse_without_log(connection: Connection, shards: Sequence[ShardKeys], prefix: str) -> None:
    """Make sure that a prefix has a log: one that was mistyped would look like an empty one.

    Raises:
        CommandError: No shard has an events stream.
    """
    if not any(as_int(connection.command("EXISTS", keys.events)) for keys in shards):
        raise CommandError(f"there is no events stream in prefix {prefix!r}")


def read_extent(connection: Connection, stream: str) -> LogExtent:
    """Return what ``stream`` still holds; of one that does not exist, that nothing was ever dropped."""
    if not as_int(connection.command("EXISTS", stream)):
        return LogExtent(BEGINNING, None)
    flat = as_list(connection.command("XINFO", "STREAM", stream))
    facts = {as_text(flat[at]): flat[at + 1] for at in range(0, len(flat), 2)}
    last = EntryId.parse(as_text(facts["last-generated-id"]))
    gone = [EntryId.parse(as_text(facts["max-deleted-entry-id"]))]
    if as_int(facts["entries-added"]) > as_int(facts["length"]):
        # Trimming leaves no other trace than the count: what came before the first entry may be gone.
        first = facts["first-entry"]
        gone.append(last if first is None else _before(EntryId.parse(as_text(as_list(first)[0]))))
    newest = max(gone)
    return LogExtent(last, None if newest == BEGINNING else newest)


def read_log(
    connection: Connection, stream: str, first: EntryId, last: EntryId, *, after: EntryId | None = None
) -> Iterator[list[Entry]]:
    """Yield the entries from ``first`` to ``last``, both included, in pages.

    Args:
        connection: To the server.
        stream: An events stream.
        first: Where to begin.
        last: Where to end.
        after: Begin after this entry instead, which was read before.

    Raises:
        CommandError: Entries were trimmed before they were read.
        BarographError: The server is gone or refuses.
    """
    while True:
        start = str(first) if after is None else f"({after}"
        page, head = connection.pipeline(
            [("XRANGE", stream, start, str(last), "COUNT", PAGE), ("XRANGE", stream, "-", "+", "COUNT", 1)]
        )
        oldest = as_entries(head)
        # The last entry read must still be there: else the ones after it may have gone with it.
        if after is not None and (not oldest or oldest[0].id > after):
            raise CommandError(
                f"{stream} was trimmed past {format_moment(after.ms)} while it was read: "
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
