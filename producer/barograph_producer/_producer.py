"""The public class: it records in the host's threads, and ships from a background thread."""

import inspect
import os
import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from barograph_core.backoff import Backoff
from barograph_core.clock import Clock, SystemClock
from barograph_core.server.connection import Connection
from barograph_producer._pack.labels import LabelSets
from barograph_producer._pack.packer import Packer
from barograph_producer._record.buffer import FORMS, Buffer, Form
from barograph_producer._record.event_time import make_event_time
from barograph_producer._record.generated import Stamp, make_recorder
from barograph_producer._record.models import make_models_recorder
from barograph_producer._record.request_keys import KEYS_PER_SET, RequestKeys
from barograph_producer._record.requests import make_request_recorders, make_sampled_request_recorder
from barograph_producer._record.signatures import (
    BindRequest,
    RecordCustom,
    RecordModel,
    RecordModels,
    RecordRequest,
    RecordSampledRequest,
    RecordSystem,
)
from barograph_producer._record.track import MakeTrack
from barograph_producer._sample.election import HostElection
from barograph_producer._sample.sampler import ProcessSampler
from barograph_producer._settings import DEFAULT_URL, ProducerSettings
from barograph_producer._ship import process as _process
from barograph_producer._ship.alarm import Alarm
from barograph_producer._ship.backlog import Backlog
from barograph_producer._ship.lifecycle import Lifecycle
from barograph_producer._ship.loop import ShippingLoop
from barograph_producer._ship.schedule import MAX_OFFSET_MS, HeartbeatSchedule
from barograph_producer._ship.shipper import AppendServer, Shipper
from barograph_producer._stats import ProducerCounters, ProducerStats

_RETRY: Final = Backoff(first_ms=250, longest_ms=5_000)


