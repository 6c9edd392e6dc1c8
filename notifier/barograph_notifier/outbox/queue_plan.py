"""Decides the next action on the queue of one alert on one channel. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self, TypeAlias

from barograph_core.alerts.reason import FLAPPING, REMINDER
from barograph_core.alerts.record import AlertState
from barograph_core.alerts.transition import Transition
from barograph_core.errors import MalformedEventError
from barograph_core.server.replies import EntryId
from barograph_core.text.foreign_json import load_foreign_json
from barograph_notifier.notification import idempotency_key

NEVER: Final = EntryId(0, 0)
# Mute of a resolution on a channel with ``send_resolved = false``.
RESOLUTIONS_OFF: Final = "resolutions_off"
# Reason of a firing that goes to a further channel because no one has acknowledged it.
ESCALATED: Final = "escalated"
# Cause of a message that repeats a delivered firing.
REASON_REPEAT: Final = "repeat"
# Made once: to make an encoder costs as much as to use it.
_ENCODE: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One transition that waits to be sent.

    Attributes:
        entry_id: Its id on the alerts stream: the order in which an alert's transitions are sent.
        mute: Why it must not be sent although it counts in the order; else empty. That of a flag is for notifiers that
            do not know flags.
        attempt: Number of attempts so far.
        since_ms: Time at which it was queued.
        due_ms: Time of the next attempt.
        is_handed_over: Whether the fallback channel has it too.
        repeat_ms: When a repetition of a firing that was delivered, or a step of its escalation, became due; 0 for the
            first message.
        held: What held it back last: ``silenced <id>``, ``inhibited <alert>``; empty if nothing did.
    """

    entry_id: EntryId
    transition: Transition
    mute: str = ""
    attempt: int = 0
    since_ms: int
    due_ms: int
    is_handed_over: bool = False
    repeat_ms: int = 0
    held: str = ""

    def key(self, channel: str) -> str:
        """Return the idempotency key on ``channel``; a repetition has one of its own."""
        transition = self.transition.transition
        return idempotency_key(f"{transition}/{self.repeat_ms}" if self.repeat_ms else transition, channel)

    @property
    def is_resolution(self) -> bool:
        return self.transition.after is not AlertState.FIRING

    @property
    def is_flag(self) -> bool:
        """Say whether it only shows who has taken the alert on."""
        return self.transition.is_only_flag

    @property
    def is_flap(self) -> bool:
        """Say whether it ends one of many firings of an alert that flaps: the alert's incident goes on."""
        return self.is_resolution and self.mute == FLAPPING

    @property
    def is_escalation(self) -> bool:
        return self.transition.reason == ESCALATED

    def to_json(self, entry: Mapping[str, str] | None = None) -> str:
        """Return JSON text: the entry of the alerts stream, and the state of its delivery.

        Args:
            entry: The entry's fields as they were read, which need not be made of the transition again.
        """
        if entry is None:
            flat = self.transition.to_fields()
            entry = dict(zip(flat[::2], flat[1::2], strict=True))
        document = {
            "attempt": self.attempt,
            "since_ms": self.since_ms,
            "due_ms": self.due_ms,
            "mute": self.mute,
            "handed_over": self.is_handed_over,
            "repeat_ms": self.repeat_ms,
            "held": self.held,
            "entry": entry,
        }
        return _ENCODE(document)

    @classmethod
    def from_json(cls, entry_id: EntryId, text: bytes) -> Self:
        """Read what ``to_json`` wrote.

        Raises:
            MalformedEventError: The text is not such an item.
        """
        try:
            document = load_foreign_json(text)
            entry = document["entry"]
            return cls(
                entry_id=entry_id,
                transition=Transition.from_texts({str(name): str(value) for name, value in entry.items()}),
                mute=str(document["mute"]),
                attempt=int(document["attempt"]),
                since_ms=int(document["since_ms"]),
                due_ms=int(document["due_ms"]),
                # Absent in what earlier versions wrote.
                is_handed_over=bool(document.get("handed_over", False)),
                repeat_ms=int(document.get("repeat_ms", 0)),
                held=str(document.get("held", "")),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise MalformedEventError(f"not an outbox item: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryMemory:
    """The memory of one channel about one alert.

    Attributes:
        finished: The newest entry that was sent, given up or suppressed here. Older ones come too late.
        delivered_episode_ms: The episode whose firing was delivered, or may have been, and whose resolution was not;
            ``None`` if none.
        delivered_transition: The last transition delivered.
        first_ref: The channel's reference for the first message about that episode; empty if none.
        is_in_doubt: Whether it is not certain that the firing of that episode was delivered.
        service: The alert's service, where the alert's present state is found.
    """

    finished: EntryId = NEVER
    delivered_episode_ms: int | None = None
    delivered_transition: str = ""
    first_ref: str = ""
    is_in_doubt: bool = False
    service: str = ""

    def after_sent(self, item: Item, ref: str) -> "DeliveryMemory":
        """Return the memory once ``item`` is delivered under the channel's reference ``ref``.

        A flag leaves it as it is: it finishes nothing that waits before it.
        """
        if item.is_flag:
            return self
        is_over = item.is_resolution
        return DeliveryMemory(
            finished=max(self.finished, item.entry_id),
            delivered_episode_ms=None if is_over else item.transition.told_episode_ms,
            delivered_transition=item.transition.transition,
            first_ref="" if is_over else self.first_ref_of(item) or ref,
            service=item.transition.service,
        )

    def after_unsent(self, item: Item) -> "DeliveryMemory":
        """Return the memory once ``item`` is given up or suppressed."""
        if item.is_flag:
            return self
        is_let_go = item.is_resolution and item.mute == RESOLUTIONS_OFF
        return replace(
            self,
            finished=max(self.finished, item.entry_id),
            delivered_episode_ms=None if is_let_go else self.delivered_episode_ms,
        )

    def after_doubt(self, item: Item) -> "DeliveryMemory":
        """Return the memory once ``item`` may have arrived, and before it is tried again.

        A firing is then followed by its resolution: an unneeded one is better than an alert that never resolves.
        """
        episode_ms = item.transition.told_episode_ms
        if item.is_flag or item.is_resolution or self.delivered_episode_ms == episode_ms:
            return self
        return replace(self, delivered_episode_ms=episode_ms, first_ref="", is_in_doubt=True)

    def first_ref_of(self, item: Item) -> str:
        """Return the reference of the first message about the episode of ``item``; empty if there is none."""
        return self.first_ref if self.delivered_episode_ms == item.transition.told_episode_ms else ""

    def to_json(self) -> str:
        # The names in JSON are those of the stored format.
        return _ENCODE(
            {
                "finished": str(self.finished),
                "told_episode_ms": self.delivered_episode_ms,
                "told_transition": self.delivered_transition,
                "first_ref": self.first_ref,
                "in_doubt": self.is_in_doubt,
                "service": self.service,
            }
        )

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Read what ``to_json`` wrote.

        Raises:
            MalformedEventError: The text is not such a memory.
        """
        try:
            document = load_foreign_json(text)
            episode = document["told_episode_ms"]
            return cls(
                finished=EntryId.parse(document["finished"]),
                delivered_episode_ms=None if episode is None else int(episode),
                delivered_transition=str(document["told_transition"]),
                # Absent in what earlier versions wrote.
                first_ref=str(document.get("first_ref", "")),
                is_in_doubt=bool(document.get("in_doubt", False)),
                service=str(document.get("service", "")),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise MalformedEventError(f"not an outbox memory: {error}") from error


@dataclass(frozen=True, slots=True)
class Candidate:
    """An alert's item that may be sent now, and what the channel remembers of the alert."""

    item: Item
    memory: DeliveryMemory


@dataclass(frozen=True, slots=True)
class Send:
    item: Item


@dataclass(frozen=True, slots=True)
class Suppress:
    item: Item
    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is due before ``until_ms``."""

    until_ms: int


@dataclass(frozen=True, slots=True)
class Done:
    """The queue is empty."""


NextAction: TypeAlias = Send | Suppress | Wait | Done


def next_action(queue: Sequence[Item], memory: DeliveryMemory, now_ms: int) -> NextAction:
    """Decide about the oldest item of ``queue``, which is in order of entry ids and holds no flags.

    A firing that a later transition has overtaken is suppressed. A resolution is sent, in its turn, exactly where the
    firing that it ends was delivered.
    """
    if not queue:
        return Done()
    item = queue[0]
    # A later step of an escalation waits for its time, and overtakes nothing before it; nor does an end while flapping.
    is_overtaken = any((not one.is_escalation or one.due_ms <= now_ms) and not one.is_flap for one in queue[1:])
    reason = _why_not(item, memory, is_overtaken=is_overtaken)
    if reason:
        return Suppress(item, reason)
    return Wait(item.due_ms) if item.due_ms > now_ms else Send(item)


def _why_not(item: Item, memory: DeliveryMemory, *, is_overtaken: bool) -> str:
    if item.transition.transition == memory.delivered_transition and not item.repeat_ms:
        return "duplicate"
    # Two consumers of one group may queue entries in the wrong order.
    if item.entry_id <= memory.finished:
        return "superseded"
    if item.is_resolution:
        return item.mute if memory.delivered_episode_ms is not None else "not_delivered"
    is_same = memory.delivered_episode_ms == item.transition.told_episode_ms
    is_told = is_same and not memory.is_in_doubt
    if item.repeat_ms and not item.is_escalation and not is_same:
        return "not_delivered"
    if item.transition.reason == REMINDER and is_told:
        # A reminder is for the channels that were muted when the episode began.
        return "delivered_before"
    return "superseded" if is_overtaken else item.mute
