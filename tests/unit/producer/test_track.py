"""``producer.track``: the latency of a call, and what its result tells of prediction and confidence."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pytest

from barograph_producer._result_values import take_confidence, take_prediction
from barograph_producer._track import MakeTrack, Track


@dataclass(frozen=True)
class Event:
    """One model event as it was recorded."""

    model: str
    version: str
    latency_ms: float | None
    confidence: float | None
    prediction: float | None
    absolute_error: float | None = None


@dataclass(frozen=True)
class Answer:
    """A result with members of the names that are looked for."""

    prediction: float
    confidence: float


class Desk:
    """A producer's parts around ``track``: keeps what is recorded; its stopwatch is moved by hand."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.complaints: list[tuple[int, str]] = []
        self.now_s = 100.0
        self.track = MakeTrack(self.record, self.complain, lambda: self.now_s)

    def record(
        self,
        model: str,
        version: str = "",
        *,
        latency_ms: float | None = None,
        confidence: float | None = None,
        prediction: float | None = None,
        absolute_error: float | None = None,
    ) -> None:
        self.events.append(Event(model, version, latency_ms, confidence, prediction, absolute_error))

    def complain(self, events: int, reason: str) -> None:
        self.complaints.append((events, reason))

    def wait(self, ms: int) -> None:
        self.now_s += ms / 1_000

    @property
    def only(self) -> Event:
        (event,) = self.events
        return Event(
            event.model,
            event.version,
            None if event.latency_ms is None else round(event.latency_ms, 6),
            event.confidence,
            event.prediction,
        )

    @property
    def latencies_ms(self) -> list[float]:
        return [round(event.latency_ms or 0.0, 6) for event in self.events]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_decorated_function_is_timed_and_its_number_is_the_prediction(desk: Desk) -> None:
    @desk.track(model="ctr", version="7")
    def predict(x: float) -> float:
        """Predict."""
        desk.wait(8)
        return x / 2

    assert predict(0.6) == 0.3
    assert desk.only == Event("ctr", "7", 8.0, None, 0.3)
    assert (predict.__name__, predict.__doc__) == ("predict", "Predict.")


def test_a_coroutine_function_is_timed_to_its_end(desk: Desk) -> None:
    @desk.track(model="ctr")
    async def predict() -> Answer:
        desk.wait(3)
        await asyncio.sleep(0)
        desk.wait(4)
        return Answer(0.25, 0.9)

    assert asyncio.run(predict()) == Answer(0.25, 0.9)
    assert desk.only == Event("ctr", "", 7.0, 0.9, 0.25)


def test_an_object_with_a_coroutine_call_is_awaited(desk: Desk) -> None:
    class Model:
        async def __call__(self) -> float:
            desk.wait(5)
            return 0.5

    predict = desk.track(model="ctr")(Model())
    assert asyncio.run(predict()) == 0.5
    assert desk.only == Event("ctr", "", 5.0, None, 0.5)


def test_methods_keep_their_binding(desk: Desk) -> None:
    """Also where the decorator stands above ``staticmethod`` or ``classmethod``."""

    class Model:
        bias = 0.5

        @desk.track(model="plain")
        def plain(self, x: float) -> float:
            return x + self.bias

        @desk.track(model="of_class")
        @classmethod
        def of_class(cls, x: float) -> float:
            return x + cls.bias

        @desk.track(model="static")
        @staticmethod
        def static(x: float) -> float:
            return x

    assert (Model().plain(1.0), Model.of_class(2.0), Model().static(3.0)) == (1.5, 2.5, 3.0)
    assert [(event.model, event.prediction) for event in desk.events] == [
        ("plain", 1.5),
        ("of_class", 2.5),
        ("static", 3.0),
    ]


def test_an_exception_passes_through_unchanged_and_its_latency_is_recorded(desk: Desk) -> None:
    error = KeyError("no such user")

    @desk.track(model="ctr", version="7")
    def predict() -> float:
        desk.wait(2)
        raise error

    with pytest.raises(KeyError) as caught:
        predict()
    assert caught.value is error
    assert desk.only == Event("ctr", "7", 2.0, None, None)


