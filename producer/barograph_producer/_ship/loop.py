"""The shipping thread: drains the buffers, ships, sends heartbeats, and survives every error."""

import json
import logging
import math
import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from barograph_core.backoff import Backoff
from barograph_core.clock import Clock
from barograph_core.errors import BarographError
from barograph_producer._pack.packer import Packer
from barograph_producer._record.buffer import Buffer
from barograph_producer._ship.alarm import Alarm
from barograph_producer._ship.backlog import Backlog
from barograph_producer._ship.drain import Drain
from barograph_producer._ship.failure_log import FailureLog
from barograph_producer._ship.schedule import HeartbeatSchedule
from barograph_producer._ship.shipper import Shipper
from barograph_producer._stats import ProducerCounters, ProducerStats

log = logging.getLogger(__name__)

_LAST_RETRY_MS: Final = 50.0
# After a pass with more events than this, start the next sooner, while new records are still in the CPU cache.
_FEW_EVENTS: Final = 4_000
# Limits of the statistics in a heartbeat: the server stores none above 64 KiB.
_MOST_FOLDED: Final = 32
_MOST_ERROR_LENGTH: Final = 500


class Sampler(Protocol):
    """Records ``system`` events when they are due. Must not raise."""

    def sample(self, now_ms: float) -> None: ...

    def stop(self) -> None: ...


