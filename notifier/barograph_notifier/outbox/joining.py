"""A channel that starts, or is renamed, while alerts fire: one digest tells it of all of them.

Its consumer group would begin with the next entry of the alerts stream, so people on a new channel would not hear of
what is going on, and not of its end either.
"""

import logging
from collections.abc import Iterator
from typing import Final

from barograph_core.alerts.record import AlertState
from barograph_core.alerts.state import ServiceState
from barograph_core.alerts.transition import Transition, transition_of
from barograph_core.errors import BarographError
from barograph_core.keyspace.keys import NOTIFIER_GROUP, ShardKeys
from barograph_core.server.connection import Connection, read_now
from barograph_core.server.replies import EntryId, as_facts, as_hash, as_int, as_list, as_text
from barograph_notifier.outbox.grouping import group_name
from barograph_notifier.outbox.outbox import Outbox
from barograph_notifier.outbox.queue_plan import Item
from barograph_notifier.routing.routing import Routing

log = logging.getLogger(__name__)

REASON_ALREADY_FIRING: Final = "already_firing"
# Before every entry of the alerts stream, so that what follows stays in its order; after the id of no entry at all.
_BEFORE_ALL: Final = EntryId(0, 1)
# Holds what fires as a channel starts, however the channel groups.
_GROUP: Final = group_name({"": REASON_ALREADY_FIRING})


def join_alerts(connection: Connection, keys: ShardKeys, channel: str, outbox: Outbox, routing: Routing) -> int:
    """Make the group of a new channel, and queue every alert that fires and that its routes select.

    A second notifier that does the same queues the same items. One that is killed midway has made no group, so the
    next start does it again. An alert that fires meanwhile is on the stream too: the transition's id is the same.

    Returns:
        The number of alerts queued; 0 when the channel is not new.

    Raises:
        BarographError: As ``Connection.command``.
    """
    group = f"{NOTIFIER_GROUP}{channel}"
    if _is_known(connection, keys, group):
        return 0
    begin = _newest_id(connection, keys)
    now_ms = read_now(connection)
    items = list[Item]()
    for transition in _firing(connection, keys):
        due_ms = routing.channels_of(transition, now_ms).get(channel)
        if due_ms is not None:
            items.append(Item(entry_id=_BEFORE_ALL, transition=transition, since_ms=due_ms, due_ms=due_ms))
    outbox.put(items, now_ms, group=_GROUP)
    try:
        connection.command("XGROUP", "CREATE", keys.alerts, group, begin, "MKSTREAM")
    except BarographError as error:
        if "BUSYGROUP" not in str(error):
            raise
    if items:
        log.info("channel.joined", extra={"channel": channel, "firing": len(items)})
    return len(items)


def _is_known(connection: Connection, keys: ShardKeys, group: str) -> bool:
    finished, exists = connection.pipeline([["HGET", keys.progress, f"finished:{group}"], ["EXISTS", keys.alerts]])
    if finished is not None:
        # The group was lost with the server's memory; the consumer makes it again where it had been.
        return True
    if not as_int(exists):
        return False
    groups = as_list(connection.command("XINFO", "GROUPS", keys.alerts))
    return any(as_text(as_facts(one)["name"]) == group for one in groups)


def _newest_id(connection: Connection, keys: ShardKeys) -> str:
    if not as_int(connection.command("EXISTS", keys.alerts)):
        return "0"
    return as_text(as_facts(connection.command("XINFO", "STREAM", keys.alerts))["last-generated-id"])


def _firing(connection: Connection, keys: ShardKeys) -> Iterator[Transition]:
    """Yield for each alert that fires the entry that it fired with, as far as its record holds that."""
    for service in map(as_text, as_list(connection.command("HKEYS", keys.closed))):
        state = ServiceState.from_hash(as_hash(connection.command("HGETALL", keys.state(service))))
        for record in state.records.values():
            if record.state is AlertState.FIRING:
                yield transition_of(
                    record,
                    before=AlertState.FIRING,
                    at_ms=record.changed_at_ms,
                    notify=True,
                    reason=REASON_ALREADY_FIRING,
                )
