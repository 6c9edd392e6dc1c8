"""``producer.track`` records the latency of a call, and the prediction and confidence in its result."""

import asyncio
import contextlib
import contextvars
import gc
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pytest

from barograph_producer._record.result_values import take_confidence, take_prediction
from barograph_producer._record.track import MakeTrack, Track, Tracked


@dataclass(frozen=True)
class Event:
    """One model event as it was recorded."""

    model: str
    version: str
    latency_ms: float | None
    confidence: float | None
    prediction: float | None
    absolute_error: float | None = None
    failed: float | None = None


@dataclass(frozen=True)
class Answer:
    """A result with members of the names that are looked for."""

    prediction: float
    confidence: float


@dataclass(frozen=True)
class Tensor:
    """Numbers as torch holds them: ``size`` is a method."""

    numbers: list[float]
    dtype: str = "torch.float32"

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.numbers),)

    def size(self) -> tuple[int, ...]:
        return self.shape

    def item(self) -> float:
        (number,) = self.numbers
        return number

    def __float__(self) -> float:
        return self.item()


class FakeProducer:
    """The parts of a producer that ``track`` uses: stores recorded events, and has a stopwatch that tests advance."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.rejected: list[tuple[int, str]] = []
        self.now_s = 100.0
        self.track = MakeTrack(self.record, self.reject_input, lambda: self.now_s)

    def record(
        self,
        model: str,
        version: str = "",
        *,
        latency_ms: float | None = None,
        confidence: float | None = None,
        prediction: float | None = None,
        absolute_error: float | None = None,
        failed: float | None = None,
        at_ms: float | None = None,
    ) -> None:
        assert at_ms is None
        self.events.append(Event(model, version, latency_ms, confidence, prediction, absolute_error, failed))

    def reject_input(self, events: int, reason: str) -> None:
        self.rejected.append((events, reason))

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
def fake() -> FakeProducer:
    return FakeProducer()


def test_a_decorated_function_is_timed_and_its_number_is_the_prediction(fake: FakeProducer) -> None:
    @fake.track(model="ctr", version="7")
    def predict(x: float) -> float:
        """Predict."""
        fake.wait(8)
        return x / 2

    assert predict(0.6) == 0.3
    assert fake.only == Event("ctr", "7", 8.0, None, 0.3)
    assert (predict.__name__, predict.__doc__) == ("predict", "Predict.")


def test_a_coroutine_function_is_timed_to_its_end(fake: FakeProducer) -> None:
    @fake.track(model="ctr")
    async def predict() -> Answer:
        fake.wait(3)
        await asyncio.sleep(0)
        fake.wait(4)
        return Answer(0.25, 0.9)

    assert asyncio.run(predict()) == Answer(0.25, 0.9)
    assert fake.only == Event("ctr", "", 7.0, 0.9, 0.25)


def test_an_object_with_a_coroutine_call_is_awaited(fake: FakeProducer) -> None:
    class Model:
        async def __call__(self) -> float:
            fake.wait(5)
            return 0.5

    predict = fake.track(model="ctr")(Model())
    assert asyncio.run(predict()) == 0.5
    assert fake.only == Event("ctr", "", 5.0, None, 0.5)


def test_methods_keep_their_binding(fake: FakeProducer) -> None:
    """Also where the decorator stands above ``staticmethod`` or ``classmethod``."""

    class Model:
        bias = 0.5

        @fake.track(model="plain")
        def plain(self, x: float) -> float:
            return x + self.bias

        @fake.track(model="of_class")
        @classmethod
        def of_class(cls, x: float) -> float:
            return x + cls.bias

        @fake.track(model="static")
        @staticmethod
        def static(x: float) -> float:
            return x

    assert (Model().plain(1.0), Model.of_class(2.0), Model().static(3.0)) == (1.5, 2.5, 3.0)
    assert [(event.model, event.prediction) for event in fake.events] == [
        ("plain", 1.5),
        ("of_class", 2.5),
        ("static", 3.0),
    ]


def test_an_exception_passes_through_unchanged_and_its_latency_is_recorded(fake: FakeProducer) -> None:
    error = KeyError("no such user")

    @fake.track(model="ctr", version="7")
    def predict() -> float:
        fake.wait(2)
        raise error

    with pytest.raises(KeyError) as caught:
        predict()
    assert caught.value is error
    assert fake.only == Event("ctr", "7", 2.0, None, None)


def test_a_cancelled_coroutine_is_recorded_and_stays_cancelled(fake: FakeProducer) -> None:
    @fake.track(model="ctr")
    async def predict() -> float:
        fake.wait(1)
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
    assert fake.only == Event("ctr", "", 1.0, None, None)


def test_extractors_say_where_the_numbers_are(fake: FakeProducer) -> None:
    @fake.track(model="ctr", prediction=lambda r: r[0], confidence=max)
    def predict() -> list[float]:
        return [0.2, 0.8]

    predict()
    assert fake.only == Event("ctr", "", 0.0, 0.8, 0.2)


def test_none_for_an_extractor_takes_nothing(fake: FakeProducer) -> None:
    @fake.track(model="ctr", prediction=None, confidence=None)
    def predict() -> Answer:
        return Answer(1.0, 1.0)

    predict()
    assert fake.only == Event("ctr", "", 0.0, None, None)


def test_an_extractor_that_raises_costs_its_value_and_is_counted(fake: FakeProducer) -> None:
    """The host's call has its result, and the latency is recorded."""

    @fake.track(model="ctr", prediction=lambda r: r["score"], confidence=lambda r: r.nothing)
    def predict() -> dict[str, float]:
        fake.wait(6)
        return {"confidence": 0.5}

    assert predict() == {"confidence": 0.5}
    assert fake.only == Event("ctr", "", 6.0, None, None)
    assert fake.rejected == [(1, "model 'ctr': prediction: KeyError('score')")]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("high", "prediction is of type str, which is no number"),
        (float("nan"), "prediction is nan, which it cannot be"),
        (True, "prediction is of type bool, which is no number"),
        (np.array([0.1, 0.2]), "prediction is of type ndarray, which is no number"),
        (np.array([True]), "prediction is of type ndarray, which is no number"),
        (np.bool_(True), f"prediction is of type {np.bool_.__name__}, which is no number"),
    ],
)
def test_an_extracted_value_that_is_no_number_is_counted(fake: FakeProducer, value: float, reason: str) -> None:
    fake.track(model="ctr", prediction=lambda r: r)(lambda: value)()
    assert fake.only == Event("ctr", "", 0.0, None, None)
    assert fake.rejected == [(1, f"model 'ctr': {reason}")]