class ShippingLoop:
    """Drains, packs and ships until it is stopped. After a pause another thread may continue it.

    ``make_pass`` does the whole work once and may be called without a thread.
    """

    def __init__(
        self,
        *,
        buffers: Sequence[Buffer],
        packer: Packer,
        backlog: Backlog,
        shipper: Shipper,
        counters: ProducerCounters,
        clock: Clock,
        alarm: Alarm,
        backoff: Backoff,
        jitter: Callable[[], float],
        heartbeat: HeartbeatSchedule,
        sampler: Sampler | None,
        ship_every_ms: float,
    ) -> None:
        self._backlog = backlog
        self._shipper = shipper
        self._counters = counters
        self._clock = clock
        self._alarm = alarm
        self._heartbeat = heartbeat
        self._sampler = sampler
        self._ship_every_ms = ship_every_ms
        self._failure_log = FailureLog(
            clock=clock, counters=counters, backoff=backoff, jitter=jitter, situation=self._situation
        )
        self._drain = Drain(
            buffers=buffers,
            packer=packer,
            backlog=backlog,
            counters=counters,
            yield_to_host=alarm.yield_to_host,
            note_fault=self._failure_log.note_fault,
        )
        self._flushes: deque[threading.Event] = deque()
        self._stop_by_ms: float | None = None
        self._is_final = False
        self._in_pass = 0
        self._pid = os.getpid()

    def stats(self, *, has_ended: bool = False) -> ProducerStats:
        """Return the figures; after the end, events that a thread recorded at that moment count as lost."""
        return self._counters.snapshot(
            instance=self._shipper.instance,
            in_buffers=self._drain.events,
            waiting=self._backlog.events,
            has_ended=has_ended,
        )

    @property
    def given_up(self) -> int:
        """Number of events that were held at the end and could not be shipped."""
        return self._counters.lost["closed"]

    @property
    def instance(self) -> str:
        return self._shipper.instance

    @property
    def has_failed(self) -> bool:
        """Whether the last attempt to ship failed."""
        return self._failure_log.has_failed

    def prepare(self) -> None:
        """Get ready for a thread that calls ``run``, right before that thread is made."""
        self._alarm.prepare()

    def ring(self) -> None:
        """Wake the thread for an important event. Lock-free; any thread may call it."""
        self._alarm.ring()

    def count_full(self, events: int = 1) -> None:
        """Count events that a full buffer refused. Lock-free; any thread may call it."""
        self._counters.full.add_many(events)

    def count_shut(self, events: int = 1) -> None:
        """Count events that were recorded after the close. Lock-free; any thread may call it."""
        self._counters.shut.add_many(events)

    def reject_input(self, events: int, reason: str) -> None:
        """Count input that is not usable, and store the reason for the log. Lock-free; any thread may call it."""
        self._counters.unusable.add_many(events)
        self.explain("producer.invalid_input", reason)

    def explain(self, event: str, reason: str) -> None:
        """Store a reason for the log. Lock-free; any thread may call it."""
        self._counters.rejected.add(event, reason)

    def inherited_connection(self) -> object:
        """Return the connection, which a forked child must neither use nor close."""
        return self._shipper.server

    def request_flush(self) -> threading.Event:
        """Ask for everything recorded so far to be shipped; the event is set when it is. Any thread may call it."""
        done = threading.Event()
        self._flushes.append(done)
        self._alarm.nudge()
        return done

    def request_stop(self, timeout_s: float, *, is_final: bool) -> None:
        """Ask the thread to ship what it can within ``timeout_s``, say goodbye and end. Any thread may call it.

        Args:
            timeout_s: The limit. Waiting for a reply may exceed it by the socket's timeout.
            is_final: Whether remaining events are dropped and counted; otherwise they stay for the next thread.
        """
        self._is_final = is_final
        self._shipper.stop_by_ms = stop_by_ms = self._clock.monotonic_ms() + timeout_s * 1_000
        self._stop_by_ms = stop_by_ms
        self._alarm.nudge()

    def run(self) -> bool:
        """Work until ``request_stop``. The body of the thread.

        Returns:
            Whether everything recorded before the stop is on the server. False in a forked child, where a greenlet
            of gevent lives on: the connection and the events are the parent's.
        """
        is_nudged = False
        while not self._must_stop():
            self.make_pass(is_urgent=is_nudged)
            if not self._must_stop():
                is_nudged = self._alarm.wait(self._wait_ms())
            if os.getpid() != self._pid:
                return False
        is_done = self._finish()
        self._stop_by_ms, self._shipper.stop_by_ms = None, math.inf
        return is_done

    def make_pass(self, *, is_urgent: bool = False) -> bool:
        """Drain, pack and ship once.

        Args:
            is_urgent: Whether to call the server even if it failed a moment ago.

        Returns:
            Whether everything recorded before is on the server.
        """
        is_done = False
        try:
            asked = len(self._flushes)
            is_urgent = is_urgent or asked > 0
            self._counters.rejected.log_due(self._clock.monotonic_ms())
            # The host's threads may record until the end, the sampler may not: a clean close reports no loss.
            if self._sampler is not None and not self._must_stop():
                self._sampler.sample(self._clock.monotonic_ms())
            must_wait = self._failure_log.has_failed
            self._in_pass = self._drain.events
            through_ms, is_drained = self._drain.run(
                self._clock.now_ms(), only_full=must_wait and not is_urgent, must_wait=must_wait
            )
            if is_urgent or not self._failure_log.wait_ms:
                self._ship(through_ms)
            is_done = is_drained and not len(self._backlog)
            for _ in range(asked if is_done else 0):
                self._flushes.popleft().set()
        except Exception as error:  # noqa: BLE001  # outermost: the thread must survive any fault of ours
            self._failure_log.note_fault(error)
            self._shipper.disconnect()
        return is_done

    def _ship(self, through_ms: int) -> None:
        now_ms = self._clock.now_ms()
        is_beat = self._heartbeat.is_due(now_ms)
        if not is_beat and not len(self._backlog):
            return
        try:
            is_all = self._shipper.ship(through_ms, self._liveness() if is_beat else "")
        except BarographError as error:
            self._note(error)
            return
        if is_beat and is_all:
            self._heartbeat.beat(now_ms)
        self._failure_log.note_success()

    def _must_stop(self) -> bool:
        return self._stop_by_ms is not None

    def _finish(self) -> bool:
        stop_by_ms = self._stop_by_ms or 0.0
        while not (is_done := self.make_pass(is_urgent=True)) and self._clock.monotonic_ms() < stop_by_ms:
            self._alarm.wait(min(_LAST_RETRY_MS, max(0.0, stop_by_ms - self._clock.monotonic_ms())))
        if is_done or not self._failure_log.has_failed:  # do not wait for a silent server again at an exit
            self._leave(stop_by_ms)
        self._shipper.disconnect()
        if self._sampler is not None:
            self._sampler.stop()
        if self._is_final:
            self.give_up_rest()
        return is_done

    def _leave(self, stop_by_ms: float) -> None:
        """Say goodbye. Try twice, because after a failover the first try meets a stale connection."""
        for _ in range(2):
            try:
                self._shipper.say_goodbye(self._clock.now_ms(), self._liveness())
            except BarographError as error:
                self._note(error)
            else:
                return
            if self._clock.monotonic_ms() >= stop_by_ms:
                return
            self.make_pass(is_urgent=True)

    def give_up_rest(self) -> None:
        """Drop everything that is held and count it as ``closed``. Call it only while no thread runs."""
        left = self._backlog.drop_all() + self._drain.drop_all()
        self._counters.drop("closed", left)
        if left:
            log.error("producer.events_lost_at_close", extra={"events": left, "instance": self.instance})

    def _liveness(self) -> str:
        """Return the figures of the liveness hash, as they will be after the batches of this pass are shipped."""
        stats = self.stats()
        return json.dumps(
            {
                "recorded": stats.recorded,
                "sent": stats.shipped + self._backlog.events,
                "buffered": stats.buffered - self._backlog.events,
                "folded": stats.folded,
                "folded_by": dict(Counter(stats.folded_by).most_common(_MOST_FOLDED)),
                "dropped": {reason: count for reason, count in stats.dropped.items() if count},
                "last_error": stats.last_error and stats.last_error[:_MOST_ERROR_LENGTH],
                "shared_names": stats.shared_names,
            }
        )

    def _note(self, error: BarographError) -> None:
        if self._failure_log.note_error(error):
            self._shipper.disconnect()

    def _situation(self) -> dict[str, object]:
        return {"instance": self.instance, "waiting": self._backlog.events}

    def _wait_ms(self) -> float:
        if self._failure_log.has_failed:
            return min(self._ship_every_ms, max(1.0, self._failure_log.wait_ms))
        if len(self._backlog):
            return 0.0  # the server accepts batches, but there was not enough time for all of them
        every_ms = self._ship_every_ms * min(1.0, _FEW_EVENTS / max(1, self._in_pass))
        return self._heartbeat.wait_ms(self._clock.now_ms(), every_ms) or 1.0