def test_a_cancelled_coroutine_is_recorded_and_stays_cancelled(desk: Desk) -> None:
    @desk.track(model="ctr")
    async def predict() -> float:
        desk.wait(1)
        await asyncio.Event().wait()
        return 0.0

    async def cancel() -> bool:
        task = asyncio.create_task(predict())
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return task.cancelled()

    assert asyncio.run(cancel())
    assert desk.only == Event("ctr", "", 1.0, None, None)


def test_extractors_say_where_the_numbers_are(desk: Desk) -> None:
    @desk.track(model="ctr", prediction=lambda r: r[0], confidence=max)
    def predict() -> list[float]:
        return [0.2, 0.8]

    predict()
    assert desk.only == Event("ctr", "", 0.0, 0.8, 0.2)


def test_none_for_an_extractor_takes_nothing(desk: Desk) -> None:
    @desk.track(model="ctr", prediction=None, confidence=None)
    def predict() -> Answer:
        return Answer(1.0, 1.0)

    predict()
    assert desk.only == Event("ctr", "", 0.0, None, None)


def test_an_extractor_that_raises_costs_its_value_and_is_counted(desk: Desk) -> None:
    """The host's call has its result, and the latency is recorded."""

    @desk.track(model="ctr", prediction=lambda r: r["score"], confidence=lambda r: r.nothing)
    def predict() -> dict[str, float]:
        desk.wait(6)
        return {"confidence": 0.5}

    assert predict() == {"confidence": 0.5}
    assert desk.only == Event("ctr", "", 6.0, None, None)
    assert desk.complaints == [(1, "model 'ctr': prediction: KeyError('score')")]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("high", "prediction is of type str, which is no number"),
        (float("nan"), "prediction is nan, which it cannot be"),
        (True, "prediction is of type bool, which is no number"),
        (np.array([0.1, 0.2]), "prediction is of type ndarray, which is no number"),
    ],
)
def test_an_extracted_value_that_is_no_number_is_counted(desk: Desk, value: float, reason: str) -> None:
    desk.track(model="ctr", prediction=lambda r: r)(lambda: value)()
    assert desk.only == Event("ctr", "", 0.0, None, None)
    assert desk.complaints == [(1, f"model 'ctr': {reason}")]


def test_a_confidence_below_zero_cannot_be(desk: Desk) -> None:
    desk.track(model="ctr", confidence=lambda _: -0.5)(lambda: 1.0)()
    assert desk.only == Event("ctr", "", 0.0, None, 1.0)
    assert desk.complaints == [(1, "model 'ctr': confidence is -0.5, which it cannot be")]


@pytest.mark.parametrize(
    ("result", "prediction", "confidence"),
    [
        (0.5, 0.5, None),
        (3, 3, None),
        (Decimal("0.5"), Decimal("0.5"), None),
        (np.float32(0.5), np.float32(0.5), None),
        (np.array([0.5]), np.array([0.5]), None),
        (Answer(0.5, 0.9), 0.5, 0.9),
        ({"prediction": 0.5, "confidence": 0.9}, 0.5, 0.9),
        ({"prediction": "cat", "confidence": 0.9}, None, 0.9),
        (True, None, None),
        ("0.5", None, None),
        ([0.5], None, None),
        (np.array([0.5, 0.6]), None, None),
        (None, None, None),
    ],
)
def test_what_is_taken_without_an_extractor(result: object, prediction: object, confidence: object) -> None:
    """A number, or members of the two names that are numbers; anything else is left alone without a complaint."""
    assert (take_prediction(result), take_confidence(result)) == (prediction, confidence)


def test_a_block_is_timed(desk: Desk) -> None:
    with desk.track(model="ctr", version="7") as call:
        desk.wait(9)
        call.prediction = 0.4
        call.confidence = 0.6
    assert desk.only == Event("ctr", "7", 9.0, 0.6, 0.4)


