"""The outbox of one channel in one shard: what waits, who may send it, and what became of it.

Every change is one function call (``functions/notifier.lua``). A worker that dies between the channel's
answer and ``record`` leaves the item queued: after the lease has run out it is sent again with the same
idempotency key. That is the one duplicate there can be.
"""

import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from barograph_core.errors import MalformedEventError
from barograph_core.keys import ShardKeys
from barograph_core.stream import Connection, EntryId, Value, as_bytes, as_hash, as_int, as_list, as_text
from barograph_core.transitions import Transition
from barograph_notifier.notification import idempotency_key
from barograph_notifier.queue_plan import Item, Memory

log = logging.getLogger(__name__)

Result = Literal["sent", "retry", "dead", "suppressed"]
_MEMORY: Final = "memory"
_TRYING: Final = "trying"


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to tell one alert's transitions, until the lease runs out.

    Attributes:
        group: The alert's id.
        token: Fences what the holder records.
        queue: What waits, oldest first.
        unreadable: Items that a hand or another version wrote, by field. ``discard`` them.
        trying: Field of the item that a sender was about to send and died or froze over, or empty.
    """

    group: str
    token: str
    queue: tuple[Item, ...]
    memory: Memory
    unreadable: Mapping[str, bytes]
    trying: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of an item.

    Attributes:
        item: For ``retry`` as it is to be queued again; its ``attempt`` goes to the deliveries stream.
        memory: What the channel knows from now on.
        at_ms: Wall time.
    """

    item: Item
    result: Result
    reason: str
    memory: Memory
    at_ms: int


