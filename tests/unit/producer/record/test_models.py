"""``producer.models``: many predictions in one call, from whatever holds numbers."""

# The passes are made through the worker that the producer hides from its host.
# pyright: reportPrivateUsage=false

import logging
import math
import subprocess
import sys
from array import array
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from barograph_producer import Producer
from tests.support import FakeClock
from tests.unit.producer.fake_server import FakeServer


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def producer(server: FakeServer) -> Iterator[Producer]:
    made = Producer("ranker", connect=server.connect, sample_process=False)
    yield made
    made.close()


def columns_of(server: FakeServer) -> list[list[float | None] | None]:
    """Return the columns of the one batch, ``None`` for what an event lacks."""
    (batch,) = server.batches()
    return [
        None if column is None else [None if math.isnan(value) else value for value in column.tolist()]
        for column in batch.columns
    ]


def predictions_of(server: FakeServer) -> list[float]:
    """Return the predictions of all batches."""
    columns = [batch.columns[2] for batch in server.batches()]
    return [value for column in columns if column is not None for value in column.tolist()]


@pytest.mark.parametrize(
    "values",
    [
        [0.25, 0.5, 0.75],
        (0.25, 0.5, 0.75),
        array("d", [0.25, 0.5, 0.75]),
        memoryview(array("d", [0.25, 0.5, 0.75])),
        np.array([0.25, 0.5, 0.75]),
        np.array([0.25, 0.5, 0.75], dtype=np.float32),
        np.array([[0.25], [0.5], [0.75]]),
    ],
    ids=["list", "tuple", "array", "memoryview", "numpy", "float32", "column"],
)
def test_every_holder_of_numbers_is_taken(producer: Producer, server: FakeServer, values: Sequence[float]) -> None:
    producer.models(model="ctr", version="7", prediction=values)
    producer.flush()
    assert columns_of(server) == [None, None, [0.25, 0.5, 0.75], None, None]
    assert server.batches()[0].labels == (("ctr", "7"),)


def test_a_single_number_holds_for_every_row(producer: Producer, server: FakeServer) -> None:
    producer.models("ctr", latency_ms=8.0, confidence=[0.9, None], prediction=range(2), absolute_error=np.float64(0.5))
    producer.flush()
    assert columns_of(server) == [[8.0, 8.0], [0.9, None], [0.0, 1.0], [0.5, 0.5], None]


def test_single_numbers_alone_are_one_event(producer: Producer, server: FakeServer) -> None:
    producer.models("ctr", latency_ms=8.0, prediction=np.array(0.5))
    producer.flush()
    assert columns_of(server) == [[8.0], None, [0.5], None, None]


@pytest.mark.parametrize("flags", [[True, False], [1, 0], np.array([True, False]), np.array([1.0, 0.0])], ids=repr)
def test_failures_are_flags(producer: Producer, server: FakeServer, flags: Sequence[float]) -> None:
    """Booleans are no numbers for any other measure."""
    producer.models("ctr", latency_ms=8.0, failed=flags)
    producer.flush()
    assert columns_of(server) == [[8.0, 8.0], None, None, None, [1.0, 0.0]]


@pytest.mark.parametrize("flag", [0.5, 2, -1, "yes", math.nan])
def test_anything_else_is_no_flag(producer: Producer, flag: object) -> None:
    """Between the two values of others it must show too."""
    producer.models("ctr", failed=[0, flag, 1])  # type: ignore[list-item]  # what a host may pass all the same
    producer.flush()
    assert (producer.stats().shipped, producer.stats().dropped["invalid"]) == (2, 1)


def test_no_rows_are_no_events(producer: Producer) -> None:
    producer.models("ctr", latency_ms=8.0, prediction=[])
    assert producer.stats().recorded == 0


def test_a_nan_makes_its_row_invalid_and_no_other(producer: Producer, server: FakeServer) -> None:
    """As ``model`` has it: a model that answers NaN must show."""
    producer.models("ctr", prediction=np.array([0.1, np.nan, 0.3]))
    producer.flush()
    assert columns_of(server)[2] == [0.1, 0.3]
    assert producer.stats().dropped["invalid"] == 1


@pytest.mark.parametrize(
    ("columns", "invalid"),
    [
        ({"prediction": [1.0, 2.0, 3.0], "confidence": [0.5]}, 3),
        ({"prediction": np.ones((2, 2))}, 2),
        ({"prediction": "0.5"}, 1),
        ({"prediction": b"0.5"}, 1),
        ({"prediction": {"a": 1.0}}, 1),
        ({"prediction": (x for x in (1.0, 2.0))}, 1),
        ({"prediction": object()}, 1),
    ],
)
def test_what_cannot_be_columns_is_counted_and_not_raised(
    producer: Producer, columns: dict[str, object], invalid: int
) -> None:
    producer.models("ctr", **columns)  # type: ignore[arg-type]  # what a host may pass all the same
    producer.flush()
    stats = producer.stats()
    assert (stats.recorded, stats.shipped, stats.dropped["invalid"]) == (invalid, 0, invalid)


def test_an_array_that_raises_does_not_raise_into_the_host(producer: Producer) -> None:
    class Lazy:
        def tolist(self) -> object:
            raise MemoryError("too large for this host")

    producer.models("ctr", prediction=Lazy())
    assert producer.stats().dropped["invalid"] == 1


def test_the_reason_is_logged_once_a_minute_and_not_by_the_caller(
    server: FakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()
    producer = Producer("ranker", connect=server.connect, clock=clock, sample_process=False)
    producer._lifecycle.state.permit.clear()
    loop = producer._lifecycle.loop
    with caplog.at_level(logging.WARNING, "barograph_producer"):
        for _ in range(5):
            producer.models("ctr", prediction=[1.0, 2.0], confidence=[0.5])
        assert not caplog.records
        for _ in range(4):
            loop.make_pass()
            producer.models("ctr", prediction=[1.0, 2.0], confidence=[0.5])
            clock.advance(30_000)
    assert [(record.message, vars(record)["reason"]) for record in caplog.records] == [
        ("producer.invalid_input", "columns differ in length: confidence 1, prediction 2")
    ] * 2


def test_a_call_larger_than_the_room_is_cut_and_the_rest_counted(server: FakeServer) -> None:
    producer = Producer("ranker", connect=server.connect, sample_process=False, max_events=1_000)
    producer._lifecycle.state.permit.clear()
    producer.models("ctr", prediction=np.arange(1_500.0))
    stats = producer.stats()
    assert (stats.recorded, stats.buffered, stats.dropped["buffer_full"]) == (1_500, 1_000, 500)
    producer._lifecycle.loop.make_pass()
    assert predictions_of(server) == list(range(1_000))
    producer.close()


def test_after_the_close_all_rows_are_counted_as_closed(producer: Producer) -> None:
    producer.close()
    producer.models("ctr", prediction=[1.0, 2.0, 3.0])
    assert producer.stats().dropped["closed"] == 3


def test_many_rows_arrive_whole(producer: Producer, server: FakeServer) -> None:
    """One call may be many batches."""
    producer.models("ctr", prediction=np.arange(4_321.0), latency_ms=1.0)
    assert producer.flush()
    assert predictions_of(server) == list(range(4_321))


def test_numpy_is_not_imported_for_it() -> None:
    code = (
        "import sys, barograph_producer as b; p = b.Producer('a', url='redis://127.0.0.1:1', exit_timeout_s=0.01);"
        " p.models('m', prediction=[1.0]); assert 'numpy' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
