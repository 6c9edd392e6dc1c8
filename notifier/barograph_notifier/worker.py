"""The reading side of a channel: entries of the alerts stream that its routes select go into its outbox."""

import logging
import math
import threading
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Final, Protocol

from barograph_core.alerts.record import AlertState
from barograph_core.alerts.transition import Transition, decoded_fields, is_about_alert
from barograph_core.clock import Clock
from barograph_core.errors import MalformedEventError
from barograph_core.keyspace.keys import NOTIFIER_GROUP
from barograph_core.server.replies import Entry
from barograph_core.silences.entry import KIND
from barograph_core.workers.consumer import UnreadableEntryError
from barograph_core.workers.counters import MetricName, WorkerCounters
from barograph_notifier.outbox.entry_action import EntryAction, action_for
from barograph_notifier.outbox.outbox import Arrival, Outbox
from barograph_notifier.outbox.queue_plan import RESOLUTIONS_OFF, Item
from barograph_notifier.routing.failing import failing_channel
from barograph_notifier.routing.routing import Routing

log = logging.getLogger(__name__)
# Senders look at what is held back at most this often.
_RELEASE_EVERY_MS: Final = 250


def group_of(channel: str) -> str:
    """Return the consumer group of a channel on the alerts stream."""
    return f"{NOTIFIER_GROUP}{channel}"


