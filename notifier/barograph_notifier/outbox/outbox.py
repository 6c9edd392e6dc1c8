"""The way into a channel's outbox: entries of the alerts stream, and items that come from elsewhere.

An entry is moved and acknowledged in one function call (``functions/queue.lua``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from barograph_core.alerts.record import AlertState
from barograph_core.alerts.transition import Transition
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value
from barograph_core.server.replies import EntryId, as_int, as_list, as_text
from barograph_notifier.notification import idempotency_key
from barograph_notifier.outbox.grouping import PLAIN, Grouping
from barograph_notifier.outbox.item_cache import ItemCache
from barograph_notifier.outbox.queue_plan import Item

Result = Literal["sent", "retry", "held", "dead", "suppressed"]
# Items of one call: it blocks the server for some ms.
_PAGE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """An entry of the alerts stream, and what becomes of it.

    Attributes:
        entry_id: Its id.
        item: What is queued; ``None`` when nothing is to be sent.
        reason: Why nothing is sent, for the deliveries stream; empty when that is not worth a record.
        fields: The entry's fields as texts; ``None`` for an item that is not read from the stream.
    """

    entry_id: EntryId
    transition: Transition
    item: Item | None = None
    reason: str = ""
    fields: Mapping[str, str] | None = None

    def text(self) -> str:
        """Return the item's JSON text, empty without an item."""
        return "" if self.item is None else self.item.to_json(self.fields)


@dataclass(frozen=True, slots=True)
class _Placed:
    """An arrival and the group that it goes to."""

    arrival: Arrival
    group: str