class Producer:
    """Records events of one service and ships them to the events stream. Make one for each service and process.

    Recording is an append: no lock, no I/O, no exception. The first event starts a background thread that packs and
    ships; a forked child gets a thread of its own. A copy in another process, made by pickling, is a new producer with
    the same settings. ``stats`` returns how many events were lost, and why. Every recording function but a bound one
    takes ``at_ms``, when the event happened; without it, that is now.

    Attributes:
        request: Record one answered request: ``request(route=…, method=…, status=…, duration_ms=…)``. Pass the
            template of the route, not the path. A status of 500 or more, or a slow request, is shipped at once.
        bind_request: ``bind_request(route=…, method=…, status=200)`` returns ``record(duration_ms)`` for that one
            series: the least cost in a tight loop.
        sampled_request: Like ``request``, with ``weight=``, the number of requests that this one stands for (1 to
            1,000; figures computed from it are marked as estimates), and ``labels=``, at most 16 free labels.
        model: Record one prediction: ``model(model=…, version=…, latency_ms=…, prediction=…)``. Leave out measures
            that are not known.
        models: Record many predictions in one call; its measures are sequences or arrays: ``models(model=…,
            prediction=scores, latency_ms=8.1)``.
        track: ``track(model=…, version=…)`` decorates a function or is used in a ``with`` statement. It times the
            call and takes the prediction and the confidence from the result.
        system: Record figures of a process or a host, in addition to the built-in sampler.
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
        connect: Callable[[], AppendServer] | None = None,
    ) -> None:
        """Make a producer. It does not connect and starts no thread before the first event.

        Args:
            service: The name of the API, 1 to 64 of ``A-Z a-z 0-9 . _ -``.
            url: The address of the server; by default ``BAROGRAPH_URL`` or ``redis://127.0.0.1:6379/0``.
            prefix: The beginning of every key.
            max_events: Most raw events of one kind that wait; the newest beyond it are dropped and counted.
            max_backlog_bytes: Most bytes of packed batches that wait while the server is away.
            ship_every_ms: How often to ship.
            wake_slow_ms: Requests that take at least this long are shipped at once.
            max_label_sets: Most label sets of this process; further ones become ``__other__``.
            sample_process: Whether to record memory and CPU of the process, and of the host in one of its processes.
            sample_every_ms: Time between two samples.
            socket_timeout_s: Limit for connecting and for each reply.
            exit_timeout_s: Limit for the flush at the interpreter's exit.
            clock: Replaces the system's clock in tests.
            connect: Replaces ``url`` in tests: returns the connection.

        Raises:
            ValueError: An argument is not valid.
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
        self._replaced = {"clock": clock, "connect": connect}
        self._buffers: dict[Form, Buffer] = {form: Buffer(form, max_events) for form in FORMS}
        self._keys = RequestKeys(max_label_sets * KEYS_PER_SET)
        self._lifecycle = Lifecycle(
            self._make_loop,
            tuple(self._buffers.values()),
            exit_timeout_s=exit_timeout_s,
        )
        self._stamp_s = _make_stamp(clock)
        event_time = make_event_time(self._lifecycle.reject_input)
        turn_away = self._lifecycle.turn_away
        ring = self._lifecycle.ring
        self.request, self.bind_request = make_request_recorders(
            self._buffers["request"], self._keys, turn_away, ring, wake_slow_ms, self._stamp_s, event_time
        )
        self.sampled_request = make_sampled_request_recorder(
            self._buffers["sampled_request"], turn_away, ring, wake_slow_ms, self._stamp_s, event_time
        )
        self.model = make_recorder(RecordModel.__call__, self._buffers["model"], turn_away, self._stamp_s, event_time)
        self.models = make_models_recorder(
            self._buffers["model"], turn_away, self._stamp_s, event_time, self._lifecycle.reject_input
        )
        self.track = MakeTrack(self.model, self._lifecycle.reject_input, _make_stopwatch(clock), self)
        self.system = make_recorder(
            RecordSystem.__call__,
            self._buffers["system"],
            turn_away,
            self._stamp_s,
            event_time,
            {"instance": lambda: self._lifecycle.loop.instance},
        )
        self.observe = make_recorder(
            RecordCustom.__call__, self._buffers["custom"], turn_away, self._stamp_s, event_time
        )

    def __reduce__(self) -> tuple[Callable[..., "Producer"], tuple[object, ...]]:
        """Carry the settings only, the address with its password included: events and thread stay in this process."""
        return _make_again, (self._settings, self._replaced)

    @property
    def service(self) -> str:
        return self._settings.service

    def start(self) -> None:
        """Start the background thread now, so that an idle service sends heartbeats before its first event."""
        self._lifecycle.start()

    def flush(self, timeout_s: float = 2.0) -> bool:
        """Wait until everything recorded before is on the server, at most ``timeout_s``.

        Returns:
            Whether everything is on the server.
        """
        return self._lifecycle.flush(timeout_s)

    def pause(self, timeout_s: float = 2.0) -> bool:
        """Flush, say goodbye and end the background thread; the next event starts it again.

        For the end of an application that may start again in the same process (an ASGI lifespan).

        Returns:
            Whether everything recorded before is on the server.
        """
        return self._lifecycle.stop(timeout_s, is_final=False)

    def close(self, timeout_s: float = 2.0) -> bool:
        """Stop recording, flush, say goodbye and disconnect. Any thread may call it, more than once.

        Returns:
            Whether everything recorded before is on the server. Other events are counted as ``closed``.
        """
        return self._lifecycle.stop(timeout_s, is_final=True)

    def close_on_sigterm(self) -> None:
        """Close within ``exit_timeout_s`` when the process receives SIGTERM; then do what SIGTERM did before.

        For a script without its own handler, because SIGTERM ends it without exit handlers. Web servers do not need
        it: the middleware flushes at their shutdown. A handler that is set later replaces this one.

        Raises:
            ValueError: Not in the main thread.
        """
        _process.on_sigterm(self._lifecycle.at_exit)

    def explain(self, event: str, reason: str) -> None:
        """Store ``reason`` for the background thread, which logs the latest one of each ``event`` once a minute.

        For code between the host and the producer, such as the middleware, which must not log itself: logging takes
        locks and does I/O, and a handler may raise. Never raises.
        """
        self._lifecycle.explain(event, reason)

    def stats(self) -> ProducerStats:
        """Return how many events this process has recorded, shipped and lost so far."""
        return self._lifecycle.stats

    def _make_loop(self) -> ShippingLoop:
        settings, clock, counters = self._settings, self._clock, ProducerCounters()
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
        spread = random.Random(shipper.instance)  # noqa: S311  # spreads the load of a fleet; not for secrets
        return ShippingLoop(
            buffers=tuple(self._buffers.values()),
            packer=Packer(LabelSets(settings.max_label_sets), counters, self._keys),
            backlog=backlog,
            shipper=shipper,
            counters=counters,
            clock=clock,
            alarm=Alarm(clock),
            backoff=_RETRY,
            jitter=spread.random,
            heartbeat=HeartbeatSchedule(spread.randrange(5, MAX_OFFSET_MS)),
            sampler=self._make_sampler() if settings.sample_process else None,
            ship_every_ms=settings.ship_every_ms,
        )

    def _make_sampler(self) -> ProcessSampler:
        every_ms = self._settings.sample_every_ms
        return ProcessSampler(
            recorder=lambda: self.system,
            instance=lambda: self._lifecycle.loop.instance,
            election=HostElection(self._settings.service, lease_ms=every_ms * 2.5),
            clock=self._clock,
            every_ms=every_ms,
        )

    def _open_connection(self) -> AppendServer:
        settings = self._settings
        return Connection.open(
            settings.url,
            socket_timeout_s=settings.socket_timeout_s,
            client_name=f"producer:{settings.service}",
            keeps_link=True,
        )


def _make_again(settings: ProducerSettings, replaced: Mapping[str, Any]) -> Producer:
    """Make the producer that a pickled one becomes in another process."""
    names = inspect.signature(Producer).parameters.keys() - replaced.keys()
    return Producer(**{name: getattr(settings, name) for name in names}, **replaced)


def _make_stamp(clock: Clock | None) -> Stamp:
    """Return the function that returns the time of an event, in float seconds.

    It is the C function and not ``SystemClock``, because a call in Python would double the caller's cost.
    """
    if clock is None:
        return time.time
    return lambda: clock.now_ms() / 1_000


def _make_stopwatch(clock: Clock | None) -> Stamp:
    """Return the function that times tracked calls, in float seconds of a clock that never goes back."""
    if clock is None:
        return time.perf_counter
    return lambda: clock.monotonic_ms() / 1_000
