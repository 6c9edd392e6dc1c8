"""The books on the events stream: every entry that was ever added is in exactly one place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from barograph_core.stream import EntryId, Reply, as_bytes, as_int

# More unread entries are not counted one by one: the server stands still as it reads them whole, 10 ms at 60 kB each.
COUNT_LIMIT: Final = 100


@dataclass(frozen=True, slots=True)
class EventsAccount:
    """What became of every entry of the events stream: added = committed + dead + lost + pending + unread.

    Attributes:
        added: Entries ever added, those of a stream that was deleted since included.
        committed: Entries whose effect on panes is durable.
        dead: Entries moved to the dead-letter stream.
        lost: Entries trimmed, deleted or flushed before they were finished.
        pending: Entries handed to an aggregator and not finished.
        unread: Entries not handed out yet.
        lost_counted: Those of the lost that barograph trimmed itself and counted the events of.
        lost_events: The events in them.
        is_counted: Unread entries were counted. Otherwise they are what the others leave over: too many to count.
        last_id: The newest id of the stream.
    """

    added: int
    committed: int
    dead: int
    lost: int
    pending: int
    unread: int
    lost_counted: int
    lost_events: int
    is_counted: bool
    last_id: EntryId

    @property
    def lost_uncounted(self) -> int:
        """Return how many entries somebody else trimmed or deleted: how many events they held, nobody knows."""
        return self.lost - self.lost_counted

    @property
    def surplus(self) -> int:
        """Return how many entries were finished more often than once. 0 unless somebody set the group back."""
        return self.committed + self.dead + self.lost + self.pending + self.unread - self.added


def parse_account(reply: Sequence[Reply]) -> EventsAccount:
    """Read the first ten items of a reply of ``baro_account_1`` or ``baro_retain_1``."""
    added, committed, dead, lost, pending, unread, lost_counted, lost_events, is_counted, last_id = reply[:10]
    return EventsAccount(
        added=as_int(added),
        committed=as_int(committed),
        dead=as_int(dead),
        lost=as_int(lost),
        pending=as_int(pending),
        unread=as_int(unread),
        lost_counted=as_int(lost_counted),
        lost_events=as_int(lost_events),
        is_counted=bool(as_int(is_counted)),
        last_id=EntryId.parse(as_bytes(last_id)),
    )
