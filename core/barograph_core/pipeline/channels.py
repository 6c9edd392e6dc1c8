"""Reads what waits for each channel, and what became of its deliveries."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from barograph_core.keyspace.keys import NOTIFIER_GROUP, ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.foreign_replies import as_count
from barograph_core.server.replies import EntryId, as_hash, as_int, as_list, as_text
from barograph_core.text.one_line import one_line

# Alerts of an outbox that are looked into. Beyond, its size is a lower bound.
_MOST_ALERTS: Final = 1_000
RESULTS: Final = ("sent", "retry", "held", "dead", "suppressed")


@dataclass(frozen=True, slots=True)
class ChannelStatus:
    """One channel of one shard.

    Attributes:
        alerts: Alerts of which something waits to be sent.
        waiting: Notifications that wait, at least this many when ``is_capped``.
        oldest_ms: Time since the oldest of them was written; 0 when none waits.
        deliveries: Attempts and suppressions by result since the channel was first used, all notifiers together.
    """

    name: str
    alerts: int
    waiting: int
    is_capped: bool
    oldest_ms: int
    deliveries: Mapping[str, int]


class ChannelReader:
    """Reads the channels of one shard."""

    def __init__(self, connection: Connection, keys: ShardKeys) -> None:
        self._connection = connection
        self._keys = keys

    def read(self, at_ms: int, groups: Iterable[str]) -> tuple[ChannelStatus, ...]:
        """Return every channel that has a group on the alerts stream or ever recorded a delivery.

        Args:
            at_ms: The server's clock.
            groups: The groups of the alerts stream.

        Raises:
            BarographError: The server is gone or refuses.
        """
        deliveries: dict[str, dict[str, int]] = {
            group.removeprefix(NOTIFIER_GROUP): {} for group in groups if group.startswith(NOTIFIER_GROUP)
        }
        for field, count in as_hash(self._connection.command("HGETALL", self._keys.channels)).items():
            channel, _, result = field.rpartition(":")
            if result in RESULTS:
                deliveries.setdefault(one_line(channel), {})[result] = as_count(count)
        return tuple(self._read_channel(name, at_ms, deliveries[name]) for name in sorted(deliveries))

    def _read_channel(self, name: str, at_ms: int, deliveries: Mapping[str, int]) -> ChannelStatus:
        groups, members = self._connection.pipeline(
            [
                ("ZCARD", self._keys.outbox(name)),
                ("ZRANGE", self._keys.outbox(name), 0, _MOST_ALERTS - 1),
            ]
        )
        names = [as_text(member) for member in as_list(members)]
        waiting = self._connection.pipeline([("SMEMBERS", self._keys.outbox_waiting(name, group)) for group in names])
        alerts = list[str]()
        for group, found in zip(names, waiting, strict=True):
            # An alert by itself is a group without that list.
            alerts += [as_text(alert) for alert in as_list(found)] or [group]
        queues = self._connection.pipeline(
            [("HKEYS", self._keys.outbox_items(name, alert)) for alert in alerts[:_MOST_ALERTS]]
        )
        ids = [entry_id for queue in queues for field in as_list(queue) if (entry_id := _entry_id(as_text(field)))]
        return ChannelStatus(
            name=name,
            alerts=max(len(alerts), as_int(groups)),
            waiting=len(ids),
            is_capped=max(len(alerts), as_int(groups)) > _MOST_ALERTS,
            oldest_ms=max(0, at_ms - min(ids).ms) if ids else 0,
            deliveries={result: deliveries.get(result, 0) for result in RESULTS},
        )


def _entry_id(field: str) -> EntryId | None:
    """Return the id of an item; the fields next to them have other names."""
    try:
        return EntryId.parse(field)
    except ValueError:
        return None
