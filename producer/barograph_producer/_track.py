"""Times calls of a model, as a decorator or around a block, and records them as ``model`` events."""

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import aclosing
from types import FrameType, TracebackType
from typing import Any, Final, SupportsFloat, TypeVar, cast

from barograph_producer._models import Complain
from barograph_producer._recorder import RecordModel, Stamp
from barograph_producer._result_values import Extract, UnusableValueError, as_measure, take_confidence, take_prediction

# Any callable goes in and one of the same type comes out, methods and their binding included.
F = TypeVar("F", bound=Callable[..., Any])

_MS: Final = 1_000.0


class Tracked:
    """A block under way.

    Attributes:
        prediction: Set it in the block, or let ``result`` set it.
        confidence: Likewise.
        unusable: Why a value could not be had, "" when all could.
    """

    __slots__ = ("_track", "confidence", "outer", "prediction", "started_s", "unusable")

    def __init__(self, track: "Track", started_s: float, outer: "Tracked | None") -> None:
        self.prediction: SupportsFloat | None = None
        self.confidence: SupportsFloat | None = None
        self.started_s = started_s
        self.outer = outer
        self._track = track
        self.unusable = ""

    def result(self, value: object) -> None:
        """Take prediction and confidence from ``value``, as the decorator does. Never raises."""
        self._track.take(self, value)

    def note_unusable(self, reason: str) -> None:
        """Keep why a value could not be had; the first reason is enough."""
        self.unusable = self.unusable or reason

    def usable(self, name: str, value: SupportsFloat | None) -> float | None:
        """Return ``value`` when it can be the measure ``name``; otherwise note why not."""
        try:
            return as_measure(name, value)
        except UnusableValueError as error:
            self.note_unusable(str(error))
        except Exception as error:  # noqa: BLE001  # the host's own types may raise anything
            self.note_unusable(f"{name}: {error!r}")
        return None


