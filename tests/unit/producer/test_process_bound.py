"""The parts of a producer that belong to one process: a copy, a child and an idle producer have none of them."""

# The hooks of the process are called by hand.
# pyright: reportPrivateUsage=false

import pickle
import tempfile
import threading
from typing import Any

import pytest

from barograph_producer import BarographMiddleware, BarographWSGIMiddleware, Producer
from barograph_producer._sample import sampler
from barograph_producer._ship import process as _process
from tests.support import FakeClock
from tests.unit.producer.fake_server import FakeServer, series_of


async def app(_scope: Any, _receive: Any, _send: Any) -> None: ...


def wsgi_app(_environ: Any, _start_response: Any) -> list[bytes]:
    return []


def take(_result: object) -> float:
    return 0.5


def copy_of(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))  # noqa: S301  # our own


def test_a_pickled_producer_carries_its_settings_and_nothing_else() -> None:
    """A cluster scheduler copies the application, with a producer that runs and has events."""
    server = FakeServer()
    producer = Producer("ranker", "redis://127.0.0.1:1/0", max_events=7, sample_process=False)
    producer._connect = server.connect
    producer.request("/a", "GET", 200, 1.0)
    assert producer.flush()
    copied = copy_of(producer)
    assert copied._settings == producer._settings
    assert copied._settings.max_events == 7
    assert copied.stats().recorded == 0
    assert copied.stats().instance != producer.stats().instance
    producer.close()


def test_a_pickled_track_and_middleware_record_with_the_producer_that_is_pickled_with_them() -> None:
    producer = Producer("ranker", sample_process=False)
    producer._lifecycle.state.permit.clear()
    track = producer.track("ctr", "7", prediction=take)
    asgi = BarographMiddleware(app, producer=producer, exclude=("/health",), shutdown_timeout_s=1.0)
    wsgi = BarographWSGIMiddleware(wsgi_app, producer=producer, sample_every=2)
    wsgi.records["/a", "GET", "200 OK"] = producer.bind_request("/a", "GET")  # type: ignore[index]
    copied, copied_track, copied_asgi, copied_wsgi = copy_of((producer, track, asgi, wsgi))
    copied._lifecycle.state.permit.clear()
    with copied_track:
        pass
    assert copied.stats().recorded == 1
    assert copied_asgi._producer is copied
    assert copied_asgi._options == {**asgi._options, "producer": copied}
    assert copied_wsgi._options["sample_every"] == 2
    assert copied_wsgi.records == {}


def test_the_functions_of_a_producer_are_not_pickled_alone() -> None:
    """They would record into lists that no thread of the other process reads."""
    producer = Producer("ranker", sample_process=False)
    with pytest.raises(TypeError, match="pass the producer itself"):
        pickle.dumps(producer._lifecycle.turn_away)


def test_a_fork_waits_for_a_connection_that_is_being_made() -> None:
    """A child whose parent was looking up a host name would wait for the look-up's locks for ever."""
    may_end, order = threading.Event(), list[str]()

    def connect() -> None:
        with _process.connecting():
            order.append("connecting")
            may_end.wait(60)
            order.append("connected")

    thread = threading.Thread(target=connect)
    thread.start()
    while not order:
        may_end.wait(0.001)
    threading.Timer(0.03, may_end.set).start()
    _process._before_fork()
    order.append("forked")
    _process._after_fork_in_parent()
    thread.join(60)
    assert order == ["connecting", "connected", "forked"]


def test_a_fork_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_process, "_MOST_POLLS", 3)
    with _process.connecting():
        _process._before_fork()
        _process._after_fork_in_parent()
    assert not _process._connecting
    assert not _process._forking


def test_a_connection_waits_for_a_fork() -> None:
    _process._before_fork()
    threading.Timer(0.03, _process._after_fork_in_parent).start()
    with _process.connecting():
        assert not _process._forking


def test_a_record_opens_its_buffer_until_the_thread_ends() -> None:
    """Passes of the loop leave it open: the calls of a quiet API take no longer way than those of a busy one."""
    clock = FakeClock()
    producer = Producer("ranker", connect=FakeServer().connect, clock=clock, sample_process=False, ship_every_ms=60_000)
    buffers = producer._buffers
    producer.request("/a", "GET", 200, 1.0)
    assert producer.flush()
    assert [form for form, buffer in buffers.items() if buffer.is_open] == ["request"]
    assert producer.pause()
    assert not buffers["request"].is_open
    producer.close()


def test_a_clean_close_reports_no_loss() -> None:
    """The sample that becomes due while the producer closes is not recorded."""
    clock, server = FakeClock(), FakeServer()
    producer = Producer("ranker", connect=server.connect, clock=clock, sample_every_ms=100)
    producer._lifecycle.state.permit.clear()
    producer.request("/a", "GET", 200, 1.0)
    producer._lifecycle.state.permit.append(True)
    assert producer.close()
    assert (producer.stats().recorded, producer.stats().lost) == (1, 0)


def test_without_any_directory_to_write_to_the_process_is_sampled_and_the_host_is_not(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A container with a read-only root and no temporary directory."""

    def refuse() -> str:
        raise FileNotFoundError("no usable temporary directory")

    monkeypatch.setattr(tempfile, "gettempdir", refuse)
    monkeypatch.setattr(sampler, "_active", {})  # its passes are made by hand, so nothing stops it
    caplog.set_level("INFO")
    clock, server = FakeClock(), FakeServer()
    producer = Producer("ranker", connect=server.connect, clock=clock)
    producer._lifecycle.state.permit.clear()
    for _ in range(3):
        producer._lifecycle.loop.make_pass()
        clock.advance(5_000)
    producer._lifecycle.loop.make_pass(is_urgent=True)
    scopes = [batch.labels[series][1] for batch in server.batches() for series in series_of(batch)]
    assert set(scopes) == {"process"}
    assert [record.message for record in caplog.records] == ["producer.no_host_figures"]
