"""Queues the steps of an escalation in the outboxes of their channels, so that no restart loses one.

A step is an item with its time: a resolution overtakes it as it overtakes a delivery that is tried again. Whether the
alert still fires, and whether someone has acknowledged it, is looked at when the step is due (``muting``).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from barograph_core.alerts.record import AlertState
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import EntryId, as_text
from barograph_notifier.escalation.escalation import Escalation, steps_of
from barograph_notifier.outbox.outbox import Outbox
from barograph_notifier.outbox.queue_plan import ESCALATED, Item
from barograph_notifier.outbox.results import DeliveryResult


@dataclass(frozen=True, slots=True)
class _Begin:
    """The first delivery of an episode, as it is kept under ``escalated:<alert>``.

    Attributes:
        entry_ms: Time of the firing's entry, by the server's clock.
        delivered_ms: Time of the delivery, by ours.
    """

    episode_ms: int
    transition: str
    entry_ms: int
    delivered_ms: int

    def __str__(self) -> str:
        return f"{self.episode_ms} {self.transition} {self.entry_ms} {self.delivered_ms}"

    @classmethod
    def parse(cls, text: str) -> "_Begin | None":
        parts = text.split(" ")
        numbers = [*parts[:1], *parts[2:]]
        if len(parts) != 4 or not all(part.isascii() and part.isdigit() for part in numbers):
            return None
        return cls(int(parts[0]), parts[1], int(parts[2]), int(parts[3]))


class Escalating:
    """Queues steps over one connection. For one thread.

    Args:
        connection: Of a sender.
        keys: Of its shard.
        escalations: Of the configuration.
        outbox_of: Makes the outbox of a channel.
        keep_ms: How long it is remembered that an episode has begun to escalate.
    """

    def __init__(
        self,
        connection: Connection,
        keys: ShardKeys,
        escalations: Sequence[Escalation],
        outbox_of: Callable[[str], Outbox],
        *,
        keep_ms: int,
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._escalations = tuple(escalations)
        self._outbox_of = outbox_of
        self._keep_ms = keep_ms

    def note_sent(self, deliveries: Iterable[DeliveryResult]) -> None:
        """Queue the steps of each firing among ``deliveries`` whose episode is told for the first time.

        To be called before they are recorded: what is interrupted between is sent once more, and comes here again. A
        repetition changes nothing.

        Raises:
            BarographError: The server is gone or refuses.
        """
        for one in deliveries if self._escalations else ():
            transition = one.item.transition
            if transition.after is AlertState.FIRING and transition.reason != ESCALATED:
                self._begin(one.item, one.at_ms)

    def _begin(self, item: Item, delivered_ms: int) -> None:
        transition = item.transition
        steps = steps_of(self._escalations, transition)
        if not steps:
            return
        # What fired before the channel came has no entry.
        entry_ms = item.entry_id.ms or delivered_ms
        begin = _Begin(transition.told_episode_ms, transition.transition, entry_ms, delivered_ms)
        key = self._keys.escalated(transition.alert_id)
        kept = self._connection.command("GET", key)
        known = None if kept is None else _Begin.parse(as_text(kept))
        if known is not None and known.episode_ms == begin.episode_ms:
            if known.transition != begin.transition:
                return
            begin = known
        else:
            self._connection.command("SET", key, str(begin), "PX", self._keep_ms)
        for number, step in enumerate(steps):
            due_ms = begin.delivered_ms + step.after_ms
            step_item = Item(
                # After all that channels have finished of the alert until then, and before all that comes later. The
                # same at a repetition.
                entry_id=EntryId(begin.entry_ms + step.after_ms - 1, number),
                transition=replace(transition, reason=ESCALATED, muted=()),
                since_ms=due_ms,
                due_ms=due_ms,
                repeat_ms=due_ms,
            )
            for channel in step.channels:
                self._outbox_of(channel).put([step_item], delivered_ms)
