"""What to do next with the queue of one alert on one channel. Pure: facts in, a decision out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Self, TypeAlias

from barograph_core.alerts import AlertState
from barograph_core.errors import MalformedEventError
from barograph_core.stream import EntryId
from barograph_core.transitions import Transition

NEVER: Final = EntryId(0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One transition that waits to be told.

    Attributes:
        entry_id: Its id on the alerts stream: the order in which an alert's transitions are told.
        mute: Why it may not be sent although it counts in the order; else empty.
        attempt: Attempts so far.
        since_ms: When it came into the outbox.
        due_ms: Not before this time.
    """

    entry_id: EntryId
    transition: Transition
    mute: str = ""
    attempt: int = 0
    since_ms: int
    due_ms: int

    @property
    def is_resolution(self) -> bool:
        return self.transition.after is not AlertState.FIRING

    def to_json(self) -> str:
        """Return JSON text: the alerts entry as it was, and how far we are with it."""
        flat = self.transition.to_fields()
        document = {
            "attempt": self.attempt,
            "since_ms": self.since_ms,
            "due_ms": self.due_ms,
            "mute": self.mute,
            "entry": dict(zip(flat[::2], flat[1::2], strict=True)),
        }
        return json.dumps(document, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, entry_id: EntryId, text: bytes) -> Self:
        """Read what ``to_json`` wrote.

        Raises:
            MalformedEventError: It is not such an item.
        """
        try:
            document = json.loads(text)
            fields = {name.encode(): value.encode() for name, value in document["entry"].items()}
            return cls(
                entry_id=entry_id,
                transition=Transition.from_fields(fields),
                mute=str(document["mute"]),
                attempt=int(document["attempt"]),
                since_ms=int(document["since_ms"]),
                due_ms=int(document["due_ms"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise MalformedEventError(f"not an outbox item: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What one channel remembers of one alert.

    Attributes:
        finished: The newest entry that was sent, given up or suppressed here. Older ones are stragglers.
        told_episode_ms: The episode whose firing was delivered and whose resolution was not; ``None`` when
            people have been told of nothing that still stands.
        told_transition: The last transition delivered.
    """

    finished: EntryId = NEVER
    told_episode_ms: int | None = None
    told_transition: str = ""

    def after(self, item: Item, *, is_sent: bool) -> "Memory":
        """Return the memory once ``item`` is finished."""
        finished = max(self.finished, item.entry_id)
        if not is_sent:
            return replace(self, finished=finished)
        return Memory(
            finished=finished,
            told_episode_ms=None if item.is_resolution else item.transition.episode_ms,
            told_transition=item.transition.transition,
        )

    def to_json(self) -> str:
        return json.dumps(
            {
                "finished": str(self.finished),
                "told_episode_ms": self.told_episode_ms,
                "told_transition": self.told_transition,
            }
        )

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Read what ``to_json`` wrote.

        Raises:
            MalformedEventError: It is not such a memory.
        """
        try:
            document = json.loads(text)
            episode = document["told_episode_ms"]
            return cls(
                finished=EntryId.parse(document["finished"]),
                told_episode_ms=None if episode is None else int(episode),
                told_transition=str(document["told_transition"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise MalformedEventError(f"not an outbox memory: {error}") from error


@dataclass(frozen=True, slots=True)
class Send:
    item: Item


@dataclass(frozen=True, slots=True)
class Suppress:
    item: Item
    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing before ``until_ms``."""

    until_ms: int


@dataclass(frozen=True, slots=True)
class Done:
    """The queue is empty."""


Step: TypeAlias = Send | Suppress | Wait | Done


def next_step(queue: Sequence[Item], memory: Memory, now_ms: int) -> Step:
    """Decide about the oldest item.

    A firing that a later transition has overtaken is not worth sending any more; a resolution is always
    told, in its turn, where a firing that it ends was told, and nowhere else.

    Args:
        queue: The alert's items in order of their entry ids.
        memory: What the channel knows of the alert.
        now_ms: Wall time.
    """
    if not queue:
        return Done()
    item = queue[0]
    reason = _why_not(item, memory, is_overtaken=len(queue) > 1)
    if reason:
        return Suppress(item, reason)
    return Wait(item.due_ms) if item.due_ms > now_ms else Send(item)


def _why_not(item: Item, memory: Memory, *, is_overtaken: bool) -> str:
    if item.transition.transition == memory.told_transition:
        return "duplicate"
    # Two consumers of one group may hand entries over in the wrong order.
    if item.entry_id <= memory.finished:
        return "superseded"
    if item.is_resolution:
        return item.mute if memory.told_episode_ms is not None else "not_delivered"
    return "superseded" if is_overtaken else item.mute
