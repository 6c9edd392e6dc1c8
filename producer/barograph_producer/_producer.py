"""The face of the package: records in the host's threads, ships from one of its own."""

import os
import random
import time
from collections.abc import Callable
from typing import Final

from barograph_core.clock import Clock, SystemClock
from barograph_core.stream import Connection
from barograph_producer import _process
from barograph_producer._alarm import Alarm
from barograph_producer._backlog import Backlog
from barograph_producer._buffer import RECORD_WIDTHS, Buffer, Form
from barograph_producer._election import HostElection
from barograph_producer._labels import LabelSets
from barograph_producer._lifecycle import Lifecycle
from barograph_producer._models import RecordModels, make_models_recorder
from barograph_producer._packer import Packer
from barograph_producer._recorder import (
    BindRequest,
    RecordCustom,
    RecordModel,
    RecordRequest,
    RecordSampledRequest,
    Stamp,
    make_custom_recorder,
    make_model_recorder,
    make_request_recorders,
    make_sampled_request_recorder,
)
from barograph_producer._request_keys import KEYS_PER_SET, RequestKeys
from barograph_producer._sampler import ProcessSampler
from barograph_producer._schedule import MAX_OFFSET_MS, Backoff, HeartbeatSchedule
from barograph_producer._settings import DEFAULT_URL, ProducerSettings
from barograph_producer._shipper import Server, Shipper
from barograph_producer._stats import Counters, ProducerStats
from barograph_producer._system_recorder import RecordSystem, make_system_recorder
from barograph_producer._track import MakeTrack
from barograph_producer._worker import Worker

_RETRY_FIRST_MS: Final = 250.0
_RETRY_LONGEST_MS: Final = 5_000.0


