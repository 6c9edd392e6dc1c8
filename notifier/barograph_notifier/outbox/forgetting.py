"""Forgets a channel that no configuration has any more: its consumer group, its outbox and what it remembers.

Until then its group counts as behind, and what waits in its outbox waits for ever.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from barograph_core.alerts.state import alert_ids
from barograph_core.errors import BarographError, MalformedEventError
from barograph_core.keyspace.keys import NOTIFIER_GROUP, ShardKeys
from barograph_core.pipeline.channels import RESULTS
from barograph_core.server.connection import Connection, read_now
from barograph_core.server.replies import EntryId, as_entries, as_facts, as_hash, as_int, as_list, as_text
from barograph_notifier.outbox.outbox import note_of
from barograph_notifier.outbox.queue_plan import Item

REASON_FORGOTTEN: Final = "channel_forgotten"
# A reader asks for entries every 2 s at least.
_LIVE_MS: Final = 5_000
_PAGE: Final = 500


class ChannelInUseError(BarographError):
    """A notifier still serves the channel. Raised before anything is deleted; the command says what mends it."""


@dataclass(frozen=True, slots=True)
class ForgottenChannel:
    """What a channel left in one shard.

    Attributes:
        is_known: Whether there was anything of it.
        waiting: Notifications that waited; each is recorded on the deliveries stream as suppressed.
        alerts: Alerts of which it remembered something.
    """

    is_known: bool
    waiting: int
    alerts: int


class ForgettingChannel:
    """Forgets one channel in one shard. Every step may be repeated, so a command that was killed is run again."""

    def __init__(self, connection: Connection, keys: ShardKeys, channel: str) -> None:
        self._connection = connection
        self._keys = keys
        self._channel = channel
        self._group = f"{NOTIFIER_GROUP}{channel}"

    def look(self) -> ForgottenChannel:
        """Return what there is to forget.

        Raises:
            ChannelInUseError: A notifier still serves the channel.
        """
        groups = self._groups()
        if self._group in groups:
            consumers = as_list(self._connection.command("XINFO", "CONSUMERS", self._keys.alerts, self._group))
            live = [as_text(facts["name"]) for one in consumers if as_int((facts := as_facts(one))["idle"]) < _LIVE_MS]
            if live:
                raise ChannelInUseError(
                    f"{live[0]} still serves {self._channel!r}: take it out of the configuration and restart it"
                )
        queues = {alert: _items_of(fields) for alert, fields in self._queues()}
        counted = self._connection.command("HMGET", self._keys.channels, *self._count_fields())
        position = self._connection.command("HGET", self._keys.progress, f"finished:{self._group}")
        is_known = self._group in groups or bool(queues) or position is not None or any(as_list(counted))
        return ForgottenChannel(is_known, sum(map(len, queues.values())), len(queues))

    def forget(self) -> ForgottenChannel:
        """Delete everything of the channel; what waited is recorded as suppressed.

        Raises:
            ChannelInUseError: A notifier still serves the channel.
        """
        found = self.look()
        keys, channel = self._keys, self._channel
        # First the group: a notifier that starts now would begin as on a new channel.
        if self._group in self._groups():
            self._connection.command("XGROUP", "DESTROY", keys.alerts, self._group)
        groups = set(self._waiting_groups())
        now_ms = read_now(self._connection)
        for alert, fields in self._queues():
            groups.add(fields.get("group", alert.encode()).decode(errors="replace"))
            notes = [
                note_of(
                    item.transition.transition,
                    channel,
                    item.key(channel),
                    result="suppressed",
                    reason=REASON_FORGOTTEN,
                    at_ms=now_ms,
                )
                for item in _items_of(fields)
            ]
            self._connection.pipeline(
                [
                    *(["XADD", keys.deliveries, "*", *note] for note in notes),
                    ["DEL", keys.outbox_items(channel, alert)],
                    ["HDEL", keys.quiet(alert), channel],
                ]
            )
        for group in groups:
            names = [keys.outbox_waiting(channel, group), keys.outbox_told(channel, group)]
            self._connection.command("DEL", *names, keys.outbox_group(channel, group), keys.lease(channel, group))
        self._connection.pipeline(
            [
                ["DEL", keys.outbox(channel), keys.hold(channel)],
                ["HDEL", keys.channels, *self._count_fields()],
                # Last: by these a repetition knows the channel.
                ["HDEL", keys.progress, *(f"{field}:{self._group}" for field in ("finished", "ahead", "dead", "lost"))],
            ]
        )
        return found

    def _count_fields(self) -> list[str]:
        return [f"{self._channel}:{result}" for result in RESULTS]

    def _groups(self) -> set[str]:
        if not as_int(self._connection.command("EXISTS", self._keys.alerts)):
            return set()
        groups = as_list(self._connection.command("XINFO", "GROUPS", self._keys.alerts))
        return {as_text(as_facts(one)["name"]) for one in groups}

    def _waiting_groups(self) -> list[str]:
        return [
            as_text(one) for one in as_list(self._connection.command("ZRANGE", self._keys.outbox(self._channel), 0, -1))
        ]

    def _queues(self) -> Iterator[tuple[str, Mapping[str, bytes]]]:
        """Yield each alert of which the channel has something, with the fields of its items."""
        for page in _pages(self._alerts()):
            keys = [self._keys.outbox_items(self._channel, alert) for alert in page]
            for alert, flat in zip(page, self._connection.pipeline([["HGETALL", key] for key in keys]), strict=True):
                fields = as_hash(flat)
                if fields:
                    yield alert, fields

    def _alerts(self) -> list[str]:
        """Return every alert that the channel may have heard of: of the stream, the states and the outbox."""
        found = dict.fromkeys(self._of_the_stream())
        for service in map(as_text, as_list(self._connection.command("HKEYS", self._keys.closed))):
            names = as_list(self._connection.command("HKEYS", self._keys.state(service)))
            found |= dict.fromkeys(alert_ids(as_text(name) for name in names))
        groups = self._waiting_groups()
        found |= dict.fromkeys(groups)
        for page in _pages(groups):
            lists = [["SMEMBERS", self._keys.outbox_waiting(self._channel, group)] for group in page]
            lists += [["ZRANGE", self._keys.outbox_told(self._channel, group), "0", "-1"] for group in page]
            for members in self._connection.pipeline(lists):
                found |= dict.fromkeys(as_text(one) for one in as_list(members))
        return list(found)

    def _of_the_stream(self) -> Iterator[str]:
        begin = "-"
        while entries := as_entries(self._connection.command("XRANGE", self._keys.alerts, begin, "+", "COUNT", _PAGE)):
            for entry in entries:
                yield entry.fields.get(b"alert_id", b"").decode(errors="replace")
            begin = f"({entries[-1].id}"


def _pages(names: Iterable[str]) -> Iterator[list[str]]:
    every = [name for name in names if name]
    for first in range(0, len(every), _PAGE):
        yield every[first : first + _PAGE]


def _items_of(fields: Mapping[str, bytes]) -> list[Item]:
    """Return what waits; the fields next to the items, and what cannot be read, are left out."""
    items: list[Item] = []
    for field, text in fields.items():
        with contextlib.suppress(ValueError, MalformedEventError):
            items.append(Item.from_json(EntryId.parse(field), text))
    return items
