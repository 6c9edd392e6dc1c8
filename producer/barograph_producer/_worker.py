"""The shipper thread: drains the buffers, ships, gives signs of life, and never dies of an error."""

import json
import logging
import math
import threading
from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol

from barograph_core.clock import Clock
from barograph_core.errors import BarographError
from barograph_producer._alarm import Alarm
from barograph_producer._backlog import Backlog
from barograph_producer._buffer import Buffer
from barograph_producer._drain import Drain
from barograph_producer._packer import Packer
from barograph_producer._schedule import Backoff, HeartbeatSchedule
from barograph_producer._shipper import Shipper
from barograph_producer._stats import Counters, ProducerStats
from barograph_producer._troubles import Troubles

log = logging.getLogger(__name__)

_LAST_RETRY_MS: Final = 50.0
# After a pass with more events the next comes sooner: what was recorded a moment ago still lies in the caches.
_CALM_EVENTS: Final = 4_000


class Sampler(Protocol):
    """Records system events when they are due. Must not raise."""

    def sample(self, now_ms: float) -> None: ...

    def stop(self) -> None: ...


class Worker:
    """One shipper's life, of which several threads may live parts, one at a time.

    ``make_pass`` is the whole work and may be called without a thread.
    """

    def __init__(
        self,
        *,
        buffers: Sequence[Buffer],
        packer: Packer,
        backlog: Backlog,
        shipper: Shipper,
        counters: Counters,
        clock: Clock,
        alarm: Alarm,
        backoff: Backoff,
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
        self._troubles = Troubles(clock=clock, counters=counters, backoff=backoff, situation=self._situation)
        self._drain = Drain(
            buffers=buffers,
            packer=packer,
            backlog=backlog,
            counters=counters,
            yield_to_host=alarm.yield_to_host,
            note_fault=self._troubles.note_fault,
        )
        self._flushes: deque[threading.Event] = deque()
        self._stop_by_ms: float | None = None
        self._is_final = False
        self._in_pass = 0

    @property
    def stats(self) -> ProducerStats:
        return self._counters.snapshot(
            instance=self._shipper.instance,
            in_buffers=self._drain.events,
            waiting=self._backlog.events,
        )

    @property
    def final_stats(self) -> ProducerStats:
        """The figures after the end, when what a thread was just recording can only have been lost."""
        return self._counters.snapshot(
            instance=self._shipper.instance,
            in_buffers=self._drain.events,
            waiting=self._backlog.events,
            has_ended=True,
        )

    @property
    def given_up(self) -> int:
        """How many events were held at the end and could not be shipped."""
        return self._counters.lost["closed"]

    @property
    def instance(self) -> str:
        return self._shipper.instance

    def ring(self) -> None:
        """Say that an important event waits. From any thread, lock-free."""
        self._alarm.ring()

    def count_full(self, events: int = 1) -> None:
        """Count events that a full buffer turned away. From any thread, lock-free."""
        self._counters.full.add_many(events)

    def count_shut(self, events: int = 1) -> None:
        """Count events that came after the close. From any thread, lock-free."""
        self._counters.shut.add_many(events)

    def complain(self, events: int, reason: str) -> None:
        """Count input that cannot be used, and keep the reason for the log. From any thread, lock-free."""
        self._counters.unusable.add_many(events)
        self.explain("producer.invalid_input", reason)

    def explain(self, event: str, reason: str) -> None:
        """Keep a reason for the log. From any thread, lock-free."""
        self._counters.complaints.add(event, reason)

    def inherited_connection(self) -> object:
        """Return what a forked child must keep and leave alone."""
        return self._shipper.server

    def request_flush(self) -> threading.Event:
        """Ask for everything recorded so far to be shipped. The event is set when it is. From any thread."""
        done = threading.Event()
        self._flushes.append(done)
        self._alarm.nudge()
        return done

    def request_stop(self, timeout_s: float, *, is_final: bool) -> None:
        """Ask the thread to ship what it can within ``timeout_s``, say goodbye and end. From any thread.

        Args:
            timeout_s: The bound; a reply that is being waited for may outlast it by the socket's.
            is_final: Whether what is left then is dropped and counted, and not kept for a next thread.
        """
        self._is_final = is_final
        self._shipper.stop_by_ms = stop_by_ms = self._clock.monotonic_ms() + timeout_s * 1_000
        self._stop_by_ms = stop_by_ms
        self._alarm.nudge()

    def run(self) -> bool:
        """Work until told to stop. The body of the thread.

        Returns:
            Whether everything recorded before that was told is on the server.
        """
        is_nudged = False
        while not self._must_stop():
            self.make_pass(is_urgent=is_nudged)
            if not self._must_stop():
                is_nudged = self._alarm.wait(self._wait_ms())
        is_done = self._finish()
        self._stop_by_ms, self._shipper.stop_by_ms = None, math.inf
        return is_done

    def make_pass(self, *, is_urgent: bool = False) -> bool:
        """Drain, pack and ship once.

        Args:
            is_urgent: Whether to try the server although it failed a moment ago.

        Returns:
            Whether everything recorded before is on the server.
        """
        is_done = False
        try:
            asked = len(self._flushes)
            is_urgent = is_urgent or asked > 0
            self._counters.complaints.log_due(self._clock.monotonic_ms())
            if self._sampler is not None:
                self._sampler.sample(self._clock.monotonic_ms())
            must_wait = self._troubles.have_come
            self._in_pass = self._drain.events
            through_ms, is_drained = self._drain.run(
                self._clock.now_ms(), only_full=must_wait and not is_urgent, must_wait=must_wait
            )
            if is_urgent or not self._troubles.wait_ms:
                self._ship(through_ms)
            is_done = is_drained and not len(self._backlog)
            for _ in range(asked if is_done else 0):
                self._flushes.popleft().set()
        except Exception as error:  # noqa: BLE001  # outermost: the thread must outlive any fault of ours
            self._troubles.note_fault(error)
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
        self._troubles.end()

    def _must_stop(self) -> bool:
        return self._stop_by_ms is not None

    def _finish(self) -> bool:
        stop_by_ms = self._stop_by_ms or 0.0
        while not (is_done := self.make_pass(is_urgent=True)) and self._clock.monotonic_ms() < stop_by_ms:
            self._alarm.wait(min(_LAST_RETRY_MS, max(0.0, stop_by_ms - self._clock.monotonic_ms())))
        if is_done or not self._troubles.have_come:  # a silent server must not keep an exit waiting once more
            self._leave(stop_by_ms)
        self._shipper.disconnect()
        if self._sampler is not None:
            self._sampler.stop()
        if self._is_final:
            self.give_up_rest()
        return is_done

    def _leave(self, stop_by_ms: float) -> None:
        """Say goodbye. After a failover the connection is a stale one: that deserves a second try."""
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
        """Drop what is held and count it as ``closed``. Only while no thread runs."""
        left = self._backlog.drop_all() + self._drain.drop_all()
        self._counters.drop("closed", left)
        if left:
            log.error("producer.events_lost_at_close", extra={"events": left, "instance": self.instance})

    def _liveness(self) -> str:
        """Return the figures for the liveness hash, as they will be once the batches of this pass are shipped."""
        stats = self.stats
        return json.dumps(
            {
                "recorded": stats.recorded,
                "sent": stats.shipped + self._backlog.events,
                "buffered": stats.buffered - self._backlog.events,
                "folded": stats.folded,
                "folded_by": dict(stats.folded_by),
                "dropped": {reason: count for reason, count in stats.dropped.items() if count},
                "last_error": stats.last_error,
            }
        )

    def _note(self, error: BarographError) -> None:
        if self._troubles.note(error):
            self._shipper.disconnect()

    def _situation(self) -> dict[str, object]:
        return {"instance": self.instance, "waiting": self._backlog.events}

    def _wait_ms(self) -> float:
        if self._troubles.have_come:
            return min(self._ship_every_ms, max(1.0, self._troubles.wait_ms))
        if len(self._backlog):
            return 0.0  # the server takes what it is given, there only was not time for all of it
        every_ms = self._ship_every_ms * min(1.0, _CALM_EVENTS / max(1, self._in_pass))
        return self._heartbeat.wait_ms(self._clock.now_ms(), every_ms) or 1.0
