"""Whose fault it is when an entry cannot be handled: its own, or everybody's. Pure."""

from collections.abc import Collection

from barograph_core.stream import EntryId


class EntryFailures:
    """How often each entry that waits for another attempt has failed.

    Where nothing is taken any more, a key that all entries need may hold foreign data, or a release be faulty: the
    dead-letter stream would fill with what is good. Attempts then count for one entry only, the one that has failed
    longest. Once another was taken they count for each that failed before.
    """

    def __init__(self, most: int) -> None:
        """Let an entry fail ``most`` times."""
        self._most = most
        self._taken = 0
        # How often it failed, and how many handings over had succeeded when it first did.
        self._failed: dict[EntryId, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._failed)

    def note_taken(self, entry_ids: Collection[EntryId]) -> None:
        """Note that entries were handled, in one call."""
        self._taken += 1
        if self._failed:
            for entry_id in self._failed.keys() & entry_ids:
                del self._failed[entry_id]

    def add(self, entry_id: EntryId) -> bool:
        """Note that an entry failed that was handled alone, and say whether it is to be given up."""
        times, taken_before = self._failed.setdefault(entry_id, (0, self._taken))
        if self._taken > taken_before or entry_id == next(iter(self._failed)):
            times += 1
            self._failed[entry_id] = (times, taken_before)
        return times >= self._most

    def forget(self, entry_id: EntryId) -> int:
        """Forget an entry that is given up, and return how often it failed."""
        times, _ = self._failed.pop(entry_id, (1, 0))
        return times

    def keep_only(self, entry_ids: Collection[EntryId]) -> None:
        """Forget every entry but these: the others were claimed away."""
        self._failed = {entry_id: fact for entry_id, fact in self._failed.items() if entry_id in entry_ids}
