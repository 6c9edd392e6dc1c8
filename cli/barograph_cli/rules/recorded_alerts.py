"""Reads the transitions that alerters wrote."""

from collections.abc import Iterator

from barograph_core.alerts.transition import Transition
from barograph_core.errors import MalformedEventError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_entries

_PAGE = 1_000
# Entries are written a little after the pane closes, and late ones some minutes.
_LATER_MS = 900_000


def read_transitions(connection: Connection, keys: ShardKeys, from_ms: int, to_ms: int) -> Iterator[Transition]:
    """Yield the entries of a shard's alerts stream whose breach began in ``[from_ms, to_ms)``, in their order."""
    start, last = str(from_ms), str(to_ms + _LATER_MS)
    while page := as_entries(connection.command("XRANGE", keys.alerts, start, last, "COUNT", _PAGE)):
        for entry in page:
            try:
                transition = Transition.from_fields(entry.fields)
            except MalformedEventError:
                continue
            if from_ms <= transition.episode_ms < to_ms:
                yield transition
        start = f"({page[-1].id}"
