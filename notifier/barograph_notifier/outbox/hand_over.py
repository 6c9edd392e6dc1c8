"""What a channel does not take goes to another: a refused or long failing firing is handed over."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from barograph_core.alerts.flapping.incident import read_incident
from barograph_core.alerts.record import Severity
from barograph_core.errors import MalformedEventError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_notifier.outbox.outbox import Outbox
from barograph_notifier.outbox.queue_plan import Item

REASON_FALLBACK: Final = "fallback"


class HandOver:
    """Hands firings of one channel to another. For one thread.

    Only firings: the other channel reads resolutions and flags itself, and sends those whose firing it has delivered.

    Args:
        connection: Of the sender.
        keys: Of its shard.
        outbox: The other channel's.
        name: Its name.
        after_ms: How long an attempt may keep failing before the firing is handed over.
        is_for_all: Whether every firing is handed over. If not, only critical ones that are given up.
    """

    def __init__(
        self, connection: Connection, keys: ShardKeys, outbox: Outbox, *, name: str, after_ms: int, is_for_all: bool
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._outbox = outbox
        self._after_ms = after_ms
        self._is_for_all = is_for_all
        self.name = name

    def takes_failing(self, item: Item, now_ms: int) -> bool:
        """Say whether ``item``, which will be tried again, has failed for long enough."""
        is_one = self._is_for_all and not item.is_handed_over and not item.is_flag
        return is_one and now_ms - item.since_ms >= self._after_ms

    def give(self, items: Sequence[Item], now_ms: int) -> bool:
        """Queue the firings among ``items`` for the other channel; say whether there were any.

        A repetition changes nothing.
        """
        given = [self._given(item, now_ms) for item in items if self._takes(item)]
        self._outbox.put(given, now_ms)
        return bool(given)

    def _takes(self, item: Item) -> bool:
        if item.is_resolution or item.is_flag:
            return False
        is_meant = self._is_for_all or item.transition.severity is Severity.CRITICAL
        return is_meant and not item.is_handed_over and self._still_fires(item)

    def _given(self, item: Item, now_ms: int) -> Item:
        transition = replace(item.transition, reason=REASON_FALLBACK)
        return replace(item, transition=transition, mute="", attempt=0, since_ms=now_ms, due_ms=now_ms, repeat_ms=0)

    def _still_fires(self, item: Item) -> bool:
        """Say whether the episode goes on: the end of one that is over may have passed the other channel already."""
        transition = item.transition
        try:
            record = read_incident(self._connection, self._keys, transition.service, transition.alert_id)
        except MalformedEventError:
            # Of a newer version: a doubt must not cost the alert.
            return True
        return record is not None and record.told_episode_ms == transition.told_episode_ms
