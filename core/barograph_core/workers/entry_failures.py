"""Decides when a failing entry is given up: not while all entries fail for a common reason. Pure."""

from collections.abc import Collection

from barograph_core.server.replies import EntryId


class EntryFailures:
    """Counts how often each entry that waits for another attempt has failed.

    When every entry fails, a key that all need may hold foreign data, or a release may be faulty: good entries would
    fill the dead-letter stream. Attempts then count for one entry only, the one that has failed longest. After any
    entry has succeeded, they count for each entry that failed before.
    """

    def __init__(self, most: int) -> None:
        """Let an entry fail ``most`` times."""
        self._most = most
        self._taken = 0
        # Entry -> its failures, and the number of successful calls at its first failure.
        self._failed: dict[EntryId, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._failed)

    def note_taken(self, entry_ids: Collection[EntryId]) -> None:
        """Record that entries were handled, in one call."""
        self._taken += 1
        if self._failed:
            for entry_id in self._failed.keys() & entry_ids:
                del self._failed[entry_id]

    def add(self, entry_id: EntryId) -> bool:
        """Record that an entry failed when handled alone, and say whether it is to be given up."""
        times, taken_before = self._failed.setdefault(entry_id, (0, self._taken))
        if self._taken > taken_before or entry_id == next(iter(self._failed)):
            times += 1
            self._failed[entry_id] = (times, taken_before)
        return times >= self._most

    def forget(self, entry_id: EntryId) -> int:
        """Forget an entry that is given up, and return its number of failures."""
        times, _ = self._failed.pop(entry_id, (1, 0))
        return times

    def keep_only(self, entry_ids: Collection[EntryId]) -> None:
        """Forget all other entries: other consumers have claimed them."""
        self._failed = {entry_id: fact for entry_id, fact in self._failed.items() if entry_id in entry_ids}
