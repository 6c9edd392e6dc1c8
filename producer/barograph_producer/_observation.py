"""What the ASGI and the WSGI middleware have in common: from an answered request to its event."""

import itertools
import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any, Final, Protocol, TypeAlias, cast

from barograph_core.clock import Clock
from barograph_core.events import ERROR_STATUS, KINDS, MAX_FREE_LABELS, OTHER_LABEL
from barograph_producer._exclusion import Exclusion
from barograph_producer._recorder import BindRequest, RecordSampledRequest
from barograph_producer._thinning import Thinning

# An ASGI scope or a WSGI environ; the values are the server's and the framework's own.
Source: TypeAlias = MutableMapping[str, Any]
LabelsOf: TypeAlias = Callable[[Source], Mapping[str, str]]
# record(duration_ms), or record(duration_ms, source) where the middleware was asked for more.
Record: TypeAlias = Callable[..., None]
Timer: TypeAlias = Callable[[], float]

# A client may send any word as a method: what is not one of these is one series.
METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"))
# What nginx logs for a client that left before the answer; not an error of the service.
CLIENT_LEFT: Final = 499
# Of routes, methods and statuses; beyond, a request costs some microseconds more.
MAX_RECORDS: Final = 4_096
_RESERVED: Final = frozenset((*KINDS["request"].labels, "status"))


class RequestSink(Protocol):
    """What the middleware needs of a producer."""

    @property
    def bind_request(self) -> BindRequest: ...

    @property
    def sampled_request(self) -> RecordSampledRequest: ...

    def explain(self, event: str, reason: str, /) -> None: ...

    def start(self) -> None: ...

    def pause(self, timeout_s: float, /) -> bool: ...


class Observation:
    """Makes the recorders of each route, method and status, and keeps them.

    Attributes:
        exclusion: Patterns of what is not recorded.
        needs_source: Whether recorders take the scope or environ as a second argument.
    """

    def __init__(
        self,
        producer: RequestSink,
        *,
        exclude: Iterable[str],
        labels: LabelsOf | None,
        sample_every: int,
        always_slow_ms: float,
    ) -> None:
        Thinning(sample_every)  # raises at once for what is no weight
        self._producer = producer
        self._labels = ExtraLabels(labels, producer.explain)
        self._sample_every = sample_every
        self._always_slow_ms = always_slow_ms
        self._records: dict[tuple[str, str, int], Record] = {}
        self.exclusion = Exclusion(exclude)
        self.needs_source = labels is not None or sample_every > 1

    @property
    def labels_failed(self) -> int:
        """How many requests were recorded without their extra labels, because asking for them failed."""
        return self._labels.failed

    def record_of(self, route: str, method: str, status: int) -> Record:
        """Return what records a request that this route answered."""
        if method not in METHODS:
            method = OTHER_LABEL
        record = self._records.get((route, method, status))
        if record is None:
            record = self._make(route, method, status)
            if len(self._records) < MAX_RECORDS:
                self._records[route, method, status] = record
        return record

    def _make(self, route: str, method: str, status: int) -> Record:
        if self.exclusion.matches(route):
            return _ignore
        if not self.needs_source:
            return self._producer.bind_request(route, method, status)
        return self._make_sampling(route, method, status)

    def _make_sampling(self, route: str, method: str, status: int) -> Record:
        """Return a recorder that thins out what is common.

        Errors and slow requests are all recorded and stand for themselves; of the others one in N is recorded
        and stands for N. Which rule applies depends on the request alone, so that each one's expected weight
        is 1 and totals are without bias.
        """
        every, labels_of, always_slow_ms = self._sample_every, self._labels.of, self._always_slow_ms
        record = self._producer.sampled_request
        keeps = Thinning(every).keeps
        is_error = status >= ERROR_STATUS

        def record_sampled(duration_ms: float, source: Source) -> None:
            if every == 1 or is_error or duration_ms >= always_slow_ms:
                record(route, method, status, duration_ms, labels=labels_of(source))
            elif keeps():
                record(route, method, status, duration_ms, weight=every, labels=labels_of(source))

        return record_sampled


class ExtraLabels:
    """Asks the host's function for labels. What it does wrong costs the labels, never the event or the request."""

    def __init__(self, labels: LabelsOf | None, explain: Callable[[str, str], None]) -> None:
        self._labels = labels
        self._explain = explain
        self._failures = itertools.count(1)
        self.failed = 0

    def of(self, source: Source) -> dict[str, str] | None:
        """Return the labels of a request, ``None`` when there are none."""
        if self._labels is None:
            return None
        try:
            labels = dict(self._labels(source))
            problem = _problem_of(cast("Mapping[object, object]", labels))
        except Exception as exc:  # noqa: BLE001  # the host's own function
            labels, problem = {}, repr(exc)
        if problem:
            self.failed = next(self._failures)
            self._explain("web.labels_failed", problem)
            return None
        return labels


def make_timer(clock: Clock | None) -> Timer:
    """Return what measures durations, in float seconds: the C function itself, at a third of the clock's cost."""
    if clock is None:
        return time.perf_counter
    return lambda: clock.monotonic_ms() / 1_000


def _problem_of(labels: Mapping[object, object]) -> str:
    """Say what would make the packer drop the whole event, "" when nothing would."""
    if len(labels) > MAX_FREE_LABELS:
        return f"{len(labels)} labels, at most {MAX_FREE_LABELS} are possible"
    for name, value in labels.items():
        if not isinstance(name, str) or not isinstance(value, str):
            return f"{name!r}: {value!r} is not text"
        if name in _RESERVED:
            return f"{name!r} is a label of every request"
    return ""


def _ignore(*_: object) -> None:
    """Record nothing."""
