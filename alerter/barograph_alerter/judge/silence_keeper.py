"""Ends the silences of a shard whose time is up, with an entry on the alerts stream for each."""

from barograph_core.alerts.reading import read_states
from barograph_core.alerts.record import AlertRecord
from barograph_core.clock import Clock
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.silences.ending import due_writes
from barograph_core.silences.silence import Silence, labels_of
from barograph_core.silences.store import SilenceStore


class SilenceKeeper:
    """Looks once a second. Of several alerters that see the same end, the server lets one write it."""

    def __init__(self, connection: Connection, keys: ShardKeys, clock: Clock) -> None:
        self._connection = connection
        self._keys = keys
        self._clock = clock
        self._store = SilenceStore(connection, keys)

    def look(self) -> None:
        """Write what is due. What another writer has changed meanwhile is looked at again the next time."""
        held = self._store.read()
        if not held:
            return
        active: list[AlertRecord] | None = None

        def mutes_any(silence: Silence) -> bool:
            nonlocal active
            if active is None:
                states = read_states(self._connection, self._keys)
                active = [record for state in states for record in state.incidents]
            return any(silence.mutes(labels_of(record)) for record in active)

        for write in due_writes(held, self._clock.now_ms(), mutes_any):
            self._store.write([write])