class Outbox:
    """Reads and changes the outbox over one connection, for one thread."""

    def __init__(
        self, connection: Connection, keys: ShardKeys, channel: str, *, keep_ms: int, remember_ms: int
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._channel = channel
        self._keep_ms = keep_ms
        self._remember_ms = remember_ms
        self._token = secrets.token_hex(16)

    def _items(self, group: str) -> str:
        # A channel's name holds no colon, so this cannot be another channel's key.
        return self._keys.outbox_items(self._channel, group)

    def _call_enqueue(
        self, consumer_group: str, consumer: str, entry_id: EntryId, group: str, item: Item | None, note: Sequence[str]
    ) -> bool:
        reply = as_list(
            self._connection.call(
                "baro_enqueue_1",
                [self._keys.alerts, self._keys.outbox(self._channel), self._items(group), self._keys.deliveries],
                [
                    consumer_group,
                    consumer,
                    str(entry_id),
                    group,
                    item.due_ms if item else 0,
                    item.to_json() if item else "",
                    self._keep_ms,
                    *note,
                ],
            )
        )
        return as_bytes(reply[0]) == b"ok"

    def enqueue(self, consumer_group: str, consumer: str, item: Item) -> bool:
        """Move an alerts entry here and acknowledge it. ``False``: another consumer has claimed it."""
        group = item.transition.alert_id
        return self._call_enqueue(consumer_group, consumer, item.entry_id, group, item, ())

    def acknowledge(
        self, consumer_group: str, consumer: str, entry_id: EntryId, transition: Transition, reason: str, at_ms: int
    ) -> bool:
        """Acknowledge an entry that is not sent; with a reason, note it as suppressed. ``False`` as ``enqueue``."""
        note = self._note(transition.transition, 0, "suppressed", reason, at_ms) if reason else ()
        return self._call_enqueue(consumer_group, consumer, entry_id, transition.alert_id, None, note)

    def knows(self, group: str) -> bool:
        """Say whether anything of this alert is queued or remembered."""
        return as_int(self._connection.command("EXISTS", self._items(group))) == 1

    def due(self, now_ms: int, limit: int) -> list[str]:
        """Return groups that are due, longest first."""
        key = self._keys.outbox(self._channel)
        found = self._connection.command("ZRANGEBYSCORE", key, "-inf", now_ms, "LIMIT", 0, limit)
        return [as_text(member) for member in as_list(found)]

    def next_due_ms(self) -> int | None:
        """Return when the next group is due, ``None`` when the outbox is empty."""
        key = self._keys.outbox(self._channel)
        found = as_list(self._connection.command("ZRANGE", key, 0, 0, "WITHSCORES"))
        return int(float(as_text(found[1]))) if found else None

    def take_turn(self, group: str, lease_ms: int) -> Turn | None:
        """Take the group's lease and read its queue; ``None`` while another sender has it.

        A lease of our own is taken again: it is left over from a turn that lost the server half-way.
        """
        lease = self._keys.lease(self._channel, group)
        taken, holder, flat = self._connection.pipeline(
            [
                ["SET", lease, self._token, "NX", "PX", lease_ms],
                ["GET", lease],
                ["HGETALL", self._items(group)],
            ]
        )
        if taken is None and (holder is None or as_text(holder) != self._token):
            return None
        if taken is None:
            self._connection.command("PEXPIRE", lease, lease_ms)
        memory, queue, unreadable = Memory(), list[Item](), dict[str, bytes]()
        fields = as_hash(flat)
        trying = fields.pop(_TRYING, b"").decode(errors="replace")
        for field, text in fields.items():
            try:
                if field == _MEMORY:
                    memory = Memory.from_json(text)
                else:
                    queue.append(Item.from_json(EntryId.parse(field), text))
            except (MalformedEventError, ValueError) as error:
                log.error("outbox.unreadable", extra={"channel": self._channel, "group": group, "error": str(error)})
                if field != _MEMORY:
                    unreadable[field] = text
        queue.sort(key=lambda item: item.entry_id)
        return Turn(group, self._token, tuple(queue), memory, unreadable, trying)

    def give_back(self, turn: Turn, due_ms: int | None = None) -> None:
        """Give the lease back, and say when the group is due again if that is not recorded yet."""
        keys = [self._keys.lease(self._channel, turn.group)]
        args: list[str | int] = [turn.token]
        if due_ms is not None:
            keys += [self._keys.outbox(self._channel), self._items(turn.group)]
            args += [turn.group, due_ms]
        self._connection.call("baro_release_1", keys, args)

    def begin(self, turn: Turn, item: Item) -> bool:
        """Note that ``item`` is about to be sent. ``False``: the lease has run out, and it must not be."""
        keys = [self._items(turn.group), self._keys.lease(self._channel, turn.group)]
        return as_int(self._connection.call("baro_attempt_1", keys, [turn.token, str(item.entry_id)])) == 1

    def record(self, turn: Turn, verdict: Verdict) -> bool:
        """Note what became of an item. ``False``: the lease has run out and this counts for nothing."""
        item, transition = verdict.item, verdict.item.transition
        starts_cooldown = verdict.result == "sent" and not item.is_resolution and transition.cooldown_ms > 0
        return self._call_delivered(
            turn,
            str(item.entry_id),
            verdict.result,
            due_ms=item.due_ms if verdict.result == "retry" else verdict.at_ms,
            item=item.to_json(),
            memory=verdict.memory,
            started=transition if starts_cooldown else None,
            attempt=item.attempt,
            reason=verdict.reason,
            note=self._note(transition.transition, item.attempt, verdict.result, verdict.reason, verdict.at_ms),
        )

    def discard(self, turn: Turn, field: str, at_ms: int) -> bool:
        """Move an unreadable item to the dead-letter stream, so that the others need not wait for it."""
        return self._call_delivered(
            turn,
            field,
            "dead",
            due_ms=at_ms,
            item=turn.unreadable[field],
            memory=turn.memory,
            started=None,
            attempt=0,
            reason="unreadable",
            note=self._note("", 0, "dead", "unreadable", at_ms),
        )

    def _call_delivered(
        self,
        turn: Turn,
        field: str,
        result: Result,
        *,
        due_ms: int,
        item: str | bytes,
        memory: Memory,
        started: Transition | None,
        attempt: int,
        reason: str,
        note: Sequence[str],
    ) -> bool:
        keys = [
            self._keys.outbox(self._channel),
            self._items(turn.group),
            self._keys.deliveries,
            self._keys.lease(self._channel, turn.group),
            self._keys.dead,
        ]
        cooldown: list[Value] = [0, ""]
        if started is not None:
            keys.append(self._keys.cooldown(started.alert_id))
            cooldown = [started.cooldown_ms, started.cooldown_tag]
        # Whom we told of a firing we owe the resolution, however long it takes.
        remember_ms = self._remember_ms if memory.told_episode_ms is None else self._keep_ms
        args: list[Value] = [turn.token, turn.group, field, result, due_ms, item, memory.to_json(), remember_ms]
        args += [*cooldown, self._keep_ms, reason, attempt, *note]
        reply = as_list(self._connection.call("baro_delivered_1", keys, args))
        return as_bytes(reply[0]) == b"ok"

    def _note(self, transition: str, attempt: int, result: Result, reason: str, at_ms: int) -> list[str]:
        return [
            *("transition", transition),
            *("channel", self._channel),
            *("key", idempotency_key(transition, self._channel)),
            *("attempt", str(attempt)),
            *("result", result),
            *("reason", reason),
            *("at_ms", str(at_ms)),
        ]
