"""Decides what to show of an alert's flags: who has taken it on, where people were told of it. Pure.

Flags are planned apart from transitions. They wait for no repetition or step of an escalation, which an acknowledgement
holds back; and no transition waits for a flag that is tried again.
"""

from dataclasses import dataclass, field

from barograph_notifier.outbox.queue_plan import Candidate, Item
from barograph_notifier.outbox.turns import AlertQueue
from barograph_notifier.sending.group_plan import Unsent

SUPERSEDED = "superseded"
NOT_DELIVERED = "not_delivered"


@dataclass(frozen=True, slots=True)
class FlagPlan:
    """What to do with the flags of one alert.

    Attributes:
        unsent: Flags to record as not sent.
        candidate: The flag to send now; ``None`` if there is none.
        later_ms: When to try a flag again; ``None`` if there is none.
        is_behind: Whether a flag waits for a transition before it.
    """

    unsent: list[Unsent] = field(default_factory=list[Unsent])
    candidate: Candidate | None = None
    later_ms: int | None = None
    is_behind: bool = False


def plan_flags(queue: AlertQueue, now_ms: int) -> FlagPlan:
    """Return what to do with the flags of ``queue``.

    A flag is sent only while the firing that it belongs to was delivered for certain and its end was not: a target
    never hears of an acknowledgement of something that it was not told of, or that is over there. Of several the
    newest counts, and none that a resolution follows.
    """
    unsent, left = list[Unsent](), list[Item]()
    for flag in queue.flags:
        reason = _why_not(flag, queue)
        if reason:
            unsent.append(Unsent(flag, reason, queue.memory))
        else:
            left.append(flag)
    if not left:
        return FlagPlan(unsent)
    # All but the newest are superseded.
    (flag,) = left
    if _is_behind(flag, queue):
        return FlagPlan(unsent, is_behind=True)
    if flag.due_ms > now_ms:
        return FlagPlan(unsent, later_ms=flag.due_ms)
    return FlagPlan(unsent, Candidate(flag, queue.memory))


def _why_not(flag: Item, queue: AlertQueue) -> str:
    memory = queue.memory
    is_ended = any(one.is_resolution and one.entry_id > flag.entry_id for one in queue.items)
    if is_ended or flag is not queue.flags[-1] or flag.entry_id <= memory.finished:
        return SUPERSEDED
    if _is_behind(flag, queue):
        return ""
    is_delivered = memory.delivered_episode_ms == flag.transition.told_episode_ms and not memory.is_in_doubt
    return "" if is_delivered else NOT_DELIVERED


def _is_behind(flag: Item, queue: AlertQueue) -> bool:
    # What is part of a digest that may have arrived stays so until that is known.
    return bool(queue.in_digest) or any(one.entry_id < flag.entry_id and not one.repeat_ms for one in queue.items)
