"""A sending thread of a channel: takes groups that are due, sends, and records the results."""

import logging
import math
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from barograph_core.backoff import Backoff
from barograph_core.clock import Clock
from barograph_core.errors import BarographError
from barograph_core.log_limit import ONCE, LogLimit
from barograph_notifier.muting.muting import Muting
from barograph_notifier.outbox.leases import Leases
from barograph_notifier.outbox.queue_plan import Candidate, Item
from barograph_notifier.outbox.results import DeliveryResult, Recorded, Results
from barograph_notifier.outbox.turns import AlertQueue, Turn, Turns
from barograph_notifier.sending.attempts import Attempts
from barograph_notifier.sending.delivery_log import DeliveryLog
from barograph_notifier.sending.flag_plan import plan_flags
from barograph_notifier.sending.group_plan import Unsent, plan_queue
from barograph_notifier.sending.group_turn import GroupTurns
from barograph_notifier.sending.pacing.pace import Pace
from barograph_notifier.sending.pacing.tempo import Tempo
from barograph_notifier.sending.pacing.wake_up import WakeUp

log = logging.getLogger(__name__)

# Groups of one round trip, at most. Those of a batch wait for each other, so it ends early when the channel takes its
# time, and the next one is smaller: what is left of a batch is given back, and was taken in vain.
_BATCH: Final = 32
_BATCH_MS: Final = 50
# A kill sends again what was sent and not recorded. So one sender works, and records each result at once, until more
# groups than these are due, or one has been due for so long: then all senders work, and record several results a call.
_CROWD: Final = 96
_LATE_MS: Final = 1_000
_MOST_UNRECORDED: Final = 8
_UNRECORDED_MS: Final = 5
_RECONNECT: Final = Backoff(first_ms=50, longest_ms=2_000)


@dataclass(frozen=True, slots=True)
class _Ready:
    """A turn of one alert whose item may be sent."""

    turn: Turn
    candidate: Candidate


