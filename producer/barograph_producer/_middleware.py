"""What the ASGI and the WSGI middleware are told, and what both make of it."""

from collections.abc import Iterable
from typing import Generic, TypeVar

from barograph_core.clock import Clock
from barograph_producer._django import follow_django
from barograph_producer._observation import LabelsOf, Observation, Record, RequestSink, make_timer

AppT = TypeVar("AppT")
KeyT = TypeVar("KeyT")


class RecordingMiddleware(Generic[AppT, KeyT]):
    """An application, and how its requests are observed.

    Attributes:
        records: The recorders of responses seen before, by what an interface knows of a response at once.
        needs_source: Whether they take the scope or environ as a second argument.
        now_s: Measures durations.
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
            producer: Takes the events, and is not closed: it flushes when its process ends.
            exclude: Paths and templates that are not recorded; ``*`` stands for any text: ``("/health", "/docs*")``.
            labels: Given the scope or environ as the application left it, returns further labels. What it raises
                is counted as ``labels_failed``; the request is then recorded without them.
            sample_every: Record one of so many requests, which then stands for all of them, 1 to 1,000.
                Errors and slow requests are always recorded, each for itself.
            always_slow_ms: What is slow.
            clock: For tests.

        Raises:
            TypeError: ``exclude`` is one text.
            ValueError: ``sample_every`` is out of range.
        """
        self._app = app
        self._observation = Observation(
            producer, exclude=exclude, labels=labels, sample_every=sample_every, always_slow_ms=always_slow_ms
        )
        exclusion = self._observation.exclusion
        self._is_excluded = exclusion.matches if exclusion else None
        self.records: dict[KeyT, Record] = {}
        self.needs_source = self._observation.needs_source
        self.now_s = make_timer(clock)
        follow_django(app)

    @property
    def labels_failed(self) -> int:
        """How many requests were recorded without their extra labels, because asking for them failed."""
        return self._observation.labels_failed
