"""Records what became of deliveries, fenced by the group's lease (``functions/record.lua``, ``functions/digest.lua``).

When a worker dies between the channel's answer and its record, the item stays queued: after the lease has expired it is
sent again with the same idempotency key. No other duplicate is possible.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final, Self

from barograph_core.alerts.record import AlertState
from barograph_core.errors import CommandRefusedError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value
from barograph_core.server.replies import as_int, as_list
from barograph_core.text.foreign_json import load_foreign_json
from barograph_notifier.notification import idempotency_key
from barograph_notifier.outbox.grouping import Grouping
from barograph_notifier.outbox.outbox import Result, note_of
from barograph_notifier.outbox.queue_plan import Candidate, DeliveryMemory, Item
from barograph_notifier.outbox.turns import AlertQueue, Turn

_PAGE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryResult:
    """The result of one attempt on an item, or of its suppression.

    Attributes:
        item: For ``retry`` and ``held``, the item to queue again; its ``attempt`` goes to the deliveries stream.
        memory: The channel's memory of the alert from now on.
        at_ms: Wall time.
        key: The idempotency key; that of the digest, when the item was part of one.
        until_ms: For ``held``: when to look at it again.
    """

    item: Item
    result: Result
    reason: str
    memory: DeliveryMemory
    at_ms: int
    key: str
    until_ms: int = 0

    @property
    def due_ms(self) -> int:
        """Return when the group is due again, if anything is left in it."""
        match self.result:
            case "retry":
                return self.item.due_ms
            case "held":
                return self.until_ms
            case _:
                return self.at_ms


@dataclass(frozen=True, slots=True)
class DigestResult:
    """What became of a digest.

    Attributes:
        at_ms: Wall time.
        attempt: Number of attempts so far.
        is_handed_over: Whether the fallback channel has its firings.
        is_in_doubt: Whether an attempt may have arrived that was not answered.
        due_ms: Time of the next attempt, when it is tried again.
    """

    result: Result
    reason: str
    at_ms: int
    attempt: int
    is_handed_over: bool
    is_in_doubt: bool
    due_ms: int = 0

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what ``to_json`` wrote."""
        return cls(**load_foreign_json(text))

    def of(self, one: Candidate, key: str) -> DeliveryResult:
        """Return the result of one alert of the digest, whose key is ``key``."""
        tried, memory = replace(one.item, attempt=self.attempt), one.memory
        if self.result == "sent":
            memory = memory.after_sent(tried, self.reason)
        else:
            memory = memory.after_unsent(tried)
            memory = memory.after_doubt(tried) if self.is_in_doubt else memory
        return DeliveryResult(
            item=tried, result=self.result, reason=self.reason, memory=memory, at_ms=self.at_ms, key=key
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A result to record, and where.

    Attributes:
        group: The alert's group.
        is_grouped: Whether it has the lists of a group of several.
        is_last: Whether the lease is given back too; not for a group of several, which ``Turns.finish`` ends.
    """

    group: str
    delivery: DeliveryResult
    is_grouped: bool = False
    is_last: bool = False


class Results:
    """Records results over one connection. For one thread.

    Args:
        connection: To the server.
        keys: Of the shard.
        channel: The channel's name.
        token: The fencing token of the senders.
        keep_ms: How long the deliveries stream and the memory of a firing without an end are kept.
        remember_ms: How long a finished alert is remembered.
        grouping: How the channel repeats.
        note_sent: Called with what was sent, before that is recorded.
    """

    def __init__(
        self,
        connection: Connection,
        keys: ShardKeys,
        channel: str,
        token: str,
        *,
        keep_ms: int,
        remember_ms: int,
        grouping: Grouping,
        note_sent: Callable[[Sequence[DeliveryResult]], object] = lambda _: None,
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._channel = channel
        self._token = token
        self._keep_ms = keep_ms
        self._remember_ms = remember_ms
        self._grouping = grouping
        self._note_sent = note_sent

    def record(self, results: Sequence[Recorded]) -> list[bool]:
        """Record the results of items.

        Returns:
            Whether each was recorded. ``False``: the lease has expired.

        Raises:
            BarographError: The server is gone, or refuses a result. The others are recorded.
        """
        sent = [one.delivery for one in results if one.delivery.result == "sent" and not one.delivery.item.is_flag]
        self._note_sent(sent)
        found = list[bool]()
        for first in range(0, len(results), _PAGE):
            page = results[first : first + _PAGE]
            try:
                found += self._call(page)
            except CommandRefusedError:
                if len(page) == 1:
                    raise
                found += self._record_each(page)
        return found

    def _record_each(self, page: Sequence[Recorded]) -> list[bool]:
        """Record one by one, so that a key of a wrong type does not keep the others from being recorded."""
        found, refusal = list[bool](), None
        for one in page:
            try:
                found += self._call([one])
            except CommandRefusedError as error:
                refusal = error
        if refusal is not None:
            raise refusal
        return found

    def _call(self, page: Sequence[Recorded]) -> list[bool]:
        keys, channel = self._keys, self._channel
        names = [keys.outbox(channel), keys.deliveries, keys.dead, keys.channels]
        args: list[Value] = [self._token, self._keep_ms, len(page)]
        for one in page:
            alert = one.delivery.item.transition.alert_id
            names += [
                keys.lease(channel, one.group),
                keys.outbox_items(channel, alert),
                keys.quiet(alert),
                keys.outbox_waiting(channel, one.group),
                keys.outbox_told(channel, one.group),
            ]
            args += self._args_of(one)
        flags = [as_int(flag) == 1 for flag in as_list(self._connection.call("baro_record_1", names, args))]
        held = [one.group for one, flag in zip(page, flags, strict=True) if flag and one.delivery.result == "held"]
        if held:
            self._connection.command("SADD", keys.outbox_held(channel), *held)
        return flags

    def _args_of(self, recorded: Recorded) -> list[Value]:
        delivery = recorded.delivery
        item, transition, memory = delivery.item, delivery.item.transition, delivery.memory
        is_firing = transition.after is AlertState.FIRING
        cooldown: tuple[Value, Value] = (0, "unchanged")
        # A repetition is not the firing's first delivery, which alone begins the cooldown; a flag is none at all.
        is_first = is_firing and not item.repeat_ms and not item.is_flag
        if delivery.result == "sent" and is_first and transition.cooldown_ms > 0:
            cooldown = (transition.cooldown_ms, transition.quiet_tag)
        elif delivery.result == "sent" and not is_firing:
            cooldown = (0, "resolved")
        note = note_of(
            transition.transition,
            self._channel,
            delivery.key,
            result=delivery.result,
            reason=delivery.reason,
            at_ms=delivery.at_ms,
            attempt=item.attempt,
        )
        return [
            recorded.group,
            transition.alert_id,
            str(item.entry_id),
            delivery.result,
            delivery.due_ms,
            item.to_json() if delivery.result in ("retry", "held", "dead") else "",
            memory.to_json(),
            # A delivered firing must be followed by its resolution, however late: keep the memory of it for longer.
            self._remember_ms if memory.delivered_episode_ms is None else self._keep_ms,
            *cooldown,
            delivery.reason,
            item.attempt,
            self._told(delivery) if recorded.is_grouped else "",
            int(recorded.is_last),
            len(note),
            *note,
        ]

    def _told(self, delivery: DeliveryResult) -> Value:
        """Return when the alert is told again: see ``record.lua``."""
        is_end_given_up = delivery.item.is_resolution and delivery.result == "dead"
        if delivery.memory.delivered_episode_ms is None or is_end_given_up:
            return "over"
        if delivery.result != "sent" or delivery.item.is_flag:
            return "same"
        repeat_ms = self._grouping.repeat_of(delivery.item.transition)
        return "never" if repeat_ms is None else delivery.at_ms + repeat_ms

    def discard(self, turn: Turn, queue: AlertQueue, field: str, at_ms: int) -> None:
        """Move an unreadable item to the dead-letter stream, so that the others need not wait for it."""
        keys, channel, group, alert = self._keys, self._channel, turn.group, queue.alert
        names = [keys.outbox(channel), keys.deliveries, keys.dead, keys.channels, keys.lease(channel, group)]
        names += [keys.outbox_items(channel, alert), keys.quiet(alert)]
        names += [keys.outbox_waiting(channel, group), keys.outbox_told(channel, group)]
        note = note_of("", channel, idempotency_key("", channel), result="dead", reason="unreadable", at_ms=at_ms)
        args: list[Value] = [self._token, self._keep_ms, 1, group, alert, field, "dead", at_ms, queue.unreadable[field]]
        args += [queue.memory.to_json(), self._keep_ms, 0, "unchanged", "unreadable", 0]
        args += ["same" if turn.is_grouped else "", 0, len(note), *note]
        self._connection.call("baro_record_1", names, args)

    def settle(self, group: str, digest: DigestResult, key: str, transition: str) -> bool:
        """Record what became of a digest as a whole. ``False``: the lease has expired, and nothing was recorded.

        Args:
            group: The digest's group.
            digest: Its result.
            key: Its idempotency key.
            transition: Of its first alert, by which the deliveries stream names the attempts that failed.
        """
        keys, is_over = self._keys, digest.result != "retry"
        names = [keys.lease(self._channel, group), keys.outbox_group(self._channel, group)]
        names += [keys.deliveries, keys.channels]
        args: list[Value] = [self._token, self._keep_ms, digest.to_json() if is_over else "", digest.attempt]
        args += [int(digest.is_handed_over), int(is_over or digest.is_in_doubt), digest.due_ms]
        if not is_over:
            args += note_of(
                transition,
                self._channel,
                key,
                result=digest.result,
                reason=digest.reason,
                at_ms=digest.at_ms,
                attempt=digest.attempt,
            )
        return as_int(self._connection.call("baro_settle_1", names, args)) == 1
