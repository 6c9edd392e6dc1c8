"""What was done to a service just before an alert began, as its messages say it."""

from typing import Final

from barograph_core.clock import Clock
from barograph_core.errors import BarographError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.markers.marker import Marker, last_before
from barograph_core.markers.store import read_markers
from barograph_core.server.connection import Connection
from barograph_core.text.ages import format_age
from barograph_core.text.one_line import one_line

# In a storm of alerts the markers of a service are read once for many messages.
_FRESH_MS: Final = 2_000
_MOST_SERVICES: Final = 1_000


class DoneBefore:
    """Reads the markers of one shard. For one thread."""

    def __init__(self, connection: Connection, keys: ShardKeys, clock: Clock) -> None:
        self._connection = connection
        self._keys = keys
        self._clock = clock
        self._held: dict[str, tuple[float, list[Marker]]] = {}

    def __call__(self, service: str, began_ms: int) -> str:
        """Return ``deploy api 2.15, 2 min 5 s before, by ci``; empty where nothing was done in the half hour before.

        Empty too while the server is away: no message waits for it.
        """
        try:
            marker = last_before(self._markers(service), began_ms)
        except BarographError:
            return ""
        if marker is None:
            return ""
        by = f", by {one_line(marker.actor, 64)}" if marker.actor else ""
        return f"{marker.kind} {one_line(marker.title, 100)}, {format_age(began_ms - marker.at_ms)} before{by}"

    def _markers(self, service: str) -> list[Marker]:
        now_ms = self._clock.monotonic_ms()
        read_ms, markers = self._held.get(service, (float("-inf"), []))
        if now_ms - read_ms >= _FRESH_MS:
            if len(self._held) >= _MOST_SERVICES:
                self._held.clear()
            markers = read_markers(self._connection, self._keys, service)
            self._held[service] = now_ms, markers
        return markers
