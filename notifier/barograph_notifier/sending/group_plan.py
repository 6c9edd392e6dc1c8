"""Decides what a message about a group is about. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from barograph_notifier.muting.mute import MuteOf, mute_nothing
from barograph_notifier.outbox.queue_plan import (
    Candidate,
    DeliveryMemory,
    Done,
    Item,
    Send,
    Suppress,
    Wait,
    next_action,
)
from barograph_notifier.outbox.turns import AlertQueue


@dataclass(frozen=True, slots=True)
class Unsent:
    """An item that is not sent now.

    Attributes:
        memory: What the channel remembers of the alert from then on.
        held_until_ms: When to look at it again; ``None``: never, it is suppressed.
    """

    item: Item
    reason: str
    memory: DeliveryMemory
    held_until_ms: int | None = None


@dataclass(slots=True)
class GroupPlan:
    """What to do in a turn.

    Attributes:
        unsent: Items to record as not sent; each alert's in their order.
        candidates: Items to send, at most one of each alert: what follows it waits until that one is delivered.
        is_resent: Whether the candidates are those of the digest under way, all still true.
        following: Items that wait for a candidate of their alert.
        later_ms: When the first of the other items is due; ``None`` when there are none.
    """

    unsent: list[Unsent] = field(default_factory=list[Unsent])
    candidates: list[Candidate] = field(default_factory=list[Candidate])
    is_resent: bool = False
    following: list[Item] = field(default_factory=list[Item])
    later_ms: int | None = None

    def wait_until(self, due_ms: int) -> None:
        self.later_ms = due_ms if self.later_ms is None else min(self.later_ms, due_ms)


def plan_queue(
    queue: AlertQueue, now_ms: int, *, mute_of: MuteOf = mute_nothing, is_digest_under_way: bool = False
) -> tuple[list[Unsent], Candidate | None, int | None]:
    """Return what not to send of an alert, what to send then, and until when to wait if that is not due.

    An item that an earlier sender may have sent, and that is overtaken or held back by now, leaves a doubt behind: its
    resolution is owed. What holds a firing back is recorded once; an end is never held back.
    """
    memory, items, unsent = queue.memory, list(queue.items), list[Unsent]()
    in_doubt = {queue.trying, queue.in_digest if is_digest_under_way else ""}
    while True:
        match next_action(items, memory, now_ms):
            case Suppress(item, reason):
                memory = _after(memory.after_unsent(item), item, in_doubt)
                unsent.append(Unsent(item, reason, memory))
                items.pop(0)
            case Send(item):
                mute = None if item.is_resolution else mute_of(item.transition)
                if mute is None:
                    return unsent, Candidate(item, memory), None
                if mute.until_ms is None:
                    memory = _after(memory.after_unsent(item), item, in_doubt)
                    unsent.append(Unsent(item, mute.reason, memory))
                    items.pop(0)
                    continue
                if mute.reason != item.held:
                    held = replace(item, held=mute.reason)
                    unsent.append(Unsent(held, mute.reason, _after(memory, item, in_doubt), mute.until_ms))
                return unsent, None, mute.until_ms
            case Wait(until_ms):
                return unsent, None, until_ms
            case Done():
                return unsent, None, None


def _after(memory: DeliveryMemory, item: Item, in_doubt: Collection[str]) -> DeliveryMemory:
    return memory.after_doubt(item) if str(item.entry_id) in in_doubt else memory


def plan_group(
    queues: Iterable[AlertQueue], now_ms: int, *, is_digest_under_way: bool, mute_of: MuteOf = mute_nothing
) -> GroupPlan:
    """Decide about a group that is due.

    A digest that may have been sent is sent again as it was, under its key, unless one of its alerts was overtaken.
    Then the message would be wrong, and everything is told as it is now.
    """
    plan = GroupPlan()
    digest, is_true = list[Candidate](), True
    for queue in queues:
        unsent, candidate, until_ms = plan_queue(
            queue, now_ms, mute_of=mute_of, is_digest_under_way=is_digest_under_way
        )
        plan.unsent += unsent
        if candidate is not None:
            plan.candidates.append(candidate)
            plan.following += [item for item in queue.items if item.entry_id > candidate.item.entry_id]
        if until_ms is not None:
            plan.wait_until(until_ms)
        if is_digest_under_way and queue.in_digest:
            is_same = candidate is not None and str(candidate.item.entry_id) == queue.in_digest
            is_true = is_true and is_same
            if candidate is not None and is_same:
                digest.append(candidate)
    if digest and is_true:
        plan.is_resent = True
        if len(digest) < len(plan.candidates):
            plan.wait_until(now_ms)
        plan.candidates = digest
    return plan
