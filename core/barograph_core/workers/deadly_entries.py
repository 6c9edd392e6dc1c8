"""Finds the entries that kill whoever reads them: with more memory than a container has, or a crash in C code."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import Entry, EntryId, as_entries, as_entry_id, as_int, as_list

# Deliveries after which an entry is read alone: whoever died may have died of another entry of the same read. Reading
# one's own entries again after an error counts as a delivery too, so this proves nothing by itself.
_SUSPECT_DELIVERIES: Final = 2
# Consumers that may die while they have read an entry alone.
_MOST_DEATHS: Final = 3
_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class Suspect:
    """An entry that was claimed alone.

    Attributes:
        entry: Without fields when it was trimmed, and when it is not to be read.
        deaths: Number of consumers that died while they had read it alone.
    """

    entry: Entry
    deaths: int

    @property
    def is_deadly(self) -> bool:
        return self.deaths >= _MOST_DEATHS


class DeadlyEntries:
    """Claims entries that several consumers left pending, one by one, and counts on the server who died of each.

    The count is raised before the entry is read and deleted by whoever survives that: a field
    ``reading:<group>:<entry id>`` in the shard's progress. Attempts counted in the memory of a process die with it.
    """

    def __init__(self, connection: Connection, keys: ShardKeys, *, stream: str, group: str, name: str) -> None:
        self._connection = connection
        self._progress = keys.progress
        self._stream, self._group, self._name = stream, group, name
        self._survived: list[EntryId] = []

    def claim(self, idle_ms: int, most: int) -> Iterator[Suspect]:
        """Yield suspects that are pending for ``idle_ms``, each read when the one before it is done with.

        Args:
            idle_ms: Age at which another consumer's entry may be claimed.
            most: Limit of the pending entries looked at.
        """
        self._clear()
        rows = as_list(self._connection.command("XPENDING", self._stream, self._group, "IDLE", idle_ms, "-", "+", most))
        pending = [as_list(row) for row in rows]
        suspects = [as_entry_id(entry_id) for entry_id, _, _, times in pending if as_int(times) >= _SUSPECT_DELIVERIES]
        for entry_id in suspects[:_AT_ONCE]:
            claim = ("XCLAIM", self._stream, self._group, self._name, idle_ms, str(entry_id), "JUSTID")
            if as_list(self._connection.command(*claim)):
                yield self._read(entry_id)
                self._clear()

    def _read(self, entry_id: EntryId) -> Suspect:
        deaths = as_int(self._connection.command("HINCRBY", self._progress, self._field(entry_id), 1)) - 1
        self._survived.append(entry_id)
        if deaths >= _MOST_DEATHS:
            return Suspect(Entry(entry_id, {}), deaths)
        found = as_entries(self._connection.command("XRANGE", self._stream, str(entry_id), str(entry_id)))
        return Suspect(found[0] if found else Entry(entry_id, {}), deaths)

    def _clear(self) -> None:
        """Delete the counts of what this consumer has survived, also where the server was gone meanwhile."""
        if self._survived:
            self._connection.command("HDEL", self._progress, *map(self._field, self._survived))
            self._survived.clear()

    def _field(self, entry_id: EntryId) -> str:
        return f"reading:{self._group}:{entry_id}"