def test_a_confidence_below_zero_cannot_be(fake: FakeProducer) -> None:
    fake.track(model="ctr", confidence=lambda _: -0.5)(lambda: 1.0)()
    assert fake.only == Event("ctr", "", 0.0, None, 1.0)
    assert fake.rejected == [(1, "model 'ctr': confidence is -0.5, which it cannot be")]


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
        (Tensor([0.5]), Tensor([0.5]), None),
        (Tensor([0.5, 0.6]), None, None),
        (True, None, None),
        (np.bool_(True), None, None),
        (np.array([True]), None, None),
        ({"prediction": np.bool_(True), "confidence": 0.9}, None, 0.9),
        ("0.5", None, None),
        ([0.5], None, None),
        (np.array([0.5, 0.6]), None, None),
        (None, None, None),
    ],
)
def test_what_is_taken_without_an_extractor(result: object, prediction: object, confidence: object) -> None:
    """A number, or members of the two names that are numbers; anything else is left alone without a complaint."""
    assert (take_prediction(result), take_confidence(result)) == (prediction, confidence)


@pytest.mark.parametrize("result", [np.array([0.25]), np.array([[0.25]]), np.float32(0.25), Tensor([0.25])])
def test_the_only_element_of_an_array_is_the_prediction(fake: FakeProducer, result: object) -> None:
    """NumPy does not convert such an array to a float since 2.4."""
    fake.track(model="ctr")(lambda: result)()
    assert fake.only == Event("ctr", "", 0.0, None, 0.25)
    assert not fake.rejected


def test_a_block_is_timed(fake: FakeProducer) -> None:
    with fake.track(model="ctr", version="7") as call:
        fake.wait(9)
        call.prediction = 0.4
        call.confidence = 0.6
    assert fake.only == Event("ctr", "7", 9.0, 0.6, 0.4)


