"""The consumer's side of a channel: from the alerts stream, past the routes, into the outbox."""

import logging
import threading
from collections.abc import Sequence

from barograph_core.clock import Clock
from barograph_core.consumer import UnreadableEntryError
from barograph_core.errors import MalformedEventError
from barograph_core.self_metrics import Counters, MetricName
from barograph_core.stream import Entry
from barograph_core.transitions import Transition
from barograph_notifier.admission import Admission, admit
from barograph_notifier.outbox import Outbox
from barograph_notifier.queue_plan import Item
from barograph_notifier.routing import Route, channels_of

log = logging.getLogger(__name__)


def group_of(channel: str) -> str:
    """Return the consumer group of a channel on the alerts stream."""
    return f"notifier:{channel}"


class SharedCounters(Counters):
    """Counters that the reading and the sending thread of a channel share."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def add(self, name: MetricName, amount: int = 1) -> None:
        with self._lock:
            super().add(name, amount)


class NotifierHandler:
    """Handles alerts entries for one channel.

    Each entry is moved or suppressed, and acknowledged, in one fenced call of its own: one that another
    consumer has claimed meanwhile is left to it.
    """

    def __init__(
        self,
        outbox: Outbox,
        routes: Sequence[Route],
        *,
        channel: str,
        consumer: str,
        clock: Clock,
        counters: Counters,
        wake: threading.Event,
    ) -> None:
        self._outbox = outbox
        self._routes = routes
        self._channel = channel
        self._consumer = consumer
        self._clock = clock
        self._counters = counters
        self._wake = wake

    def handle(self, entries: Sequence[Entry], *, is_redelivered: bool) -> None:  # noqa: ARG002
        """Move ``entries`` to the outbox and wake the sender.

        Raises:
            UnreadableEntryError: One is not a transition; none has taken effect.
        """
        for entry, transition in [(entry, _read(entry)) for entry in entries]:
            if not self._admit(entry, transition):
                self._counters.add("fence_rejections")

    def tick(self, now_ms: int) -> None:
        """Do nothing: the sender keeps its own time."""

    def _admit(self, entry: Entry, transition: Transition) -> bool:
        is_routed = self._channel in channels_of(self._routes, transition)
        admission, reason = admit(transition, is_routed=is_routed)
        if admission is Admission.ENQUEUE_IF_KNOWN:
            is_known = self._outbox.knows(transition.alert_id)
            admission = Admission.ENQUEUE if is_known else Admission.SUPPRESS
        now_ms = self._clock.now_ms()
        group = group_of(self._channel)
        if admission is Admission.ENQUEUE:
            item = Item(
                entry_id=entry.id,
                transition=transition,
                mute="" if transition.notify else transition.reason or "muted",
                since_ms=now_ms,
                # The server's clock may run ahead of ours, and nothing is to wait for the difference.
                due_ms=min(entry.id.ms, now_ms),
            )
            is_ours = self._outbox.enqueue(group, self._consumer, item)
            self._wake.set()
            return is_ours
        reason = reason if admission is Admission.SUPPRESS else ""
        if reason:
            self._counters.add("deliveries_suppressed")
        return self._outbox.acknowledge(group, self._consumer, entry.id, transition, reason, now_ms)


def _read(entry: Entry) -> Transition:
    try:
        return Transition.from_fields(entry.fields)
    except MalformedEventError as error:
        raise UnreadableEntryError(entry, error.reason) from error
