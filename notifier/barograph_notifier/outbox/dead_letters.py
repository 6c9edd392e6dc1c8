"""Notifications on the dead-letter stream, and their way back into the outbox of their channel."""

from dataclasses import dataclass, replace
from typing import Final

from barograph_core.alerts.flapping.incident import read_incident
from barograph_core.errors import MalformedEventError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection, read_now
from barograph_core.server.replies import Entry, EntryId
from barograph_notifier.outbox.outbox import Outbox
from barograph_notifier.outbox.queue_plan import Item

# Nothing is kept for it: to put an item into an outbox records no result.
_NO_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class DeadNotification:
    """A notification that was given up.

    Attributes:
        channel: The channel that gave it up.
        item: As it was at the last attempt.
    """

    channel: str
    item: Item


def read_dead(entry: Entry, keys: ShardKeys) -> DeadNotification | None:
    """Return the notification of a dead letter; ``None`` if it is something else, or cannot be read."""
    text, outbox = entry.fields.get(b"notification"), entry.fields.get(b"dead_stream", b"").decode(errors="replace")
    prefix = keys.outbox("")
    if text is None or not outbox.startswith(prefix):
        return None
    try:
        item = Item.from_json(EntryId.parse(entry.fields[b"dead_id"].decode(errors="replace")), text)
    except (MalformedEventError, ValueError, KeyError):
        return None
    return DeadNotification(outbox.removeprefix(prefix), item)


def retry_dead(connection: Connection, keys: ShardKeys, dead: DeadNotification) -> str:
    """Queue a notification again, as the newest of its alert; return why not, empty if it was done.

    A firing whose episode is over is not queued: its end has passed already. Nor is an end while the alert fires.
    """
    item = dead.item
    fires = _episode_that_fires(connection, keys, item)
    if not item.is_resolution and fires != item.transition.told_episode_ms:
        return "the alert does not fire any more in that episode"
    if item.is_resolution and fires is not None:
        return "the alert fires again"
    now_ms = read_now(connection)
    # Later than all that the channel has finished about the alert, which would count as overtaken otherwise.
    again = replace(
        item, entry_id=EntryId(now_ms, 0), mute="", attempt=0, since_ms=now_ms, due_ms=now_ms, is_handed_over=False
    )
    Outbox(connection, keys, dead.channel, keep_ms=_NO_MS).put([again], now_ms)
    return ""


def _episode_that_fires(connection: Connection, keys: ShardKeys, item: Item) -> int | None:
    transition = item.transition
    try:
        record = read_incident(connection, keys, transition.service, transition.alert_id)
    except MalformedEventError:
        return None
    return None if record is None else record.told_episode_ms