class SharedCounters(WorkerCounters):
    """Counters of a channel, shared by its reading and its sending thread."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def add(self, name: MetricName, amount: int = 1) -> None:
        with self._lock:
            super().add(name, amount)


class Wakeable(Protocol):
    """Whom to tell that something was queued: an event, or ``sending.pacing.wake_up.WakeUp``."""

    def set(self) -> None: ...


class NotifierHandler:
    """Handles alerts entries for one channel.

    Each entry is moved or suppressed, and acknowledged, in one step. What another consumer has claimed meanwhile is
    left to that one.
    """

    def __init__(
        self,
        outbox: Outbox,
        routing: Routing,
        *,
        channel: str,
        consumer: str,
        clock: Clock,
        counters: WorkerCounters,
        wake: Wakeable,
        sends_resolved: bool = True,
        shows_flag: Callable[[Transition], bool] = lambda _: False,
        look_for_tests: Callable[[], None] = lambda: None,
    ) -> None:
        self._outbox = outbox
        self._routing = routing
        self._sends_resolved = sends_resolved
        self._shows_flag = shows_flag
        self._channel = channel
        self._consumer = consumer
        self._clock = clock
        self._counters = counters
        self._wake = wake
        self._look_for_tests = look_for_tests
        self._may_release = False
        self._next_release_ms = -math.inf

    def handle(self, entries: Sequence[Entry], *, is_redelivered: bool) -> None:  # noqa: ARG002
        """Move ``entries`` to the outbox and wake a sender.

        Raises:
            UnreadableEntryError: An entry is not a transition; no entry has taken effect.
        """
        now_ms = self._clock.now_ms()
        read = [_Read(entry) for entry in entries]
        queued, arrivals = set[str](), list[Arrival]()
        for one in read:
            if one.transition is None:
                self._counters.add("entries_passed_over")
                self._outbox.pass_over(group_of(self._channel), self._consumer, one.entry.id, now_ms)
                continue
            arrivals.append(self._arrival(one, one.transition, now_ms, queued))
            if arrivals[-1].item is not None:
                queued.add(one.transition.alert_id)
        flags = self._outbox.enqueue(group_of(self._channel), self._consumer, arrivals, now_ms)
        self._counters.add("fence_rejections", flags.count(False))
        suppressed = sum(flag and bool(one.reason) for one, flag in zip(arrivals, flags, strict=True))
        self._counters.add("deliveries_suppressed", suppressed)
        self._may_release |= any(_may_release(one.entry, one.transition) for one in read)
        self._release()
        if any(one.item is not None for one in arrivals):
            self._wake.set()

    def tick(self, now_ms: int) -> None:
        """Let senders look at what is held back, if it may go, and see to tests that people ask for."""
        del now_ms
        self._release()
        self._look_for_tests()

    def _release(self) -> None:
        """Let senders look at what is held back, though not at each of a thousand ends."""
        now_ms = self._clock.monotonic_ms()
        if self._may_release and now_ms >= self._next_release_ms:
            self._outbox.look_again(self._clock.now_ms())
            self._may_release, self._next_release_ms = False, now_ms + _RELEASE_EVERY_MS
            self._wake.set()

    def _arrival(self, read: "_Read", transition: Transition, now_ms: int, queued: Set[str]) -> Arrival:
        """Decide what becomes of one entry: this is the only step between reading an entry and queuing it.

        Args:
            read: The entry.
            transition: What it says.
            now_ms: Wall time.
            queued: Alerts of which the entries before it, that come with it, queue something.
        """
        entry_id = read.entry.id
        due = self._routing.channels_of(transition, transition.at_ms)
        is_shown = transition.is_only_flag and self._shows_flag(transition)
        action, reason = action_for(transition, self._channel, is_routed=self._channel in due, shows_flag=is_shown)
        if action is EntryAction.ENQUEUE_IF_KNOWN:
            is_known = transition.alert_id in queued or self._outbox.knows(transition.alert_id)
            action = EntryAction.ENQUEUE if is_known else EntryAction.SUPPRESS
        if action is not EntryAction.ENQUEUE:
            reason = reason if action is EntryAction.SUPPRESS else ""
            return Arrival(entry_id=entry_id, transition=transition, reason=reason)
        if failing_channel(transition) == self._channel and transition.after is AlertState.FIRING:
            # No other channel could tell that this one fails; who reads the log can.
            facts = {"channel": self._channel, "alert_id": transition.alert_id, "summary": transition.summary}
            log.error("channel.fails_and_is_the_only_one", extra=facts)
        held_ms = _held_until_ms(transition, due.get(self._channel, 0))
        item = Item(
            entry_id=entry_id,
            transition=transition,
            mute=self._mute_of(transition),
            since_ms=max(now_ms, held_ms),
            # The server's clock may be ahead of ours; the item must not wait for the difference.
            due_ms=held_ms or min(entry_id.ms, now_ms),
        )
        return Arrival(entry_id=entry_id, transition=transition, item=item, fields=read.fields)

    def _mute_of(self, transition: Transition) -> str:
        """Return why ``transition`` counts in the order but is not sent; empty when it is sent.

        A flag bears its name: a notifier that does not know flags then sends nothing, instead of one more firing.
        """
        if transition.is_only_flag:
            return transition.flag
        if not transition.notify:
            return transition.reason or "muted"
        is_unwanted = transition.after is not AlertState.FIRING and not self._sends_resolved
        return RESOLUTIONS_OFF if is_unwanted else ""


def _held_until_ms(transition: Transition, from_ms: int) -> int:
    """Return until when a muted route holds ``transition`` back; 0 for not at all. An end is always told at once."""
    return from_ms if transition.after is AlertState.FIRING and from_ms > transition.at_ms else 0


def _may_release(entry: Entry, transition: Transition | None) -> bool:
    """Say whether the entry may end what holds firings back: a silence, an acknowledgement, or another alert."""
    if transition is None:
        return entry.fields.get(b"kind") == KIND.encode() and entry.fields.get(b"change") != b"added"
    return transition.before is AlertState.FIRING and transition.flag != "acknowledged"


class _Read:
    """An entry that was read.

    Attributes:
        fields: Its fields as texts.
        transition: What it says; ``None`` when it is about no single alert.

    Raises:
        UnreadableEntryError: It is malformed.
    """

    __slots__ = ("entry", "fields", "transition")

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.fields: Mapping[str, str] = {}
        self.transition: Transition | None = None
        if is_about_alert(entry.fields):
            self.fields = decoded_fields(entry.fields)
            try:
                self.transition = Transition.from_texts(self.fields)
            except MalformedEventError as error:
                raise UnreadableEntryError(entry, error.reason) from error