class Postponed:
    """Alerts to be tried again, by the monotonic clock; shared by the senders of a channel.

    The outbox holds times of the wall clock: set back by an hour, it would delay every attempt by as much.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._again_ms: dict[str, float] = {}

    def add(self, alert: str, delay_ms: float) -> None:
        self._again_ms[alert] = self._clock.monotonic_ms() + delay_ms

    def forget(self, alert: str) -> None:
        self._again_ms.pop(alert, None)

    def is_due(self, alert: str) -> bool:
        return self._again_ms.get(alert, math.inf) <= self._clock.monotonic_ms()

    def due(self) -> list[str]:
        now_ms = self._clock.monotonic_ms()
        # Another thread may add one meanwhile.
        return [alert for alert, at_ms in list(self._again_ms.items()) if at_ms <= now_ms]


class Sender:
    """Sends for one channel of one shard.

    Several may run side by side, in one process or many: the lease gives each group to one at a time. In one process,
    all but number 0 are helpers: they work when there is more to send than one of them can, as many as the channel's
    answers take time for.
    """

    def __init__(
        self,
        *,
        name: str,
        turns: Turns,
        results: Results,
        attempts: Attempts,
        groups: GroupTurns,
        muting: Muting,
        leases: Leases,
        pace: Pace,
        postponed: Postponed,
        poll_ms: int,
        clock: Clock,
        delivery_log: DeliveryLog,
        rng: random.Random,
        wake: WakeUp,
        call_help: Callable[[], object],
        tempo: Tempo,
        number: int = 0,
    ) -> None:
        self._name = name
        self._turns = turns
        self._results = results
        self._attempts = attempts
        self._groups = groups
        self._muting = muting
        self._leases = leases
        self._pace = pace
        self._postponed = postponed
        self._poll_ms = poll_ms
        self._clock = clock
        self._log = delivery_log
        self._rng = rng
        self._wake = wake
        self._call_help = call_help
        self._tempo = tempo
        self._number = number
        self._is_crowded = False
        self._batch = _BATCH
        # Attempts that were made and could not be recorded, by alert. Without them, a server that refuses the record
        # (no rights, a key of another type) would cause the same notification to be sent again and again.
        self._unrecorded: dict[str, tuple[Item, DeliveryResult]] = {}
        self._log_limit = LogLimit(ONCE)

    def run(self, stop: threading.Event) -> None:
        """Send until ``stop`` is set; finish the attempt under way within the channel's timeout."""
        failures = 0
        while not stop.is_set():
            try:
                wait_ms = self.make_pass(stop)
                failures = 0
                self._log_limit.forget("sender.failed")
            except Exception as error:  # noqa: BLE001  # a fault of ours must not end the channel's thread
                failures += 1
                wait_ms = round(_RECONNECT.wait_ms(failures, self._rng.random()))
                self._count_failure(error)
            if wait_ms > 0:
                self._wake.wait(wait_ms / 1_000)

    def _count_failure(self, error: Exception) -> None:
        """Count a failed pass, and log the first of several in a row."""
        self._log.counters.add("reconnects" if isinstance(error, BarographError) else "loop_errors")
        if self._log_limit.allows("sender.failed"):
            trace = None if isinstance(error, BarographError) else error
            log.warning("sender.failed", extra={"channel": self._name, "error": str(error)}, exc_info=trace)

    def make_pass(self, stop: threading.Event) -> int:
        """Serve groups that are due; return the wait in ms until the next pass, 0 for none."""
        if self._pace.left_ms > 0:
            return min(self._pace.left_ms, self._poll_ms)
        if self._number and not self._tempo.wants(self._number):
            return self._poll_ms
        due, late_ms = self._turns.due(self._clock.now_ms())
        self._is_crowded = len(due) >= _CROWD
        if self._number and not self._is_crowded and late_ms < _LATE_MS:
            return self._poll_ms
        groups = self._leases.reserve([*self._unrecorded, *self._postponed.due(), *due], self._batch)
        if not groups:
            return self._idle_ms()
        if self._is_crowded:
            self._call_help()
        try:
            turns, held_ms = self._turns.take(groups, self._clock.now_ms())
            self._pace.hold(held_ms)
            self._muting.begin()
            # It is recorded in this pass, or another sender has taken over.
            unrecorded, self._unrecorded = self._unrecorded, {}
            started_ms = self._clock.monotonic_ms()
            self._serve_alerts([turn for turn in turns if not turn.is_grouped], unrecorded, stop)
            left = list[tuple[Turn, int | None]]()
            for turn in turns:
                if turn.is_grouped and not self._is_over(started_ms, stop):
                    self._groups.serve(turn)
                elif turn.is_grouped:
                    left.append((turn, None))
            self._turns.leave(left, self._clock.now_ms())
        finally:
            self._leases.release(groups)
        if self._pace.left_ms > 0:
            return min(self._pace.left_ms, self._poll_ms)
        return 0 if turns else self._idle_ms()

    def _is_over(self, started_ms: float, stop: threading.Event) -> bool:
        """Say whether the rest of a batch goes back, for this sender or another one that is free."""
        return stop.is_set() or self._clock.monotonic_ms() - started_ms > _BATCH_MS

    def _serve_alerts(
        self, turns: Sequence[Turn], unrecorded: dict[str, tuple[Item, DeliveryResult]], stop: threading.Event
    ) -> None:
        """Make one attempt for each of ``turns``, of alerts that are groups of their own."""
        ready, records, leaving = list[_Ready](), list[Recorded](), list[tuple[Turn, int | None]]()
        for turn in turns:
            known = unrecorded.get(turn.group)
            if known is not None and known[0] in (*turn.queue.items[:1], *turn.queue.flags):
                self._unrecorded[turn.group] = known
                records.append(Recorded(group=turn.group, delivery=known[1], is_last=True))
            else:
                self._plan(turn, ready, records, leaving)
        lost = self._record(records)
        # Not before the records, which need the lease.
        self._turns.leave(leaving, self._clock.now_ms())
        self._send([one for one in ready if one.turn.group not in lost], stop)

    def _plan(
        self,
        turn: Turn,
        ready: list[_Ready],
        records: list[Recorded],
        leaving: list[tuple[Turn, int | None]],
    ) -> None:
        """Add what to send of one alert to ``ready``, what not to send to ``records``, and who waits to ``leaving``."""
        queue, now_ms = turn.queue, self._clock.now_ms()
        for name in queue.unreadable:
            self._results.discard(turn, queue, name, now_ms)
        planned_ms = now_ms
        if self._postponed.is_due(turn.group):
            planned_ms = max([now_ms, *(item.due_ms for item in queue.items[:1])])
            self._postponed.forget(turn.group)
        unsent, candidate, until_ms = self._next_of(queue, planned_ms)
        is_over = candidate is None and until_ms is None
        for number, one in enumerate(unsent, 1):
            is_last = is_over and number == len(unsent)
            records.append(Recorded(group=turn.group, delivery=self._attempts.unsent(one), is_last=is_last))
        if candidate is not None:
            ready.append(_Ready(turn, self._muting.released(candidate)))
        elif until_ms is not None or not unsent:
            leaving.append((turn, until_ms))

    def _next_of(self, queue: AlertQueue, now_ms: int) -> tuple[list[Unsent], Candidate | None, int | None]:
        """Return what ``plan_queue`` does, with the alert's flags: one that is due and follows nothing goes first."""
        flags = plan_flags(queue, now_ms)
        if flags.candidate is not None:
            return flags.unsent, flags.candidate, None
        unsent, candidate, until_ms = plan_queue(queue, now_ms, mute_of=self._muting.mute_of)
        times = [at_ms for at_ms in (until_ms, flags.later_ms) if at_ms is not None]
        return [*flags.unsent, *unsent], candidate, min(times, default=None)

    def _send(self, ready: Sequence[_Ready], stop: threading.Event) -> None:
        may_send = self._turns.begin([(one.turn.group, one.candidate.item) for one in ready])
        started_ms = first_ms = self._clock.monotonic_ms()
        done, left = list[Recorded](), list[tuple[Turn, int | None]]()
        for one, is_ours in zip(ready, may_send, strict=True):
            if not is_ours:
                self._log.counters.add("fence_rejections")
            elif self._is_over(started_ms, stop) or self._pace.take_ms() > 0:
                left.append((one.turn, None))
            else:
                first_ms = first_ms if done else self._clock.monotonic_ms()
                done.append(self._attempt(one))
                most = _MOST_UNRECORDED if self._is_crowded else 1
                if len(done) >= most or self._clock.monotonic_ms() - first_ms > _UNRECORDED_MS:
                    self._record(done)
                    done.clear()
        self._record(done)
        # Nothing was sent of these, so there is no doubt.
        self._turns.leave(left, self._clock.now_ms(), clears=True)
        self._suit_batch(len(ready) - len(left), self._clock.monotonic_ms() - started_ms)

    def _suit_batch(self, sent: int, took_ms: float) -> None:
        """Let the next batch be as large as can be sent in half of its time."""
        if sent > 0:
            fitting = int(sent * _BATCH_MS / 2 / max(took_ms, 0.001))
            self._batch = max(1, min(fitting, _BATCH, 2 * self._batch))

    def _attempt(self, one: _Ready) -> Recorded:
        begun_ms = self._clock.monotonic_ms()
        delivery = self._attempts.send(one.candidate)
        self._tempo.note(self._clock.monotonic_ms() - begun_ms)
        if delivery.result == "retry":
            self._postponed.add(one.turn.group, delivery.item.due_ms - delivery.at_ms)
        self._unrecorded[one.turn.group] = (one.candidate.item, delivery)
        return Recorded(group=one.turn.group, delivery=delivery, is_last=True)

    def _record(self, records: Sequence[Recorded]) -> set[str]:
        """Record results; return the groups whose lease is lost."""
        flags = self._results.record(records)
        self._log.note([one.delivery for one in records], flags)
        self._muting.note_held([one.delivery for one in records], flags)
        for one in records:
            self._unrecorded.pop(one.group, None)
        return {one.group for one, is_recorded in zip(records, flags, strict=True) if not is_recorded}

    def _idle_ms(self) -> int:
        due_ms = self._turns.next_due_ms()
        wait_ms = self._poll_ms if due_ms is None else due_ms - self._clock.now_ms()
        # A group that is due and was not served is in work here, or leased to another sender.
        return min(wait_ms, self._poll_ms) if wait_ms > 0 else self._poll_ms
