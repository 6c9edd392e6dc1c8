"""Reads new entries of the alerts and deliveries streams."""

from typing import Final

from barograph_cli.demo.show.story import Delivery, Happening, Stories
from barograph_core.alerts.transition import Transition
from barograph_core.errors import BarographError, MalformedEventError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import Entry, as_entries

_PAGE: Final = 500


class AlertFeed:
    """Folds both streams into ``stories``. A server that is away for a moment only delays the entries."""

    def __init__(self, connection: Connection, keys: ShardKeys, stories: Stories) -> None:
        self._connection = connection
        # Deliveries first: each belongs to an alerts entry written before it, which the second read then finds.
        self._after = {keys.deliveries: "0-0", keys.alerts: "0-0"}
        self._stories = stories

    def read(self) -> list[Happening]:
        """Return what has happened since the last call, in order of time."""
        try:
            replies = self._connection.pipeline(
                [("XRANGE", key, f"({after}", "+", "COUNT", _PAGE) for key, after in self._after.items()]
            )
        except BarographError:
            return []
        deliveries, alerts = (as_entries(reply) for reply in replies)
        for key, entries in zip(self._after, (deliveries, alerts), strict=True):
            if entries:
                self._after[key] = str(entries[-1].id)
        happenings = [self._take_transition(entry) for entry in alerts]
        happenings += [self._take_delivery(entry) for entry in deliveries]
        return sorted((item for item in happenings if item is not None), key=lambda item: item.at_ms)

    def _take_transition(self, entry: Entry) -> Happening | None:
        try:
            return self._stories.add_transition(Transition.from_fields(entry.fields))
        except MalformedEventError:
            return None

    def _take_delivery(self, entry: Entry) -> Happening | None:
        try:
            delivery = Delivery(
                entry.text("transition"), entry.text("result"), entry.text("reason"), entry.integer("at_ms")
            )
        except MalformedEventError:
            return None
        return self._stories.add_delivery(delivery)