class Producer:
    """Records events of one service and ships them to the events stream. One for each service and process.

    Recording is an append: no lock, no I/O, no exception. A background thread, started by the first event,
    packs and ships; after a fork the child gets its own. Figures of what was lost, and why: ``stats``.

    Attributes:
        request: Record one answered request: ``request(route=…, method=…, status=…, duration_ms=…)``. Give
            the route's template, not the path. A status of 500 or more, or a slow request, is shipped at once.
        bind_request: ``bind_request(route=…, method=…, status=200)`` returns ``record(duration_ms)`` for that one
            series: the least cost in a tight loop.
        sampled_request: As ``request``, with ``weight=``, how many requests this one stands for (1 to 1,000; the
            figures made of it are marked as estimates), and ``labels=``, at most 16 of your own.
        model: Record one prediction: ``model(model=…, version=…, latency_ms=…, confidence=…, prediction=…,
            absolute_error=…)``; leave out what is not known.
        models: Record many predictions in one call, its measures sequences or arrays: ``models(model=…,
            prediction=scores, latency_ms=8.1)``.
        track: ``track(model=…, version=…)`` decorates a function or stands in a ``with`` statement: times the call and
            takes prediction and confidence from its result.
        system: Record figures of a process or a host, for samplers other than the built-in one.
        observe: Record a value of your own: ``observe("queue_length", 7, queue="fast")``.
    """

    request: RecordRequest
    bind_request: BindRequest
    sampled_request: RecordSampledRequest
    model: RecordModel
    models: RecordModels
    track: MakeTrack
    system: RecordSystem
    observe: RecordCustom

    def __init__(
        self,
        service: str,
        url: str | None = None,
        *,
        prefix: str = "baro",
        max_events: int = 100_000,
        max_backlog_bytes: int = 16 * 1_048_576,
        ship_every_ms: float = 250,
        wake_slow_ms: float = 1_000,
        max_label_sets: int = 1_000,
        sample_process: bool = True,
        sample_every_ms: float = 5_000,
        socket_timeout_s: float = 2.0,
        exit_timeout_s: float = 2.0,
        clock: Clock | None = None,
        connect: Callable[[], Server] | None = None,
    ) -> None:
        """Make a producer; nothing is connected, and no thread is started, before the first event.

        Args:
            service: The name of the API, 1 to 64 of ``A-Z a-z 0-9 . _ -``.
            url: Where the server is; ``BAROGRAPH_URL`` or ``redis://127.0.0.1:6379/0`` when not given.
            prefix: Of every key.
            max_events: Most raw events of a kind that wait; the newest beyond are dropped and counted.
            max_backlog_bytes: Most bytes of packed batches that wait while the server is away.
            ship_every_ms: How often to ship.
            wake_slow_ms: Requests that took at least so long are shipped at once.
            max_label_sets: Most label sets of this process; new ones beyond become ``__other__``.
            sample_process: Whether to report memory and CPU of the process and, one process a host, of it.
            sample_every_ms: Between two samples.
            socket_timeout_s: Bound on connecting and on each reply.
            exit_timeout_s: Bound on the flush at the interpreter's exit.
            clock: For tests.
            connect: For tests; makes the connection in place of ``url``.

        Raises:
            ValueError: A name or a number cannot be one.
        """
        self._settings = ProducerSettings(
            service=service,
            url=url or os.environ.get("BAROGRAPH_URL") or DEFAULT_URL,
            prefix=prefix,
            max_events=max_events,
            max_backlog_bytes=max_backlog_bytes,
            ship_every_ms=ship_every_ms,
            wake_slow_ms=wake_slow_ms,
            max_label_sets=max_label_sets,
            sample_process=sample_process,
            sample_every_ms=sample_every_ms,
            socket_timeout_s=socket_timeout_s,
            exit_timeout_s=exit_timeout_s,
        )
        self._clock = clock or SystemClock()
        self._connect = connect or self._open_connection
        self._buffers: dict[Form, Buffer] = {form: Buffer(form) for form in RECORD_WIDTHS}
        self._keys = RequestKeys(max_label_sets * KEYS_PER_SET)
        self._lifecycle = Lifecycle(
            self._make_worker,
            tuple(self._buffers.values()),
            max_events=max_events,
            exit_timeout_s=exit_timeout_s,
        )
        self._stamp_s = _make_stamp(clock)
        turn_away = self._lifecycle.turn_away
        ring = self._lifecycle.ring
        self.request, self.bind_request = make_request_recorders(
            self._buffers["request"], self._keys, turn_away, ring, wake_slow_ms, self._stamp_s
        )
        self.sampled_request = make_sampled_request_recorder(
            self._buffers["sampled_request"], turn_away, ring, wake_slow_ms, self._stamp_s
        )
        self.model = make_model_recorder(self._buffers["model"], turn_away, self._stamp_s)
        self.models = make_models_recorder(self._buffers["model"], turn_away, self._stamp_s, self._lifecycle.complain)
        self.track = MakeTrack(self.model, self._lifecycle.complain, _make_stopwatch(clock))
        self.system = make_system_recorder(
            self._buffers["system"], turn_away, self._stamp_s, lambda: self._lifecycle.worker.instance
        )
        self.observe = make_custom_recorder(self._buffers["custom"], turn_away, self._stamp_s)

    @property
    def service(self) -> str:
        return self._settings.service

    def start(self) -> None:
        """Start the background thread now, so that an idle service shows signs of life before its first event."""
        self._lifecycle.start()

    def flush(self, timeout_s: float = 2.0) -> bool:
        """Wait until everything recorded before is on the server.

        Returns:
            Whether it is, within ``timeout_s``.
        """
        return self._lifecycle.flush(timeout_s)

    def pause(self, timeout_s: float = 2.0) -> bool:
        """Flush, say goodbye and end the background thread; the next event starts it again.

        For the end of an application that may begin again in the same process (an ASGI lifespan).

        Returns:
            Whether everything recorded before is on the server.
        """
        return self._lifecycle.stop(timeout_s, is_final=False)

    def close(self, timeout_s: float = 2.0) -> bool:
        """Take nothing new, flush, say goodbye, and let go. May be called more than once, and by any thread.

        Returns:
            Whether everything recorded before is on the server; the rest is counted as ``closed``.
        """
        return self._lifecycle.stop(timeout_s, is_final=True)

    def close_on_sigterm(self) -> None:
        """Close, within ``exit_timeout_s``, when the process is told to terminate; then do what would be done anyway.

        For a script without a handler of its own, whose end by SIGTERM runs no exit handlers. Web servers
        need it not: the middleware flushes at their shutdown. A handler set later replaces this one.

        Raises:
            ValueError: Not in the main thread.
        """
        _process.on_sigterm(self._lifecycle.at_exit)

    def explain(self, event: str, reason: str) -> None:
        """Keep ``reason`` for the log of the background thread, which tells the latest of each ``event`` once a minute.

        For what stands between the host and the producer, as the middleware does: logging takes locks and does I/O,
        and a handler may raise. Never raises itself.
        """
        self._lifecycle.explain(event, reason)

    def stats(self) -> ProducerStats:
        """Return what was recorded, shipped and lost in this process so far."""
        return self._lifecycle.stats

    def _make_worker(self) -> Worker:
        settings, clock, counters = self._settings, self._clock, Counters()
        backlog = Backlog(
            counters,
            max_bytes=settings.max_backlog_bytes,
            keep_ms=settings.keep_sent_ms,
            keep_bytes=settings.keep_sent_bytes,
        )
        shipper = Shipper(
            service=settings.service,
            prefix=settings.prefix,
            connect=self._connect,
            clock=clock,
            backlog=backlog,
            counters=counters,
            new_instance=_process.new_instance,
        )
        spread = random.Random(shipper.instance)  # noqa: S311  # spreads a fleet, hides nothing
        return Worker(
            buffers=tuple(self._buffers.values()),
            packer=Packer(LabelSets(settings.max_label_sets), counters, self._keys),
            backlog=backlog,
            shipper=shipper,
            counters=counters,
            clock=clock,
            alarm=Alarm(clock),
            backoff=Backoff(first_ms=_RETRY_FIRST_MS, longest_ms=_RETRY_LONGEST_MS, jitter=spread.random),
            heartbeat=HeartbeatSchedule(spread.randrange(5, MAX_OFFSET_MS)),
            sampler=self._make_sampler() if settings.sample_process else None,
            ship_every_ms=settings.ship_every_ms,
        )

    def _make_sampler(self) -> ProcessSampler:
        every_ms = self._settings.sample_every_ms
        return ProcessSampler(
            recorder=lambda: self.system,
            instance=lambda: self._lifecycle.worker.instance,
            election=HostElection(self._settings.service, lease_ms=every_ms * 2.5),
            clock=self._clock,
            every_ms=every_ms,
        )

    def _open_connection(self) -> Server:
        settings = self._settings
        return Connection.open(
            settings.url,
            socket_timeout_s=settings.socket_timeout_s,
            client_name=f"producer:{settings.service}",
            keeps_link=True,
        )


def _make_stamp(clock: Clock | None) -> Stamp:
    """Return what stamps an event, in float seconds.

    The C function itself and not ``SystemClock``, whose call in Python would double the caller's cost.
    """
    if clock is None:
        return time.time
    return lambda: clock.now_ms() / 1_000


def _make_stopwatch(clock: Clock | None) -> Stamp:
    """Return what times a tracked call, in float seconds that never go back."""
    if clock is None:
        return time.perf_counter
    return lambda: clock.monotonic_ms() / 1_000
