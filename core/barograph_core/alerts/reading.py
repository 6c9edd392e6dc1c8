"""Reads alerts: those of a whole shard, and what happened to one of them."""

import logging
from collections.abc import Iterator
from typing import Final

from barograph_core.alerts.state import ServiceState
from barograph_core.alerts.transition import Transition, is_about_alert
from barograph_core.errors import MalformedEventError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_entries, as_hash, as_list, as_text

log = logging.getLogger(__name__)
_PAGE: Final = 500
_PAGES: Final = 20


def read_states(connection: Connection, keys: ShardKeys) -> Iterator[ServiceState]:
    """Yield the alert state of every service of a shard that has closed panes."""
    services = [as_text(name) for name in as_list(connection.command("HKEYS", keys.closed))]
    for reply in connection.pipeline([("HGETALL", keys.state(service)) for service in services]):
        yield ServiceState.from_hash(as_hash(reply))


def read_transitions(connection: Connection, keys: ShardKeys, rule: str = "", alert_id: str = "") -> list[Transition]:
    """Return what the alerts stream of a shard tells of a rule or of an alert, the newest first.

    At most the newest 10,000 entries of the stream are looked through.
    """
    found: list[Transition] = []
    end = "+"
    for _ in range(_PAGES):
        entries = as_entries(connection.command("XREVRANGE", keys.alerts, end, "-", "COUNT", _PAGE))
        for entry in entries:
            is_wanted = entry.fields.get(b"rule") == rule.encode() if rule else True
            is_wanted = is_wanted and (not alert_id or entry.fields.get(b"alert_id") == alert_id.encode())
            if not is_wanted or not is_about_alert(entry.fields):
                continue
            try:
                found.append(Transition.from_fields(entry.fields))
            except MalformedEventError as error:
                log.warning("alert.entry_unreadable", extra={"entry_id": str(entry.id), "reason": error.reason})
        if len(entries) < _PAGE:
            break
        end = f"({entries[-1].id}"
    return found
