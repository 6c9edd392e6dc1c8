"""Makes the event of an answered request, for the ASGI and the WSGI middleware."""

import itertools
import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any, Final, Protocol, TypeAlias, cast

from barograph_core.clock import Clock
from barograph_core.events.kinds import ERROR_STATUS, KINDS, MAX_FREE_LABELS, MAX_LABEL_BYTES, OTHER_LABEL
from barograph_producer._record.signatures import BindRequest
from barograph_producer._web.exclusion import Exclusion
from barograph_producer._web.thinning import Thinning

# An ASGI scope or a WSGI environ; servers and frameworks define the values.
RouteSource: TypeAlias = MutableMapping[str, Any]
LabelsOf: TypeAlias = Callable[[RouteSource], Mapping[str, str]]
# record(duration_ms), or record(duration_ms, source) if the middleware has labels or samples.
ResponseRecorder: TypeAlias = Callable[..., None]
Timer: TypeAlias = Callable[[], float]

# Known methods. A client may send any word as a method; all others are one series.
METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"))
# Status of a request whose client left before the answer, as in nginx's log; it is not an error of the service.
CLIENT_LEFT: Final = 499
# Most recorders that are kept. A request without one costs some microseconds more.
MAX_RECORDS: Final = 4_096
_RESERVED: Final = frozenset((*KINDS["request"].labels, "status"))


class RecordNow(Protocol):
    """Records a request that was answered just now: what the middleware needs of ``sampled_request``."""

    def __call__(
        self,
        route: str,
        method: str,
        status: int,
        duration_ms: float,
        *,
        weight: int = 1,
        labels: Mapping[str, str] | None = None,
    ) -> None: ...


class RequestSink(Protocol):
    """The methods of a producer that the middleware uses."""

    @property
    def bind_request(self) -> BindRequest: ...

    @property
    def sampled_request(self) -> RecordNow: ...

    def explain(self, event: str, reason: str, /) -> None: ...

    def start(self) -> None: ...

    def pause(self, timeout_s: float, /) -> bool: ...


class Observation:
    """Makes a recorder for each route, method and status, and keeps it.

    Attributes:
        exclusion: Decides which requests are not recorded.
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
        Thinning(sample_every)  # raises now if it is not a valid weight
        self._producer = producer
        self._labels = ExtraLabels(labels, producer.explain)
        self._sample_every = sample_every
        self._always_slow_ms = always_slow_ms
        self._records: dict[tuple[str, str, int], ResponseRecorder] = {}
        self.exclusion = Exclusion(exclude)
        self.needs_source = labels is not None or sample_every > 1

    @property
    def labels_failed(self) -> int:
        """Number of requests that were recorded without further labels, because ``labels`` failed."""
        return self._labels.failed

    def record_of(self, route: str, method: str, status: int) -> ResponseRecorder:
        """Return the recorder of requests with this route, method and status."""
        if method not in METHODS:
            method = OTHER_LABEL
        route = route[:MAX_LABEL_BYTES]  # an application may name a raw path as its route
        record = self._records.get((route, method, status))
        if record is None:
            record = self._make(route, method, status)
            if len(self._records) < MAX_RECORDS:
                self._records[route, method, status] = record
        return record

    def _make(self, route: str, method: str, status: int) -> ResponseRecorder:
        if self.exclusion.matches(route):
            return _ignore
        if not self.needs_source:
            return self._producer.bind_request(route, method, status)
        return self._make_sampling(route, method, status)

    def _make_sampling(self, route: str, method: str, status: int) -> ResponseRecorder:
        """Return a recorder that samples frequent requests.

        It records all errors and slow requests with weight 1, and one in N of the others with weight N. The choice
        between the two rules depends only on the request, so its expected weight is 1 and totals have no bias.
        """
        every, labels_of, always_slow_ms = self._sample_every, self._labels.of, self._always_slow_ms
        record = self._producer.sampled_request
        keeps = Thinning(every).keeps
        is_error = status >= ERROR_STATUS

        def record_sampled(duration_ms: float, source: RouteSource) -> None:
            if every == 1 or is_error or duration_ms >= always_slow_ms:
                record(route, method, status, duration_ms, labels=labels_of(source))
            elif keeps():
                record(route, method, status, duration_ms, weight=every, labels=labels_of(source))

        return record_sampled


class ExtraLabels:
    """Calls the host's function for labels. If it fails, the event has no further labels and the request goes on."""

    def __init__(self, labels: LabelsOf | None, explain: Callable[[str, str], None]) -> None:
        self._labels = labels
        self._explain = explain
        self._failures = itertools.count(1)
        self.failed = 0

    def of(self, source: RouteSource) -> dict[str, str] | None:
        """Return the labels of a request; ``None`` if there are none."""
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
    """Return the function that times requests, in float seconds: a C function, at a third of the clock's cost."""
    if clock is None:
        return time.perf_counter
    return lambda: clock.monotonic_ms() / 1_000


def _problem_of(labels: Mapping[object, object]) -> str:
    """Return why the packer would drop an event with these labels; "" if it would not."""
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
