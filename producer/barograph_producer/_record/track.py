"""Times calls of a model, as a decorator or in a ``with`` statement, and records them as ``model`` events."""

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import aclosing
from types import TracebackType
from typing import Any, Final, Protocol, SupportsFloat, TypeVar, cast

from barograph_producer._record.event_time import RejectInput
from barograph_producer._record.generated import Stamp
from barograph_producer._record.open_blocks import OpenBlocks, caller_of
from barograph_producer._record.result_values import (
    Extract,
    UnusableValueError,
    as_measure,
    take_confidence,
    take_prediction,
)
from barograph_producer._record.signatures import RecordModel

# The decorator returns a callable of the type that it was given, so that methods stay methods.
F = TypeVar("F", bound=Callable[..., Any])

_MS: Final = 1_000.0


class Tracked:
    """A tracked call or block that has not ended.

    Attributes:
        prediction: Set it in the block, or let ``result`` set it.
        confidence: Set it in the block, or let ``result`` set it.
        started_s: When it started.
        unusable: Why a value could not be used; "" if all could.
    """

    __slots__ = ("_track", "confidence", "prediction", "started_s", "unusable")

    def __init__(self, track: "Track", started_s: float) -> None:
        self.prediction: SupportsFloat | None = None
        self.confidence: SupportsFloat | None = None
        self.started_s = started_s
        self._track = track
        self.unusable = ""

    def result(self, value: object) -> None:
        """Take prediction and confidence from ``value``, as the decorator does. Never raises."""
        self._track.take(self, value)

    def note_unusable(self, reason: str) -> None:
        """Store why a value could not be used. Only the first reason is kept."""
        self.unusable = self.unusable or reason

    def usable(self, name: str, value: SupportsFloat | None) -> float | None:
        """Return ``value`` if the measure ``name`` can have it; otherwise note why not and return ``None``."""
        try:
            return as_measure(name, value)
        except UnusableValueError as error:
            self.note_unusable(str(error))
        except Exception as error:  # noqa: BLE001  # the host's own types may raise anything
            self.note_unusable(f"{name}: {error!r}")
        return None


