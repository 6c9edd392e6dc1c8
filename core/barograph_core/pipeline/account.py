"""The account of the events stream: every entry that was ever added is counted in exactly one place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from barograph_core.server.link import Reply
from barograph_core.server.replies import EntryId, as_entry_id, as_int

# Count at most this many unread entries exactly: to count one, the server reads it whole and blocks (10 ms for 100
# entries of 60 kB).
COUNT_LIMIT: Final = 100


@dataclass(frozen=True, slots=True)
class EventsAccount:
    """The entries of the events stream by what became of them: added = committed + dead + lost + pending + unread.

    Attributes:
        added: Entries ever added, including those of a stream that was deleted since.
        committed: Entries whose effect on panes is durable.
        dead: Entries moved to the dead-letter stream.
        lost: Entries trimmed, deleted or flushed before they were finished.
        pending: Entries that an aggregator has read and not finished.
        unread: Entries that no aggregator has read.
        lost_counted: Lost entries whose events are counted, because barograph trimmed them itself.
        lost_events: The events in these.
        is_counted: Whether unread entries were counted. If they are too many, ``unread`` follows from the other counts.
        last_id: The newest id of the stream.
        dead_counted: Dead entries that said how many events they hold.
        dead_events: The events in these.
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
    dead_counted: int = 0
    dead_events: int = 0

    @property
    def lost_uncounted(self) -> int:
        """Return the number of lost entries that others trimmed or deleted: the number of their events is unknown."""
        return self.lost - self.lost_counted

    @property
    def surplus(self) -> int:
        """Return the number of entries finished more than once: 0 unless the group was set back by hand."""
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
        last_id=as_entry_id(last_id),
    )
