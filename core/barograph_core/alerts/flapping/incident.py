"""Reads the incident of one alert that goes on, as channels know it."""

from barograph_core.alerts.flapping.flaps import Flaps, incident_of
from barograph_core.alerts.record import AlertRecord
from barograph_core.alerts.state import alert_field, flaps_field
from barograph_core.errors import MalformedEventError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_bytes, as_list


def read_incident(connection: Connection, keys: ShardKeys, service: str, alert_id: str) -> AlertRecord | None:
    """Return the alert, as firing, if it fires, or flaps and is clear for now; ``None`` if neither.

    Raises:
        MalformedEventError: Its record cannot be read; a newer version may have written it.
        StreamUnavailableError: The server is gone.
    """
    names = (alert_field(alert_id), flaps_field(alert_id))
    text, flaps_text = as_list(connection.command("HMGET", keys.state(service), *names))
    record = None if text is None else AlertRecord.from_json(as_bytes(text))
    try:
        flaps = None if flaps_text is None else Flaps.from_json(as_bytes(flaps_text))
    except MalformedEventError:
        flaps = None
    return incident_of(record, flaps)
