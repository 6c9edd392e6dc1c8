"""The alerts of a shard that fire and may hold others back, read as seldom as possible."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from barograph_core.alerts.record import AlertRecord, AlertState
from barograph_core.alerts.state import ServiceState
from barograph_core.clock import Clock
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_bytes, as_hash, as_list, as_text
from barograph_core.silences.silence import labels_of
from barograph_notifier.muting.inhibition import FiringAlert


@dataclass(frozen=True, slots=True)
class _Held:
    version: bytes
    alerts: tuple[FiringAlert, ...]
    again_ms: float


class FiringAlerts:
    """Reads the firing alerts of services. For one thread.

    A service is looked at once a pass. It is read again when the version of its state has changed, but no sooner than
    twice as long after the last time as that took: in a storm of thousands of alerts, reading them would take longer
    than sending.
    """

    def __init__(
        self, connection: Connection, keys: ShardKeys, clock: Clock, is_wanted: Callable[[FiringAlert], bool]
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._clock = clock
        self._is_wanted = is_wanted
        self._held: dict[str, _Held] = {}
        self._seen = set[str]()

    def begin(self) -> None:
        """Begin a pass."""
        self._seen.clear()

    def of_service(self, service: str) -> Iterable[FiringAlert]:
        """Return the wanted alerts of one service."""
        held = self._held.get(service)
        if held is not None and (service in self._seen or self._clock.monotonic_ms() < held.again_ms):
            return held.alerts
        self._seen.add(service)
        key = self._keys.state(service)
        version = as_bytes(self._connection.command("HGET", key, "version") or b"")
        if held is not None and held.version == version:
            return held.alerts
        began_ms = self._clock.monotonic_ms()
        state = ServiceState.from_hash(as_hash(self._connection.command("HGETALL", key)))
        alerts = tuple(filter(self._is_wanted, map(firing_alert, _firing(state))))
        done_ms = self._clock.monotonic_ms()
        self._held[service] = _Held(state.version.encode(), alerts, done_ms + 2 * (done_ms - began_ms))
        return alerts

    def of_shard(self) -> Iterable[FiringAlert]:
        """Return the wanted alerts of every service of the shard."""
        services = [as_text(name) for name in as_list(self._connection.command("HKEYS", self._keys.closed))]
        return [alert for service in services for alert in self.of_service(service)]


def firing_alert(record: AlertRecord) -> FiringAlert:
    """Return a record as matchers see it."""
    return FiringAlert(record.alert_id, labels_of(record), dict(record.labels))


def _firing(state: ServiceState) -> Iterable[AlertRecord]:
    return (record for record in state.records.values() if record.state is AlertState.FIRING)
