"""Remembers large alert states, so that they are read only when somebody else has changed them."""

from collections import OrderedDict
from functools import lru_cache
from typing import Final

from barograph_core.alerts.record import AlertRecord
from barograph_core.alerts.state import ServiceState
from barograph_core.clock import Clock
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.foreign_replies import as_count
from barograph_core.server.replies import as_bytes, as_hash, as_list, as_text

# Records of alerts that are remembered as they were read: some ten MB.
_REMEMBERED: Final = 16_384
# Records in the states that are remembered whole, of alerts and of firings that still count.
_MOST_RECORDS: Final = 65_536
# A state with fewer is read in the time in which its version is.
_WORTH_REMEMBERING: Final = 16
# A state is read whole at least this often, so that one that was written past its version is found.
_READ_EVERY_MS: Final = 10_000


class StateMemory:
    """The alert states of one shard, as they are on the server. For one thread.

    Every writer raises the version of a state, so one whose version is that of the memory is the same. A state that is
    handed out is the caller's to change, and remembered again once ``keep`` says that the server has it like that.
    """

    def __init__(self, connection: Connection, keys: ShardKeys, clock: Clock) -> None:
        self._connection = connection
        self._keys = keys
        self._clock = clock
        self._held: OrderedDict[str, ServiceState] = OrderedDict()
        self._records = 0
        self._read_ms: dict[str, float] = {}
        self._breaks = connection.breaks
        # Most alerts are as they were when they were read last.
        self._read_record = lru_cache(_REMEMBERED)(AlertRecord.from_json)

    def load(self, service: str) -> ServiceState:
        """Return the alert state of ``service``; it is forgotten until ``keep`` says what became of it.

        Raises:
            StreamUnavailableError: The server is gone.
        """
        held = self._forget(service)
        if self._connection.breaks != self._breaks:
            # Another server may have lost writes, and counted on from there.
            self._breaks = self._connection.breaks
            self._held.clear()
            self._records, held = 0, None
        now_ms = self._clock.monotonic_ms()
        if held is not None and now_ms - self._read_ms[service] < _READ_EVERY_MS and self._is_unchanged(service, held):
            return held
        self._read_ms.pop(service, None)
        fields = as_hash(self._connection.command("HGETALL", self._keys.state(service)))
        state = ServiceState.from_hash(fields, self._read_record)
        if _size(state) >= _WORTH_REMEMBERING:
            self._read_ms[service] = now_ms
        return state

    def keep(self, service: str, state: ServiceState) -> None:
        """Remember that this is the state of ``service`` on the server."""
        if service not in self._read_ms:
            return
        self._forget(service)
        self._held[service] = state
        self._records += _size(state)
        while self._records > _MOST_RECORDS and len(self._held) > 1:
            oldest = next(iter(self._held))
            self._forget(oldest)
            del self._read_ms[oldest]

    def _forget(self, service: str) -> ServiceState | None:
        held = self._held.pop(service, None)
        self._records -= 0 if held is None else _size(held)
        return held

    def _is_unchanged(self, service: str, held: ServiceState) -> bool:
        reply = self._connection.command("HMGET", self._keys.state(service), "version", "closed_at")
        version, closed_at = as_list(reply)
        closed_at_ms = None if closed_at is None else as_count(as_bytes(closed_at))
        return version is not None and as_text(version) == held.version and closed_at_ms == held.closed_at_ms


def _size(state: ServiceState) -> int:
    """Return the number of records in a state: what thousands of alerts leave counts for a while after they end."""
    return len(state.records) + len(state.flaps)
