"""The cap on services: names come from producers, and every service costs each look at the shard its part."""

from collections.abc import Collection
from typing import Final

from barograph_core.clock import Clock
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.store.closed import parse_closed

# An unknown name makes a worker look again for what others have admitted, at most so often.
_LOOK_EVERY_MS: Final = 1_000


class ServiceCap:
    """Decides whether events of a service count: those of a new one do not once the shard has ``cap`` services.

    A service takes its place when its first pane closes and gives it up when it is retired or deleted. Several workers
    may admit new ones at the same moment, so that some services more than ``cap`` are possible.
    """

    def __init__(self, connection: Connection, keys: ShardKeys, cap: int, clock: Clock) -> None:
        self._connection = connection
        self._closed = keys.closed
        self._cap = cap
        self._clock = clock
        self._admitted: set[str] = set()
        self._look_again_ms = 0.0

    def refused(self, services: Collection[str]) -> set[str]:
        """Return those of ``services`` of which no events count."""
        unknown = set(services) - self._admitted
        if unknown and self._clock.monotonic_ms() >= self._look_again_ms:
            self._look_again_ms = self._clock.monotonic_ms() + _LOOK_EVERY_MS
            self._admitted = set(parse_closed(self._connection.command("HGETALL", self._closed)))
            unknown = set(services) - self._admitted
        for service in sorted(unknown):
            if len(self._admitted) < self._cap:
                self._admitted.add(service)
        return unknown - self._admitted