def test_a_block_may_hand_over_its_result(desk: Desk) -> None:
    with desk.track(model="ctr", prediction=lambda r: r["score"]) as call:
        call.result({"score": 0.4, "confidence": 0.6})
    assert desk.only == Event("ctr", "", 0.0, 0.6, 0.4)


def test_a_block_that_fails_is_recorded_and_the_exception_passes(desk: Desk) -> None:
    error = ValueError("bad input")

    def fail_in_a_block() -> None:
        with desk.track(model="ctr"):
            desk.wait(2)
            raise error

    with pytest.raises(ValueError, match="bad input") as caught:
        fail_in_a_block()
    assert caught.value is error
    assert desk.only == Event("ctr", "", 2.0, None, None)


def test_one_object_serves_blocks_that_overlap(desk: Desk) -> None:
    """Two tasks share it, and the one that began first ends first."""
    shared = desk.track(model="ctr")

    async def work(ms: int, start: asyncio.Event, end: asyncio.Event) -> None:
        await start.wait()
        with shared as call:
            call.prediction = ms
            await end.wait()

    async def overlap() -> None:
        starts, ends = (asyncio.Event(), asyncio.Event()), (asyncio.Event(), asyncio.Event())
        tasks = [asyncio.create_task(work(ms, *pair)) for ms, *pair in zip((30, 20), starts, ends, strict=True)]
        for step in (starts[0], starts[1], ends[0], ends[1]):
            step.set()
            for _ in range(3):
                await asyncio.sleep(0)
            desk.wait(10)
        await asyncio.gather(*tasks)

    asyncio.run(overlap())
    assert desk.latencies_ms == [20.0, 20.0]
    assert [event.prediction for event in desk.events] == [30.0, 20.0]


def test_blocks_of_one_object_nest_in_one_function(desk: Desk) -> None:
    shared = desk.track(model="ctr")
    with shared as outer:
        desk.wait(1)
        with shared as inner:
            inner.prediction = 2
            desk.wait(2)
        outer.prediction = 1
    assert [(event.prediction, round(event.latency_ms or 0)) for event in desk.events] == [(2, 2), (1, 3)]


def test_an_exit_stack_may_hold_the_block(desk: Desk) -> None:
    """It enters in one frame and leaves in another."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(desk.track(model="ctr"))
        desk.wait(4)
    assert desk.only == Event("ctr", "", 4.0, None, None)


def test_a_generator_is_timed_from_its_first_value_to_its_end(desk: Desk) -> None:
    """Its return value is the result."""

    @desk.track(model="llm")
    def stream() -> Iterator[str]:
        for word in ("to", "be"):
            desk.wait(5)
            yield word

    words = stream()
    desk.wait(100)
    assert list(words) == ["to", "be"]
    assert desk.only == Event("llm", "", 10.0, None, None)


def test_an_asynchronous_generator_left_early_is_recorded(desk: Desk) -> None:
    closed: list[bool] = []

    @desk.track(model="llm")
    async def stream() -> AsyncGenerator[str, None]:
        try:
            for word in ("to", "be"):
                desk.wait(5)
                yield word
        finally:
            closed.append(True)

    async def read_one() -> str:
        async with contextlib.aclosing(stream()) as words:
            async for word in words:
                return word
        return ""

    assert asyncio.run(read_one()) == "to"
    assert desk.only == Event("llm", "", 5.0, None, None)
    assert closed == [True]


def test_a_result_whose_members_raise_does_no_harm(desk: Desk) -> None:
    class Lazy:
        @property
        def prediction(self) -> float:
            raise RuntimeError("not loaded")

    result = Lazy()
    assert desk.track(model="ctr")(lambda: result)() is result
    assert desk.complaints == [(1, "model 'ctr': prediction: RuntimeError('not loaded')")]


def test_a_track_may_be_made_once_and_kept(desk: Desk) -> None:
    ctr: Track = desk.track(model="ctr")
    results: list[Mapping[str, float] | float] = [ctr(lambda: 0.1)(), ctr(lambda: {"prediction": 0.2})()]
    assert results == [0.1, {"prediction": 0.2}]
    assert [event.prediction for event in desk.events] == [0.1, 0.2]