class Track:
    """Decorates functions, or is used in a ``with`` statement; ``Producer.track`` returns it.

    It may be reused, by any number of threads and tasks at once.
    """

    def __init__(
        self,
        record: RecordModel,
        reject_input: RejectInput,
        stopwatch_s: Stamp,
        owner: "TrackOwner | None",
        model: str,
        version: str,
        prediction: Extract | None,
        confidence: Extract | None,
    ) -> None:
        self._owner = owner
        self._record = record
        self._reject_input = reject_input
        self._stopwatch_s = stopwatch_s
        self._model = model
        self._version = version
        self._prediction = prediction
        self._confidence = confidence
        self._blocks = OpenBlocks[Tracked]()

    def __call__(self, function: F, /) -> F:
        """Return ``function`` with its calls timed.

        It may be a function, a coroutine function, a generator function (async or not) or a method.
        """
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

    def __reduce__(self) -> "tuple[Callable[..., Track], tuple[object, ...]]":
        return _track_again, (self._owner, self._model, self._version, self._prediction, self._confidence)

    def __enter__(self) -> Tracked:
        call = Tracked(self, self._stopwatch_s())
        self._blocks.open(call, caller_of(inspect.currentframe()))
        return call

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        ended_s = self._stopwatch_s()
        call = self._blocks.close(caller_of(inspect.currentframe()))
        if call is not None:
            self._finish(call, ended_s, error)

    def take(self, call: Tracked, result: object) -> None:
        """Set the prediction and the confidence of ``call`` from its result. Never raises."""
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
        return Tracked(self, self._stopwatch_s())

    def _end(self, call: Tracked, result: object) -> None:
        ended_s = self._stopwatch_s()
        self.take(call, result)
        self._finish(call, ended_s, None)

    def _finish(self, call: Tracked, ended_s: float, error: BaseException | None) -> None:
        prediction, confidence = call.prediction, call.confidence
        self._record(
            self._model,
            self._version,
            latency_ms=max(0.0, (ended_s - call.started_s) * _MS),
            confidence=None if confidence is None else call.usable("confidence", confidence),
            prediction=None if prediction is None else call.usable("prediction", prediction),
            failed=outcome_of(error),
        )
        if call.unusable:
            self._reject_input(1, f"model {self._model!r}: {call.unusable}")

    def _fail(self, call: Tracked, error: BaseException) -> None:
        self._finish(call, self._stopwatch_s(), error)

    def _wrap_function(self, function: Callable[..., object]) -> Callable[..., object]:
        @functools.wraps(function)
        def tracked(*args: object, **kwargs: object) -> object:
            call = self._begin()
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                self._fail(call, error)
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
            except BaseException as error:
                self._fail(call, error)
                raise
            self._end(call, result)
            return result

        return tracked

    def _wrap_generator(
        self, function: Callable[..., Generator[object, object, object]]
    ) -> Callable[..., Generator[object, object, object]]:
        """Time a generator from the request for its first value to its end, including its consumer's work."""

        @functools.wraps(function)
        def tracked(*args: object, **kwargs: object) -> Generator[object, object, object]:
            call = self._begin()
            try:
                result = yield from function(*args, **kwargs)
            except BaseException as error:
                self._fail(call, error)
                raise
            self._end(call, result)
            return result

        return tracked

    def _wrap_async_generator(self, function: Callable[..., Any]) -> Callable[..., AsyncIterator[object]]:
        """Time it like a generator. Values sent into it are not passed on, because streams of answers use none."""

        @functools.wraps(function)
        async def tracked(*args: object, **kwargs: object) -> AsyncIterator[object]:
            call = self._begin()
            try:
                async with aclosing(function(*args, **kwargs)) as items:
                    async for item in items:
                        yield item
            except BaseException as error:
                self._fail(call, error)
                raise
            self._finish(call, self._stopwatch_s(), None)

        return tracked


def outcome_of(error: BaseException | None) -> float | None:
    """Return the flag ``failed`` of a call that ended with ``error``: 1, 0, or ``None`` if that is not known.

    A call that was cancelled, left early by its consumer or interrupted neither failed nor gave its result.
    """
    if error is None:
        return 0.0
    return 1.0 if isinstance(error, Exception) else None


def _track_again(
    owner: "TrackOwner", model: str, version: str, prediction: Extract | None, confidence: Extract | None
) -> Track:
    return owner.track(model, version, prediction=prediction, confidence=confidence)


class TrackOwner(Protocol):
    """A producer, which a pickled ``Track`` carries in place of the functions that record into this process."""

    @property
    def track(self) -> "MakeTrack": ...


class MakeTrack:
    """Makes the ``Track`` objects of one producer."""

    def __init__(
        self, record: RecordModel, reject_input: RejectInput, stopwatch_s: Stamp, owner: TrackOwner | None = None
    ) -> None:
        self._parts = (record, reject_input, stopwatch_s, owner)

    def __call__(
        self,
        model: str,
        version: str = "",
        *,
        prediction: Extract | None = take_prediction,
        confidence: Extract | None = take_confidence,
    ) -> Track:
        """Time calls of a model: decorate a function with it, or use it in a ``with`` statement.

        Each call records one model event with its latency, and whether it failed. A call that raises has failed, and
        the exception passes through unchanged. Whether a call that was cancelled or left early has failed is not known.
        A value that cannot be used is left out and counted as invalid, once for each call. A plain function that
        returns an awaitable is timed until it returns.

        Args:
            model: The name of the model.
            version: The version of the model.
            prediction: Returns the prediction in a result. By default the result if it is a number, otherwise its
                key or attribute ``prediction`` if that is a number. With ``None`` no prediction is recorded.
            confidence: Returns the confidence in a result; by default its key or attribute ``confidence``.
        """
        return Track(*self._parts, model, version, prediction, confidence)
