"""The markers of a service on its server: a hash that ``baro_mark_1`` adds to."""

import logging
from typing import Final

from barograph_core.alerts.actions import KeyReusedError
from barograph_core.errors import MalformedEventError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.log_limit import ONCE, LogLimit
from barograph_core.markers.marker import KEPT_MS, Marker
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value
from barograph_core.server.replies import as_hash, as_list, as_text

log = logging.getLogger(__name__)
# Limit of a service: every page reads them all. The oldest make room.
MOST_MARKERS: Final = 500
_log_limit: Final = LogLimit(ONCE)


def read_markers(connection: Connection, keys: ShardKeys, service: str) -> list[Marker]:
    """Return the markers of ``service``, the oldest first. One that cannot be read is logged once."""
    found: list[Marker] = []
    for key, text in as_hash(connection.command("HGETALL", keys.markers(service))).items():
        try:
            found.append(Marker.from_json(text))
        except MalformedEventError as error:
            if _log_limit.allows(f"{service}:{key}"):
                log.warning("marker.unreadable", extra={"service": service, "key": key, "reason": error.reason})
    return sorted(found, key=lambda one: (one.at_ms, one.key))


def add_marker(connection: Connection, keys: ShardKeys, marker: Marker) -> Marker:
    """Write a marker and its entry, once for each key.

    Returns:
        The marker that holds the key: an earlier one where this one was sent again.

    Raises:
        KeyReusedError: The key stands for another marker.
        BarographError: As ``Connection.call``.
    """
    names = [keys.markers(marker.service), keys.alerts]
    args: list[Value] = [marker.key, marker.to_json(), marker.at_ms, MOST_MARKERS, KEPT_MS, *marker.to_fields()]
    status, *rest = map(as_text, as_list(connection.call("baro_mark_1", names, args)))
    if status == "ok":
        return marker
    held = Marker.from_json(rest[0])
    if not held.is_repeated_by(marker):
        raise KeyReusedError(f"key {marker.key!r} stands for another marker: {held.kind} {held.title!r}")
    return held