def test_a_block_may_hand_over_its_result(fake: FakeProducer) -> None:
    with fake.track(model="ctr", prediction=lambda r: r["score"]) as call:
        call.result({"score": 0.4, "confidence": 0.6})
    assert fake.only == Event("ctr", "", 0.0, 0.6, 0.4)


def test_a_block_that_fails_is_recorded_and_the_exception_passes(fake: FakeProducer) -> None:
    error = ValueError("bad input")

    def fail_in_a_block() -> None:
        with fake.track(model="ctr"):
            fake.wait(2)
            raise error

    with pytest.raises(ValueError, match="bad input") as caught:
        fail_in_a_block()
    assert caught.value is error
    assert fake.only == Event("ctr", "", 2.0, None, None)


def test_one_object_serves_blocks_that_overlap(fake: FakeProducer) -> None:
    """Two tasks share it, and the one that began first ends first."""
    shared = fake.track(model="ctr")

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
            fake.wait(10)
        await asyncio.gather(*tasks)

    asyncio.run(overlap())
    assert fake.latencies_ms == [20.0, 20.0]
    assert [event.prediction for event in fake.events] == [30.0, 20.0]


def test_blocks_of_one_object_nest_in_one_function(fake: FakeProducer) -> None:
    shared = fake.track(model="ctr")
    with shared as outer:
        fake.wait(1)
        with shared as inner:
            inner.prediction = 2
            fake.wait(2)
        outer.prediction = 1
    assert [(event.prediction, round(event.latency_ms or 0)) for event in fake.events] == [(2, 2), (1, 3)]


def test_an_exit_stack_may_hold_the_block(fake: FakeProducer) -> None:
    """It enters in one frame and leaves in another."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(fake.track(model="ctr"))
        fake.wait(4)
    assert fake.only == Event("ctr", "", 4.0, None, None)


def test_two_tasks_may_hold_one_object_in_their_exit_stacks(fake: FakeProducer) -> None:
    """The one that began first ends first, and each has its own duration and prediction."""
    shared = fake.track(model="ctr")

    async def work(prediction: float, end: asyncio.Event) -> None:
        with contextlib.ExitStack() as stack:
            call = stack.enter_context(shared)
            await end.wait()
            call.prediction = prediction

    async def overlap() -> None:
        ends = [asyncio.Event(), asyncio.Event()]
        tasks: list[asyncio.Task[None]] = []
        for prediction, end in enumerate(ends, start=1):
            tasks.append(asyncio.create_task(work(prediction, end)))
            await asyncio.sleep(0)
            fake.wait(10)
        for end, task in zip(ends, tasks, strict=True):
            end.set()
            await task
            fake.wait(100)

    asyncio.run(overlap())
    assert [event.prediction for event in fake.events] == [1.0, 2.0]
    assert fake.latencies_ms == [20.0, 110.0]


def test_two_threads_may_hold_one_object_in_their_exit_stacks(fake: FakeProducer) -> None:
    shared, stacks = fake.track(model="ctr"), [contextlib.ExitStack(), contextlib.ExitStack()]
    threads = [ThreadPoolExecutor(1), ThreadPoolExecutor(1)]
    for prediction, (thread, stack) in enumerate(zip(threads, stacks, strict=True), start=1):
        thread.submit(stack.enter_context, shared).result().prediction = prediction
        fake.wait(10)
    for thread, stack in zip(threads, stacks, strict=True):
        thread.submit(stack.close).result()
        thread.shutdown()
    assert [event.prediction for event in fake.events] == [1.0, 2.0]
    assert fake.latencies_ms == [20.0, 10.0]


def test_a_generator_ends_its_own_block_wherever_it_is_resumed(fake: FakeProducer) -> None:
    """Frameworks run a dependency's two halves in two contexts, and two generators may overlap in one task."""
    shared = fake.track(model="ctr")

    def block(prediction: float) -> Iterator[None]:
        with shared as call:
            call.prediction = prediction
            yield

    first, second, third = block(1), block(2), block(3)
    next(first)
    fake.wait(10)
    contextvars.copy_context().run(next, second)
    fake.wait(10)
    next(third)
    fake.wait(10)
    for generator in (second, first, third):
        contextvars.Context().run(next, generator, None)
    assert [event.prediction for event in fake.events] == [2.0, 1.0, 3.0]
    assert fake.latencies_ms == [20.0, 30.0, 10.0]


