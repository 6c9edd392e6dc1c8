"""Writes pushed alerts: the service is listed, then its alerts change in one function call, all or nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from barograph_core.alerts.change import Change, Cursors, Written, write_changes
from barograph_core.alerts.state import ServiceState, alert_field, alert_ids
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.keyspace.layout import Layout
from barograph_core.pushed.life import after_push
from barograph_core.pushed.pushed_alert import PushedAlert
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_bytes, as_int, as_list, as_text

# Bounds on what pushes may add: their names come from other programs.
MOST_ALERTS: Final = 2_000
MOST_SERVICES: Final = 1_000
_ATTEMPTS: Final = 20
# Limit of one call, because the server is blocked for as long as it runs.
_AT_ONCE: Final = 200
# The state except for its alerts, as far as a change of them needs it.
_HEAD_FIELDS: Final = ("version", "closed_at")


@dataclass(frozen=True, slots=True)
class RefusedPush:
    """An alert that was not taken, and why."""

    alert: PushedAlert
    why: str


class PushedAlerts:
    """Takes pushed alerts. A call that is repeated, or cut off and repeated, changes nothing twice."""

    def __init__(self, connection: Connection, layout: Layout, base_step_ms: int) -> None:
        self._connection = connection
        self._layout = layout
        self._step_ms = base_step_ms

    def push(self, alerts: Sequence[PushedAlert], now_ms: int) -> list[RefusedPush]:
        """Take ``alerts``, and return those that were refused.

        Of an alert that stands there twice, the last word counts.

        Raises:
            StreamUnavailableError: The server is gone or refuses. Some may have been taken.
        """
        latest = {alert.alert_id: alert for alert in alerts}
        by_service: dict[str, list[PushedAlert]] = {}
        for alert in latest.values():
            by_service.setdefault(alert.service, []).append(alert)
        # An end of what never began brings no service: Prometheus repeats it for fifteen minutes.
        beginning = [name for name, some in by_service.items() if any(one.ends_ms > now_ms for one in some)]
        listed = self._list_services(beginning)
        refused: list[RefusedPush] = []
        for service, some in by_service.items():
            if not listed.get(service, True):
                why = f"there are {MOST_SERVICES:,} services already, and {service!r} would be one more"
                refused += [RefusedPush(alert, why) for alert in some]
                continue
            for first in range(0, len(some), _AT_ONCE):
                refused += self._push(service, some[first : first + _AT_ONCE], now_ms)
        return refused

    def _list_services(self, services: Sequence[str]) -> Mapping[str, bool]:
        """List services that nothing else is known of, as if they were quiet; say which have a place in the list."""
        calls = [_known_call(self._layout.keys_of(name), name, self._step_ms) for name in services]
        replies = self._connection.pipeline(calls)
        return {name: as_int(reply) == 1 for name, reply in zip(services, replies, strict=True)}

    def _push(self, service: str, alerts: Sequence[PushedAlert], now_ms: int) -> list[RefusedPush]:
        keys = self._layout.keys_of(service)
        for _ in range(_ATTEMPTS):
            state, held = self._read(keys, service, [alert.alert_id for alert in alerts])
            refused: list[RefusedPush] = []
            changes: list[Change] = []
            for alert in alerts:
                change = after_push(state.records.get(alert.alert_id), alert, now_ms)
                if change is None or alert.alert_id in state.unreadable:
                    continue
                is_new = alert.alert_id not in state.records
                if is_new and held >= MOST_ALERTS:
                    refused.append(RefusedPush(alert, f"service {service!r} has {MOST_ALERTS:,} alerts already"))
                    continue
                held += is_new
                changes.append(change)
            cursors = Cursors(version=state.version)
            if not changes or isinstance(
                write_changes(self._connection, keys, service, changes, cursors=cursors), Written
            ):
                return refused
        return [RefusedPush(alert, f"the alerts of service {service!r} keep changing; try again") for alert in alerts]

    def _read(self, keys: ShardKeys, service: str, alerts: Sequence[str]) -> tuple[ServiceState, int]:
        """Return the state as far as these alerts need it, and how many alerts it has at most."""
        key, names = keys.state(service), [*_HEAD_FIELDS, *map(alert_field, alerts)]
        found, held = self._connection.pipeline([("HMGET", key, *names), ("HLEN", key)])
        fields = {name: as_bytes(text) for name, text in zip(names, as_list(found), strict=True) if text is not None}
        most = as_int(held)
        if most + len(alerts) > MOST_ALERTS:
            # There are fields next to them, such as how often alerts fired lately.
            most = len(alert_ids(map(as_text, as_list(self._connection.command("HKEYS", key)))))
        return ServiceState.from_hash(fields), most


def _known_call(keys: ShardKeys, service: str, step_ms: int) -> tuple[str | int, ...]:
    names = (keys.closed, keys.progress, keys.heard)
    return ("FCALL", "baro_known_1", len(names), *names, service, step_ms, MOST_SERVICES)
