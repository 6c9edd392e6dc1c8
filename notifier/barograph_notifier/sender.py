"""The thread of a channel that sends: takes what is due, one alert at a time, and records what became of it."""

import logging
import random
import threading
from dataclasses import dataclass, replace
from typing import Final

from barograph_core.clock import Clock
from barograph_core.errors import BarographError
from barograph_core.self_metrics import Counters, MetricName
from barograph_notifier.backoff import Backoff
from barograph_notifier.channel import Channel, Outcome, Refused, Retry, Sent, attempt
from barograph_notifier.notification import Notification, idempotency_key
from barograph_notifier.outbox import Outbox, Result, Turn, Verdict
from barograph_notifier.queue_plan import Done, Item, Memory, Send, Step, Suppress, Wait, next_step

log = logging.getLogger(__name__)

_LIMIT: Final = 64
_RECONNECT: Final = Backoff(first_ms=50, cap_ms=2_000)
_COUNTED: Final[dict[Result, MetricName]] = {
    "sent": "deliveries_sent",
    "retry": "deliveries_retried",
    "dead": "deliveries_dead",
    "suppressed": "deliveries_suppressed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderSettings:
    """How one channel sends.

    Attributes:
        timeout_ms: Bound on one attempt.
        retry_for_ms: Age at which what keeps failing is given up.
        poll_ms: Longest time between two looks at the outbox.
    """

    timeout_ms: int
    retry_for_ms: int
    poll_ms: int
    backoff: Backoff

    @property
    def lease_ms(self) -> int:
        """Return how long one turn may take: an attempt and the calls around it, with room to spare."""
        return self.timeout_ms + 5_000


@dataclass(frozen=True, slots=True)
class _Unrecorded:
    """An attempt that was made, and that the server could not be told of.

    Without it a server that refuses the record (no rights, a key of another type) would have the same
    notification sent again and again.
    """

    group: str
    item: Item
    verdict: Verdict


class Sender:
    """Sends for one channel of one shard.

    Several may run side by side, in one process or many: the lease gives each alert to one at a time.
    """

    def __init__(
        self,
        outbox: Outbox,
        *,
        name: str,
        channel: Channel,
        settings: SenderSettings,
        clock: Clock,
        counters: Counters,
        rng: random.Random,
        wake: threading.Event,
    ) -> None:
        self._outbox = outbox
        self._name = name
        self._channel = channel
        self._settings = settings
        self._clock = clock
        self._counters = counters
        self._rng = rng
        self._wake = wake
        self._held_until_ms = 0.0
        self._unrecorded: _Unrecorded | None = None

    def run(self, stop: threading.Event) -> None:
        """Send until ``stop`` is set; the attempt in hand is finished within the channel's timeout."""
        failures = 0
        while not stop.is_set():
            # Before the pass: what comes in while it runs starts the next one at once.
            self._wake.clear()
            try:
                wait_ms = self.make_pass(stop)
                failures = 0
            except BarographError as error:
                failures += 1
                wait_ms = _RECONNECT.delay_ms(failures, self._rng)
                self._complain(error, is_first=failures == 1)
            except Exception as error:  # noqa: BLE001  # a fault of ours must not end the channel's only thread
                failures += 1
                wait_ms = _RECONNECT.delay_ms(failures, self._rng)
                self._complain(error, is_first=failures == 1)
            if wait_ms > 0:
                self._wake.wait(wait_ms / 1_000)

    def _complain(self, error: Exception, *, is_first: bool) -> None:
        self._counters.add("reconnects" if isinstance(error, BarographError) else "loop_errors")
        if is_first:
            trace = None if isinstance(error, BarographError) else error
            log.warning("sender.failed", extra={"channel": self._name, "error": str(error)}, exc_info=trace)

    def make_pass(self, stop: threading.Event) -> int:
        """Serve what is due and return how many ms to wait; 0 to look again at once."""
        has_progressed = False
        if self._unrecorded is not None:
            self._serve(self._unrecorded.group)
            # Either it is recorded now, or another sender has taken over.
            self._unrecorded = None
        for group in self._outbox.due(self._clock.now_ms(), _LIMIT):
            if stop.is_set() or self._hold_ms() > 0:
                break
            has_progressed |= self._serve(group)
        if self._hold_ms() > 0:
            return min(self._hold_ms(), self._settings.poll_ms)
        if has_progressed:
            return 0
        return self._idle_ms()

    def _hold_ms(self) -> int:
        return max(0, round(self._held_until_ms - self._clock.monotonic_ms()))

    def _idle_ms(self) -> int:
        due_ms = self._outbox.next_due_ms()
        wait_ms = self._settings.poll_ms if due_ms is None else due_ms - self._clock.now_ms()
        # What is due and was not served is in another sender's hands.
        return min(wait_ms, self._settings.poll_ms) if wait_ms > 0 else self._settings.poll_ms

    def _serve(self, group: str) -> bool:
        """Tell one alert's queue up to one attempt. ``False``: another sender has it."""
        turn = self._outbox.take_turn(group, self._settings.lease_ms)
        if turn is None:
            return False
        for field in turn.unreadable:
            self._outbox.discard(turn, field, self._clock.now_ms())
        due_ms = self._tell(turn)
        self._outbox.give_back(turn, due_ms)
        return True

    def _tell(self, turn: Turn) -> int | None:
        """Do the steps of the queue; return when the group is due again, ``None`` when that is recorded."""
        queue, memory = list(turn.queue), turn.memory
        known = self._unrecorded
        if known is not None and queue and known.item == queue[0]:
            self._record(turn, known.verdict)
            return None
        while True:
            now_ms = self._clock.now_ms()
            step: Step = next_step(queue, memory, now_ms)
            match step:
                case Done():
                    return now_ms
                case Wait(until_ms):
                    return until_ms
                case Suppress(item, reason):
                    memory = memory.after(item, is_sent=False)
                    if str(item.entry_id) == turn.trying and not item.is_resolution:
                        # It may have arrived: better an end that nobody waits for than a firing without one.
                        memory = replace(memory, told_episode_ms=item.transition.episode_ms)
                    verdict = Verdict(item=item, result="suppressed", reason=reason, memory=memory, at_ms=now_ms)
                    if not self._record(turn, verdict):
                        return None
                    queue.pop(0)
                case Send(item):
                    if not self._outbox.begin(turn, item):
                        self._counters.add("fence_rejections")
                        return None
                    verdict = self._send(item, memory)
                    self._unrecorded = _Unrecorded(turn.group, item, verdict)
                    self._record(turn, verdict)
                    self._unrecorded = None
                    return None

    def _send(self, item: Item, memory: Memory) -> Verdict:
        notification = Notification.of_transition(item.transition)
        key = idempotency_key(item.transition.transition, self._name)
        outcome = attempt(self._channel, notification, key=key, timeout_s=self._settings.timeout_ms / 1_000)
        return self._judge(item, memory, outcome)

    def _judge(self, item: Item, memory: Memory, outcome: Outcome) -> Verdict:
        now_ms = self._clock.now_ms()
        tried = replace(item, attempt=item.attempt + 1)
        match outcome:
            case Sent(ref):
                done = memory.after(tried, is_sent=True)
                return Verdict(item=tried, result="sent", reason=ref, memory=done, at_ms=now_ms)
            case Refused(reason):
                done = memory.after(tried, is_sent=False)
                return Verdict(item=tried, result="dead", reason=reason, memory=done, at_ms=now_ms)
            case Retry(after_s, reason):
                return self._postpone(tried, memory, after_s, reason, now_ms)

    def _postpone(self, tried: Item, memory: Memory, after_s: float | None, reason: str, now_ms: int) -> Verdict:
        backoff = self._settings.backoff
        delay_ms = backoff.delay_ms(tried.attempt, self._rng, after_s)
        if after_s is not None:
            # Retry-After speaks of the channel, not of the one alert that happened to meet it.
            self._held_until_ms = self._clock.monotonic_ms() + min(delay_ms, backoff.cap_ms)
        if now_ms + delay_ms - tried.since_ms > self._settings.retry_for_ms:
            done = memory.after(tried, is_sent=False)
            return Verdict(item=tried, result="dead", reason=f"given up: {reason}", memory=done, at_ms=now_ms)
        again = replace(tried, due_ms=now_ms + delay_ms)
        return Verdict(item=again, result="retry", reason=reason, memory=memory, at_ms=now_ms)

    def _record(self, turn: Turn, verdict: Verdict) -> bool:
        facts = {
            "channel": self._name,
            "alert_id": turn.group,
            "transition": verdict.item.transition.transition,
            "attempt": verdict.item.attempt,
            "reason": verdict.reason,
        }
        if not self._outbox.record(turn, verdict):
            self._counters.add("fence_rejections")
            log.warning("delivery.fenced", extra=facts)
            return False
        self._counters.add(_COUNTED[verdict.result])
        log.log(_LEVELS[verdict.result], f"delivery.{verdict.result}", extra=facts)
        return True


_LEVELS: Final[dict[Result, int]] = {
    "sent": logging.INFO,
    "retry": logging.WARNING,
    "dead": logging.ERROR,
    "suppressed": logging.INFO,
}
