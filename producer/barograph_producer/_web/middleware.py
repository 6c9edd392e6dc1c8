"""The arguments of the ASGI and the WSGI middleware, and the state that both have."""

import functools
from collections.abc import Callable, Iterable
from typing import Any, Final, Generic, TypeVar

from barograph_core.clock import Clock
from barograph_producer._web.django import follow_django
from barograph_producer._web.observation import (
    LabelsOf,
    Observation,
    RequestSink,
    ResponseRecorder,
    RouteSource,
    make_timer,
)

# Key in the scope or environ of a request: the producers that record it, as a tuple. Copies of the scope have it too.
OBSERVERS: Final = "barograph.observers"
# Keys under which an adapter (a2wsgi) passes on the scope that an environ was made from, and the reverse.
OUTER_SCOPE: Final = "asgi.scope"
OUTER_ENVIRON: Final = "wsgi_environ"

AppT = TypeVar("AppT")
KeyT = TypeVar("KeyT")


class RecordingMiddleware(Generic[AppT, KeyT]):
    """An application whose requests are observed.

    Of several middlewares with one producer, the outermost records a request and the others pass it on: its duration is
    the whole one, and its template has the prefixes of mounts. One that excludes the path leaves it to the next.

    Attributes:
        records: Recorders of known responses, by a key that the interface can build without a search.
        needs_source: Whether recorders take the scope or environ as a second argument.
        now_s: Returns the time, for durations.
    """

    def __init__(
        self,
        app: AppT,
        *,
        producer: RequestSink,
        exclude: Iterable[str] = (),
        labels: LabelsOf | None = None,
        sample_every: int = 1,
        always_slow_ms: float = 1_000,
        clock: Clock | None = None,
    ) -> None:
        """Wrap ``app``.

        Args:
            app: The application.
            producer: Receives the events. The middleware does not close it; it flushes when the process ends.
            exclude: Paths and templates that are not recorded; ``*`` matches any text: ``("/health", "/docs*")``.
            labels: Returns further labels, given the scope or environ after the response. If it raises, the request
                is recorded without further labels and counted in ``labels_failed``.
            sample_every: Record one of this many requests (1 to 1,000) with that weight. Errors and slow requests
                are all recorded, with weight 1.
            always_slow_ms: A request that takes at least this long is slow.
            clock: Replaces the system's clock in tests.

        Raises:
            TypeError: ``exclude`` is a single text.
            ValueError: ``sample_every`` is out of range.
        """
        self._app = app
        self._observers = (producer,)
        exclude = exclude if isinstance(exclude, str) else tuple(exclude)
        self._options: dict[str, Any] = {
            "producer": producer,
            "exclude": exclude,
            "labels": labels,
            "sample_every": sample_every,
            "always_slow_ms": always_slow_ms,
            "clock": clock,
        }
        self._observation = Observation(
            producer, exclude=exclude, labels=labels, sample_every=sample_every, always_slow_ms=always_slow_ms
        )
        exclusion = self._observation.exclusion
        self._is_excluded = exclusion.matches if exclusion else None
        self.records: dict[KeyT, ResponseRecorder] = {}
        self.needs_source = self._observation.needs_source
        self.now_s = make_timer(clock)
        follow_django(app)

    def __reduce__(self) -> tuple[Callable[[], object], tuple[()]]:
        """Carry the arguments only: the recorders record into this process."""
        return functools.partial(type(self), self._app, **self._options), ()

    @property
    def labels_failed(self) -> int:
        """Number of requests that were recorded without further labels, because ``labels`` failed."""
        return self._observation.labels_failed

    def _is_observed(self, source: RouteSource, outer: RouteSource | None = None) -> bool:
        """Say whether a middleware outside this one records the request for the same producer; if not, mark it.

        Args:
            source: The scope or environ.
            outer: The scope or environ that an adapter made ``source`` from, if any.
        """
        observers = source.get(OBSERVERS) or (() if outer is None else outer.get(OBSERVERS)) or ()
        (producer,) = self._observers
        if any(producer is observer for observer in observers):
            return True
        source[OBSERVERS] = (*observers, producer)
        return False
