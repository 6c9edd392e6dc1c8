"""``at_ms``: the time that the host states is the event's."""

import math
from datetime import UTC, datetime
from typing import Any

import pytest

from barograph_producer import Producer
from tests.support import FakeClock
from tests.unit.producer.fake_server import FakeServer

NOW_MS = 1_700_000_000_000


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def producer(server: FakeServer) -> Producer:
    return Producer("ranker", clock=FakeClock(NOW_MS), connect=server.connect, sample_process=False)


def times(server: FakeServer) -> list[int]:
    return sorted(time_ms for batch in server.batches() for time_ms in batch.block.times_ms.tolist())


def test_every_recording_function_takes_the_time_of_its_event(producer: Producer, server: FakeServer) -> None:
    """Without it, an event is of now; a day between events of one batch is no trouble."""
    producer.request("/a", "GET", 200, 1.0)
    producer.request("/a", "GET", 200, 1.0, at_ms=NOW_MS - 1)
    producer.request("/a", "GET", 200, 1.0, at_ms=NOW_MS - 86_400_000)
    producer.sampled_request("/a", "GET", 200, 1.0, weight=2, at_ms=NOW_MS - 2)
    producer.model("ctr", prediction=0.5, at_ms=NOW_MS - 3.5)
    producer.models("ctr", prediction=[0.5, 0.6], at_ms=NOW_MS - 5)
    producer.system(memory_mb=1.0, at_ms=NOW_MS - 6)
    producer.observe("depth", 7, queue="fast", at_ms=NOW_MS + 7)
    assert producer.close()
    assert [time_ms - NOW_MS for time_ms in times(server)] == [-86_400_000, -6, -5, -5, -4, -2, -1, 0, 7]
    assert producer.stats().lost == 0


@pytest.mark.parametrize(
    "at_ms",
    [
        NOW_MS / 1_000,
        NOW_MS * 1_000,
        0,
        -NOW_MS,
        math.nan,
        math.inf,
        True,
        "2023-11-14",
        datetime(2023, 11, 14, tzinfo=UTC),
        [NOW_MS],
        object(),
    ],
)
def test_anything_but_milliseconds_is_an_invalid_event(producer: Producer, server: FakeServer, at_ms: Any) -> None:
    """Counted, one for each call; the host is not disturbed, and its other events are shipped."""
    producer.request("/a", "GET", 200, 1.0, at_ms=at_ms)
    producer.sampled_request("/a", "GET", 200, 1.0, at_ms=at_ms)
    producer.model("ctr", prediction=0.5, at_ms=at_ms)
    producer.models("ctr", prediction=[0.5], at_ms=at_ms)
    producer.observe("depth", 7, at_ms=at_ms)
    producer.request("/a", "GET", 200, 1.0)
    assert producer.close()
    assert times(server) == [NOW_MS]
    assert (producer.stats().recorded, producer.stats().dropped["invalid"]) == (6, 5)