class Track:
    """What ``Producer.track`` returns: decorates functions, or stands in a ``with`` statement.

    May be kept, and used by any number of threads and tasks at once.
    """

    def __init__(
        self,
        record: RecordModel,
        complain: Complain,
        stopwatch_s: Stamp,
        model: str,
        version: str,
        prediction: Extract | None,
        confidence: Extract | None,
    ) -> None:
        self._record = record
        self._complain = complain
        self._stopwatch_s = stopwatch_s
        self._model = model
        self._version = version
        self._prediction = prediction
        self._confidence = confidence
        # By the frame the statement stands in: threads and tasks that share this object end each their own.
        self._open: dict[int, Tracked] = {}

    def __call__(self, function: F, /) -> F:
        """Return ``function`` timed: a function, a coroutine function, a generator of either sort, a method."""
        if isinstance(function, staticmethod | classmethod):
            plain: Callable[..., Any] = function.__func__  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            binding = cast("Callable[..., F]", type(function))  # pyright: ignore[reportUnknownArgumentType]
            return binding(self(plain))
        called = function if inspect.isroutine(function) else getattr(function, "__call__", function)  # noqa: B004
        if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called):
            return cast("F", self._wrap_coroutine(function))
        if inspect.isasyncgenfunction(function):
            return cast("F", self._wrap_async_generator(function))
        if inspect.isgeneratorfunction(function):
            return cast("F", self._wrap_generator(function))
        return cast("F", self._wrap_function(function))

    def __enter__(self) -> Tracked:
        frame = _caller_of(inspect.currentframe())
        call = self._open[frame] = Tracked(self, self._stopwatch_s(), self._open.get(frame))
        return call

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        ended_s = self._stopwatch_s()
        frame = _caller_of(inspect.currentframe())
        call = self._open.pop(frame, None)
        if call is None:  # an ExitStack or a framework enters in one frame and leaves in another
            if not self._open:
                return
            frame, call = self._open.popitem()
        if call.outer is not None:
            self._open[frame] = call.outer
        self._finish(call, ended_s)

    def take(self, call: Tracked, result: object) -> None:
        """Set prediction and confidence of ``call`` from its result. Never raises."""
        try:
            if self._prediction is not None:
                call.prediction = self._prediction(result)
        except Exception as error:  # noqa: BLE001  # the host's code, which must not fail the host's call
            call.note_unusable(f"prediction: {error!r}")
        try:
            if self._confidence is not None:
                call.confidence = self._confidence(result)
        except Exception as error:  # noqa: BLE001  # as above
            call.note_unusable(f"confidence: {error!r}")

    def _begin(self) -> Tracked:
        return Tracked(self, self._stopwatch_s(), None)

    def _end(self, call: Tracked, result: object) -> None:
        ended_s = self._stopwatch_s()
        self.take(call, result)
        self._finish(call, ended_s)

    def _finish(self, call: Tracked, ended_s: float) -> None:
        prediction, confidence = call.prediction, call.confidence
        self._record(
            self._model,
            self._version,
            latency_ms=max(0.0, (ended_s - call.started_s) * _MS),
            confidence=None if confidence is None else call.usable("confidence", confidence),
            prediction=None if prediction is None else call.usable("prediction", prediction),
        )
        if call.unusable:
            self._complain(1, f"model {self._model!r}: {call.unusable}")

    def _fail(self, call: Tracked) -> None:
        self._finish(call, self._stopwatch_s())

    def _wrap_function(self, function: Callable[..., object]) -> Callable[..., object]:
        @functools.wraps(function)
        def tracked(*args: object, **kwargs: object) -> object:
            call = self._begin()
            try:
                result = function(*args, **kwargs)
            except BaseException:
                self._fail(call)
                raise
            self._end(call, result)
            return result

        return tracked

    def _wrap_coroutine(self, function: Callable[..., Any]) -> Callable[..., object]:
        @functools.wraps(function)
        async def tracked(*args: object, **kwargs: object) -> object:
            call = self._begin()
            try:
                result: object = await function(*args, **kwargs)
            except BaseException:
                self._fail(call)
                raise
            self._end(call, result)
            return result

        return tracked

    def _wrap_generator(
        self, function: Callable[..., Generator[object, object, object]]
    ) -> Callable[..., Generator[object, object, object]]:
        """Time a generator from its first value asked for to its end, its consumer's work included."""

        @functools.wraps(function)
        def tracked(*args: object, **kwargs: object) -> Generator[object, object, object]:
            call = self._begin()
            try:
                result = yield from function(*args, **kwargs)
            except BaseException:
                self._fail(call)
                raise
            self._end(call, result)
            return result

        return tracked

    def _wrap_async_generator(self, function: Callable[..., Any]) -> Callable[..., AsyncIterator[object]]:
        """Time it like a generator. Values sent into it are not passed on; streams of answers take none."""

        @functools.wraps(function)
        async def tracked(*args: object, **kwargs: object) -> AsyncIterator[object]:
            call = self._begin()
            try:
                async with aclosing(function(*args, **kwargs)) as items:
                    async for item in items:
                        yield item
            finally:
                self._fail(call)

        return tracked


def _caller_of(frame: FrameType | None) -> int:
    """Return a number for the frame that called ``frame``; its own as long as the block there is open."""
    return id(frame.f_back) if frame is not None else 0


class MakeTrack:
    """Makes ``Track`` objects of one producer."""

    def __init__(self, record: RecordModel, complain: Complain, stopwatch_s: Stamp) -> None:
        self._parts = (record, complain, stopwatch_s)

    def __call__(
        self,
        model: str,
        version: str = "",
        *,
        prediction: Extract | None = take_prediction,
        confidence: Extract | None = take_confidence,
    ) -> Track:
        """Time calls of a model: decorate a function with it, or put it in a ``with`` statement.

        Each call is one model event with its latency. An exception passes through unchanged; its event has
        the latency alone. A value that cannot be used is left out, and counted as invalid once a call. A plain
        function that returns an awaitable is timed until it returns that.

        Args:
            model: Its name.
            version: Of the model.
            prediction: Takes the prediction from the result. Without it: the result when it is a number,
                else its key or attribute ``prediction`` when that is one. ``None`` takes nothing.
            confidence: Likewise; without it the result's key or attribute ``confidence``.
        """
        return Track(*self._parts, model, version, prediction, confidence)
