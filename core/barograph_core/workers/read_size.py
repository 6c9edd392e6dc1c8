"""Decides how many entries to read at once, so that they take a bounded number of bytes. Pure."""

from collections.abc import Sequence
from typing import Final

from barograph_core.server.replies import Entry

# Limit of the entries of one read. Decoded, they take several times as much.
_MOST_BYTES: Final = 32 * 1_048_576
# The size of the first entries is unknown.
_FIRST_COUNT: Final = 64
_GROWTH: Final = 16


class ReadSize:
    """The number of entries of the next read: as many as fit if all are as large as the largest of the last read.

    The server bounds entries in number only, and a thousand of the largest would be a gigabyte.
    """

    def __init__(self, most_entries: int) -> None:
        """Begin with few entries, and read ``most_entries`` at most."""
        self._most_entries = most_entries
        self.count = min(_FIRST_COUNT, most_entries)

    def note(self, entries: Sequence[Entry]) -> None:
        """Record the entries of a read."""
        if not entries:
            return
        largest = max(sum(map(len, entry.fields.values())) for entry in entries)
        self.count = max(1, min(self._most_entries, _GROWTH * self.count, _MOST_BYTES // max(1, largest)))