class Outbox:
    """Fills the outbox of one channel over one connection. For one thread.

    Args:
        connection: To the server.
        keys: Of the shard.
        channel: The channel's name.
        keep_ms: How long the deliveries stream is kept.
        grouping: How the channel groups; one that is not known here lets each alert be due by itself.
        cache: Where the senders of this process find the items.
    """

    def __init__(
        self,
        connection: Connection,
        keys: ShardKeys,
        channel: str,
        *,
        keep_ms: int,
        grouping: Grouping = PLAIN,
        cache: ItemCache | None = None,
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._channel = channel
        self._keep_ms = keep_ms
        self._grouping = grouping
        self._cache = cache

    def enqueue(self, consumer_group: str, consumer: str, arrivals: Sequence[Arrival], now_ms: int) -> list[bool]:
        """Move alerts entries here, or record why they are not sent, and acknowledge them.

        Returns:
            Whether each was done. ``False``: another consumer has claimed it.
        """
        found = list[bool]()
        for first in range(0, len(arrivals), _PAGE):
            page = arrivals[first : first + _PAGE]
            found += self._move(consumer_group, consumer, page, now_ms)
        return found

    def put(self, items: Iterable[Item], now_ms: int, *, group: str = "") -> None:
        """Queue items that have no entry to acknowledge; one that is queued under the same id already stays.

        Args:
            items: The items.
            now_ms: Wall time.
            group: The group in which they are due at once; empty for that of each alert.
        """
        arrivals = [Arrival(entry_id=item.entry_id, transition=item.transition, item=item) for item in items]
        for first in range(0, len(arrivals), _PAGE):
            self._move("", "", arrivals[first : first + _PAGE], now_ms, group)

    def _move(
        self, consumer_group: str, consumer: str, arrivals: Sequence[Arrival], now_ms: int, group: str = ""
    ) -> list[bool]:
        placed = [_Placed(one, group or self._grouping.group_of(one.transition)) for one in arrivals]
        is_done = dict[int, bool]()
        left = list(range(len(placed)))
        # Items of an alert stay in one group: where some wait already, the others follow, one call later.
        while left:
            replies = self._call(consumer_group, consumer, [placed[at] for at in left], now_ms, is_urgent=bool(group))
            again = list[int]()
            for at, reply in zip(left, replies, strict=True):
                if reply in ("ok", "lost"):
                    is_done[at] = reply == "ok"
                else:
                    placed[at] = _Placed(placed[at].arrival, reply)
                    again.append(at)
            left = again
        return [is_done[at] for at in range(len(placed))]

    def _call(
        self, consumer_group: str, consumer: str, placed: Sequence[_Placed], now_ms: int, *, is_urgent: bool
    ) -> list[str]:
        keys, channel = self._keys, self._channel
        names = [keys.alerts, keys.outbox(channel), keys.deliveries, keys.channels, keys.progress]
        args: list[Value] = [consumer_group, consumer, self._keep_ms, now_ms, len(placed)]
        for one in placed:
            names += [
                keys.outbox_items(channel, one.arrival.transition.alert_id),
                keys.outbox_waiting(channel, one.group),
                keys.outbox_told(channel, one.group),
                keys.outbox_group(channel, one.group),
            ]
            args += self._args_of(one, now_ms, is_urgent=is_urgent)
        return [as_text(reply) for reply in as_list(self._connection.call("baro_queue_1", names, args))]

    def _args_of(self, placed: _Placed, now_ms: int, *, is_urgent: bool) -> list[Value]:
        arrival, transition = placed.arrival, placed.arrival.transition
        item = arrival.item
        text = arrival.text()
        if item is not None and self._cache is not None:
            self._cache.add(text, item)
        is_flag = transition.is_only_flag
        # The incident of an alert that flaps goes on: it is repeated, and its group not over.
        is_end = transition.after is not AlertState.FIRING and not (item is not None and item.is_flap)
        pace: Sequence[Value] = (0, 0) if is_urgent or is_flag else self._grouping.pace_of(transition)
        if placed.group == transition.alert_id and self._grouping.is_plain:
            pace = ("", "")
        note = list[str]()
        if arrival.reason:
            key = idempotency_key(transition.transition, self._channel)
            note = note_of(
                transition.transition, self._channel, key, result="suppressed", reason=arrival.reason, at_ms=now_ms
            )
        return [
            str(arrival.entry_id),
            transition.alert_id,
            placed.group,
            item.due_ms if item else 0,
            text,
            *pace,
            "flag" if is_flag else int(is_end),
            len(note),
            *note,
        ]

    def pass_over(self, consumer_group: str, consumer: str, entry_id: EntryId, now_ms: int) -> bool:
        """Acknowledge an entry that is about no single alert. ``False``: another consumer has claimed it."""
        keys, channel = self._keys, self._channel
        names = [keys.alerts, keys.outbox(channel), keys.deliveries, keys.channels, keys.progress]
        names += [keys.outbox_items(channel, ""), keys.outbox_waiting(channel, "")]
        names += [keys.outbox_told(channel, ""), keys.outbox_group(channel, "")]
        args: list[Value] = [consumer_group, consumer, self._keep_ms, now_ms, 1]
        args += [str(entry_id), "", "", 0, "", "", "", 0, 0]
        (reply,) = as_list(self._connection.call("baro_queue_1", names, args))
        return as_text(reply) == "ok"

    def look_again(self, now_ms: int) -> None:
        """Make the groups due in which firings are held back: what held them may be over."""
        keys, channel = self._keys, self._channel
        held, outbox = keys.outbox_held(channel), keys.outbox(channel)
        groups = as_list(self._connection.command("SMEMBERS", held))
        if groups:
            names = [as_text(group) for group in groups]
            # Only those that were read: a sender may add one meanwhile.
            commands: list[Sequence[Value]] = [("ZADD", outbox, "XX", "LT", now_ms, name) for name in names]
            # A group that is due sooner than its next message shows flags alone.
            commands += [("HDEL", keys.outbox_group(channel, name), "due_ms") for name in names]
            self._connection.pipeline([*commands, ("SREM", held, *names)])

    def knows(self, alert: str) -> bool:
        """Say whether anything of this alert is queued or remembered."""
        return as_int(self._connection.command("EXISTS", self._keys.outbox_items(self._channel, alert))) == 1


def note_of(
    transition: str, channel: str, key: str, *, result: Result, reason: str, at_ms: int, attempt: int = 0
) -> list[str]:
    """Return names and values in turn of an entry of the deliveries stream."""
    return [
        *("transition", transition),
        *("channel", channel),
        *("key", key),
        *("attempt", str(attempt)),
        *("result", result),
        *("reason", reason),
        *("at_ms", str(at_ms)),
    ]
