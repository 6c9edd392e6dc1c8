"""The producer as its host sees it, its passes made by hand and without a thread, or with one and a bound."""

# The passes are made through the worker that the producer hides from its host.
# pyright: reportPrivateUsage=false

import json
import math
import threading
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

from barograph_core.errors import StreamUnavailableError
from barograph_producer import Producer
from barograph_producer._pack.packer import Packer
from tests.support import FakeClock, wait_until
from tests.unit.producer.fake_server import Call, FakeServer


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def producer(server: FakeServer) -> Iterator[Producer]:
    made = Producer("ranker", connect=server.connect, sample_process=False)
    yield made
    made.close()


def by_hand(server: FakeServer, clock: FakeClock, **settings: float) -> Producer:
    """Return a producer whose thread never starts, for passes made one by one."""
    made = Producer("ranker", connect=server.connect, clock=clock, sample_process=False, **settings)  # type: ignore[arg-type]
    made._lifecycle.state.permit.clear()
    return made


def test_every_kind_of_event_arrives(producer: Producer, server: FakeServer) -> None:
    producer.request(route="/predict", method="POST", status=200, duration_ms=12.5)
    producer.bind_request(route="/predict", method="POST", status=201)(3.5)
    producer.model(model="ctr", version="7", latency_ms=8.1, confidence=0.72, prediction=0.31, absolute_error=4.1)
    producer.system(instance="h", memory_mb=10.0)
    producer.observe("depth", 7, queue="fast")
    assert producer.flush()
    events = Counter[str]()
    for batch in server.batches():
        events[batch.kind.name] += batch.n
    assert events == {"request": 2, "model": 1, "system": 1, "custom": 1}


def test_the_figures_add_up(producer: Producer) -> None:
    """recorded = shipped + buffered + dropped."""
    for duration_ms in (1.0, math.nan, 2.0):
        producer.request("/a", "GET", 200, duration_ms)
    producer.flush()
    producer.close()
    producer.request("/a", "GET", 200, 3.0)
    stats = producer.stats()
    assert (stats.recorded, stats.shipped, stats.buffered) == (4, 2, 0)
    assert stats.dropped["invalid"] == 1
    assert stats.dropped["closed"] == 1
    assert stats.lost == 2