def test_blocks_that_overlap_for_ever_do_not_pile_up(fake: FakeProducer) -> None:
    """One task that always has a block open, each begun before the last one ended."""

    def block() -> Generator[None, None, None]:
        with shared as call:
            call.prediction = 17.25
            yield

    shared = fake.track(model="ctr")
    older = block()
    next(older)
    for _ in range(100):
        newer = block()
        next(newer)
        assert next(older, None) is None
        older = newer
    assert sum(isinstance(held, Tracked) and held.prediction == 17.25 for held in gc.get_objects()) == 1
    older.close()


def test_a_generator_is_timed_from_its_first_value_to_its_end(fake: FakeProducer) -> None:
    """Its return value is the result."""

    @fake.track(model="llm")
    def stream() -> Iterator[str]:
        for word in ("to", "be"):
            fake.wait(5)
            yield word

    words = stream()
    fake.wait(100)
    assert list(words) == ["to", "be"]
    assert fake.only == Event("llm", "", 10.0, None, None)


def test_an_asynchronous_generator_left_early_is_recorded(fake: FakeProducer) -> None:
    closed: list[bool] = []

    @fake.track(model="llm")
    async def stream() -> AsyncGenerator[str, None]:
        try:
            for word in ("to", "be"):
                fake.wait(5)
                yield word
        finally:
            closed.append(True)

    async def read_one() -> str:
        async with contextlib.aclosing(stream()) as words:
            async for word in words:
                return word
        return ""

    assert asyncio.run(read_one()) == "to"
    assert fake.only == Event("llm", "", 5.0, None, None)
    assert closed == [True]


def test_a_result_whose_members_raise_does_no_harm(fake: FakeProducer) -> None:
    class Lazy:
        @property
        def prediction(self) -> float:
            raise RuntimeError("not loaded")

    result = Lazy()
    assert fake.track(model="ctr")(lambda: result)() is result
    assert fake.rejected == [(1, "model 'ctr': prediction: RuntimeError('not loaded')")]


@pytest.mark.parametrize(
    ("error", "failed"),
    [(None, 0.0), (KeyError("x"), 1.0), (TimeoutError(), 1.0), (asyncio.CancelledError(), None), (SystemExit(1), None)],
    ids=repr,
)
@pytest.mark.parametrize("way", ["function", "coroutine", "generator", "asynchronous generator", "block"])
def test_a_call_that_raises_has_failed(
    fake: FakeProducer, way: str, error: BaseException | None, failed: object
) -> None:
    """One that is cancelled or interrupted has neither failed nor succeeded."""
    track = fake.track(model="ctr", prediction=lambda _: 0.5)

    def work() -> None:
        if error is not None:
            raise error

    async def work_async() -> None:
        work()

    def stream() -> Generator[int, None, None]:
        yield 1
        work()

    async def stream_async() -> AsyncGenerator[int, None]:
        yield 1
        work()

    async def read() -> None:
        async for _ in track(stream_async)():
            pass

    def block() -> None:
        with track:
            work()

    ways: dict[str, Callable[[], object]] = {
        "function": track(work),
        "coroutine": lambda: asyncio.run(track(work_async)()),
        "generator": lambda: list(track(stream)()),
        "asynchronous generator": lambda: asyncio.run(read()),
        "block": block,
    }
    with contextlib.suppress(BaseException):
        ways[way]()
    assert [event.failed for event in fake.events] == [failed]
    assert not fake.rejected


def test_a_stream_that_its_consumer_leaves_has_not_failed(fake: FakeProducer) -> None:
    @fake.track(model="llm")
    def stream() -> Generator[int, None, None]:
        yield 1
        yield 2

    words = stream()
    next(words)
    words.close()
    assert [event.failed for event in fake.events] == [None]


def test_a_track_may_be_made_once_and_kept(fake: FakeProducer) -> None:
    ctr: Track = fake.track(model="ctr")
    results: list[Mapping[str, float] | float] = [ctr(lambda: 0.1)(), ctr(lambda: {"prediction": 0.2})()]
    assert results == [0.1, {"prediction": 0.2}]
    assert [event.prediction for event in fake.events] == [0.1, 0.2]