@pytest.mark.parametrize(
    "junk",
    [None, "x", pytest.param(object(), id="object()"), [], math.nan, np.array([200, 500]), np.array([], dtype=int)],
    ids=repr,
)
def test_recording_never_raises(producer: Producer, junk: object) -> None:
    """Whatever a host passes costs at most that one event."""
    producer.request(junk, junk, junk, junk)  # type: ignore[arg-type]
    producer.bind_request("/a", "GET")(junk)  # type: ignore[arg-type]
    producer.bind_request(junk, junk, junk)(junk)  # type: ignore[arg-type]
    producer.sampled_request(junk, junk, junk, junk, weight=junk, labels=junk)  # type: ignore[arg-type]
    producer.model(junk, junk, latency_ms=junk)  # type: ignore[arg-type]
    producer.system(instance=junk, memory_mb=junk)  # type: ignore[arg-type]
    producer.observe(junk, junk, label=junk)  # type: ignore[arg-type]
    assert producer.flush()
    assert producer.stats().dropped["invalid"] >= 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"service": "no spaces"}, "service 'no spaces'"),
        ({"service": "s", "prefix": "a:b"}, "prefix 'a:b'"),
        ({"service": "s", "url": "http://x"}, "url cannot be read"),
        ({"service": "s", "max_events": 0}, "max_events is 0"),
        ({"service": "s", "ship_every_ms": math.nan}, "ship_every_ms is nan"),
    ],
)
def test_a_wrong_setting_is_told_at_once(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Producer(**arguments)  # type: ignore[arg-type]


def test_a_password_in_a_wrong_url_is_not_told() -> None:
    with pytest.raises(ValueError, match="url") as caught:
        Producer("s", "redis://:se/cret@host:port")
    assert "cret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_no_thread_and_no_connection_before_the_first_event(server: FakeServer) -> None:
    """A producer made before a fork, or never used, costs nothing."""
    producer = Producer("ranker", connect=server.connect)
    assert producer._lifecycle.state.thread is None
    assert producer.close()
    assert server.connections == 0


def test_a_full_buffer_drops_the_newest_and_counts(server: FakeServer) -> None:
    producer = by_hand(server, FakeClock(), max_events=3)
    for i in range(5):
        producer.request(f"/{i}", "GET", 200, 1.0)
    assert producer.stats().buffered == 3
    producer._lifecycle.loop.make_pass()
    assert producer.stats().dropped["buffer_full"] == 2
    assert [labels[0] for labels in server.batches()[0].labels] == ["/0", "/1", "/2"]


def test_an_absent_server_costs_nothing_until_the_bounds_are_reached(server: FakeServer) -> None:
    """While the server is away events wait packed, then raw, then the newest are dropped and counted."""
    clock = FakeClock()
    producer = by_hand(server, clock, max_events=2_000, max_backlog_bytes=30_000)
    server.refuse = lambda _: StreamUnavailableError("unreachable")
    for _ in range(10):
        for i in range(1_000):  # waiting batches are compressed: no two durations alike
            producer.request("/a", "GET", 200, math.sqrt(i + 2))
        producer._lifecycle.loop.make_pass()
    stats = producer.stats()
    assert stats.recorded == 10_000
    assert stats.buffered == 10_000 - stats.dropped["buffer_full"]
    assert stats.dropped["buffer_full"] > 0
    assert stats.last_error == "unreachable"
    server.refuse = lambda _: None
    wait_until(lambda: producer._lifecycle.loop.make_pass(is_urgent=True))
    assert server.events() == producer.stats().shipped == stats.buffered
    assert producer.stats().last_error is None


def test_failures_are_tried_again_later_and_later(server: FakeServer) -> None:
    clock = FakeClock()
    producer = by_hand(server, clock)
    server.refuse = lambda _: StreamUnavailableError("unreachable")
    for _ in range(240):
        producer._lifecycle.loop.make_pass()
        clock.advance(250)
    assert 10 <= len(server.calls) <= 30


def test_heartbeats_tell_how_far_everything_is_shipped(server: FakeServer) -> None:
    clock = FakeClock(1_700_000_000_200)
    producer = by_hand(server, clock)
    producer._lifecycle.loop.make_pass()
    assert [(call.mode, call.through_ms) for call in server.calls] == [("heartbeat", clock.now_ms())]
    clock.advance(500)
    producer._lifecycle.loop.make_pass()
    assert len(server.calls) == 1
    clock.advance(500)
    producer._lifecycle.loop.make_pass()
    assert [call.through_ms for call in server.calls[1:]] == [clock.now_ms()]


def test_the_liveness_tells_what_was_dropped(server: FakeServer) -> None:
    producer = by_hand(server, FakeClock())
    producer.request("/a", "GET", 200, 1.0)
    producer.request("/a", "GET", 200, math.nan)
    producer._lifecycle.loop.make_pass()
    figures = json.loads(server.calls[-1].liveness)
    assert figures["sent"] == 1
    assert figures["dropped"] == {"invalid": 1}


def test_a_fault_of_ours_is_counted_and_ends_nothing(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    producer = by_hand(server, FakeClock())

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    producer.request("/a", "GET", 200, 1.0)
    with monkeypatch.context() as patch:
        patch.setattr(Packer, "pack", fail)
        producer._lifecycle.loop.make_pass()
    producer.request("/a", "GET", 200, 1.0)
    producer._lifecycle.loop.make_pass(is_urgent=True)
    assert server.events() == 1
    assert producer.stats().dropped["invalid"] == 1


def test_an_error_event_is_shipped_without_waiting_for_the_next_poll(server: FakeServer) -> None:
    """A common event waits for the poll, a minute here; an error wakes the shipper."""
    producer = Producer("ranker", connect=server.connect, sample_process=False, ship_every_ms=60_000)
    producer.request("/a", "GET", 200, 1.0)
    producer.flush()
    producer.request("/a", "GET", 500, 1.0)
    wait_until(lambda: server.events() == 2, timeout_s=0.9)
    producer.request("/a", "GET", 200, 5_000.0)
    wait_until(lambda: server.events() == 3, timeout_s=0.9)
    producer.close()


def test_close_ships_says_goodbye_and_may_be_called_again(producer: Producer, server: FakeServer) -> None:
    producer.request("/a", "GET", 200, 1.0)
    assert producer.close()
    assert producer.close()
    assert server.events() == 1
    assert server.calls[-1].mode == "goodbye"
    assert not server.producers


def test_close_counts_what_it_could_not_ship(server: FakeServer) -> None:
    """A server that stays away costs the timeout and a count, never more."""
    producer = Producer("ranker", connect=server.connect, sample_process=False)
    server.refuse = lambda _: StreamUnavailableError("unreachable")
    for _ in range(7):
        producer.request("/a", "GET", 200, 1.0)
    assert not producer.close(0.1)
    assert producer.stats().dropped["closed"] == 7


def test_many_threads_may_close_at_once(producer: Producer, server: FakeServer) -> None:
    producer.request("/a", "GET", 200, 1.0)
    threads = [threading.Thread(target=producer.close) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert server.events() == 1
    assert [call.mode for call in server.calls].count("goodbye") == 1


def test_after_a_pause_the_next_event_starts_anew(producer: Producer, server: FakeServer) -> None:
    producer.request("/a", "GET", 200, 1.0)
    assert producer.pause()
    assert not server.producers
    producer.request("/a", "GET", 200, 1.0)
    assert producer.flush()
    assert server.events() == 2
    assert server.producers


def test_an_event_recorded_during_a_pause_does_not_wait_for_the_next(server: FakeServer) -> None:
    """Nobody may come after it: the thread starts again when it has said goodbye."""
    is_leaving, may_leave = threading.Event(), threading.Event()

    def hold_goodbye(call: Call) -> None:
        if call.mode == "goodbye":
            is_leaving.set()
            may_leave.wait(60)

    server.refuse = hold_goodbye
    producer = Producer("ranker", connect=server.connect, sample_process=False)
    producer.request("/a", "GET", 200, 1.0)
    assert producer.flush()
    pausing = threading.Thread(target=producer.pause, args=(10.0,))
    pausing.start()
    assert is_leaving.wait(60)
    producer.request("/a", "GET", 200, 1.0)
    may_leave.set()
    pausing.join(60)
    wait_until(lambda: server.events() == 2, what="the event to be shipped")
    producer.close()


def test_threads_that_record_at_once_lose_nothing(producer: Producer, server: FakeServer) -> None:
    """Eight threads, one lock-free buffer, a shipper that drains it meanwhile."""

    def record() -> None:
        bound = producer.bind_request("/bound", "GET")
        for i in range(5_000):
            producer.request("/a", "GET", 200, float(i))
            bound(float(i))

    threads = [threading.Thread(target=record) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert producer.close(10)
    assert server.events() == producer.stats().recorded == 80_000


def test_a_forked_child_begins_empty_under_its_own_name(producer: Producer, server: FakeServer) -> None:
    """What the at-fork handler does, without the fork: the parent's events stay the parent's."""
    producer.flush()
    parent = producer.stats().instance
    producer._lifecycle.stop(1, is_final=False)
    producer._lifecycle.state.permit.clear()
    producer.request("/parent", "GET", 200, 1.0)
    producer._lifecycle.after_fork_in_child()
    assert producer.stats().recorded == 0
    assert producer.stats().instance != parent
    producer.request("/child", "GET", 200, 1.0)
    assert producer.flush()
    assert [batch.labels[0][0] for batch in server.batches()] == ["/child"]
