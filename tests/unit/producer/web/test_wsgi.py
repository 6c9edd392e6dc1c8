from collections.abc import Iterable, Iterator
from typing import Any
from wsgiref.util import FileWrapper

import pytest

from barograph_producer import BarographWSGIMiddleware
from barograph_producer._record.signatures import RecordBoundRequest
from tests.support import FakeClock
from tests.unit.producer.web.asgi_driver import Sink
from tests.unit.producer.web.wsgi_driver import WsgiDriver, close


class Body:
    """A streamed body that knows whether it was closed, and how often."""

    def __init__(self, chunks: int, clock: FakeClock, failure: BaseException | None = None) -> None:
        self.closed = 0
        self._chunks, self._clock, self._failure = chunks, clock, failure

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(self._chunks):
            self._clock.advance(10)
            yield b"x"
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        self.closed += 1
        self._clock.advance(300)


def answering(body: Iterable[bytes], status: str = "200 OK") -> Any:
    def app(_environ: object, start_response: Any) -> Iterable[bytes]:
        start_response(status, [("Content-Type", "text/plain")])
        return body

    return app


def around(app: object, clock: FakeClock) -> WsgiDriver:
    sink = Sink()
    return WsgiDriver(BarographWSGIMiddleware(app, producer=sink, clock=clock), sink, clock)  # type: ignore[arg-type]  # any WSGI application


def test_status_and_method_are_recorded() -> None:
    driver = WsgiDriver.around(answering([b"x"], "418 I'm a teapot"))
    assert driver.get("/", method="PATCH") == b"x"
    assert (driver.only.method, driver.only.status, driver.statuses) == ("PATCH", 418, ["418 I'm a teapot"])


@pytest.mark.parametrize("method", ["BREW", "get", "x" * 1000])
def test_an_unknown_method_is_one_series(method: str) -> None:
    """A client may send any word."""
    driver = WsgiDriver.around(answering([b"x"]))
    driver.get("/", method=method)
    assert driver.only.method == "__other__"


def test_the_duration_ends_with_the_last_chunk_and_before_what_runs_at_close() -> None:
    clock = FakeClock()
    body = Body(3, clock)
    driver = around(answering(body), clock)
    driver.get("/")
    assert driver.only.duration_ms == pytest.approx(30)
    assert (driver.only.status, body.closed) == (200, 1)


def test_a_body_the_client_did_not_wait_for_is_499() -> None:
    clock = FakeClock()
    body = Body(3, clock)
    driver = around(answering(body), clock)
    opened = driver.open("/")
    assert next(iter(opened)) == b"x"
    close(opened)
    assert (driver.only.status, body.closed) == (499, 1)


def test_a_body_that_is_never_asked_for_keeps_its_status() -> None:
    """Some servers do not iterate the answer to HEAD."""
    driver = WsgiDriver.around(answering([b"x"]))
    close(driver.open("/", method="HEAD"))
    assert (driver.only.method, driver.only.status) == ("HEAD", 200)


def test_an_exception_is_recorded_as_500_and_raised_unchanged() -> None:
    failure = RuntimeError("boom")

    def app(_environ: object, _start_response: object) -> Iterable[bytes]:
        raise failure

    driver = WsgiDriver.around(app)
    with pytest.raises(RuntimeError) as caught:
        driver.get("/")
    assert caught.value is failure
    assert driver.only.status == 500


def test_a_failure_in_the_middle_of_a_stream_is_an_error() -> None:
    clock = FakeClock()
    failure = RuntimeError("boom")
    driver = around(answering(Body(1, clock, failure)), clock)
    with pytest.raises(RuntimeError) as caught:
        driver.get("/")
    assert caught.value is failure
    assert driver.only.status == 500


def test_a_second_start_response_decides() -> None:
    """PEP 3333: with ``exc_info`` an application replaces what it began."""

    def app(_environ: object, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        start_response("503 Service Unavailable", [], (None, None, None))
        return [b"x"]

    driver = WsgiDriver.around(app)
    driver.get("/")
    assert driver.only.status == 503


def test_a_generator_that_starts_late_is_recorded() -> None:
    """``start_response`` is then called with the first chunk."""

    def app(_environ: object, start_response: Any) -> Iterator[bytes]:
        start_response("201 Created", [])
        yield b"x"

    driver = WsgiDriver.around(app)
    driver.get("/")
    assert driver.only.status == 201


def test_no_status_at_all_is_an_error() -> None:
    def app(_environ: object, _start_response: object) -> Iterable[bytes]:
        return []

    driver = WsgiDriver.around(app)
    driver.get("/")
    assert driver.only.status == 500


@pytest.mark.parametrize("status", ["", "OK", 200, None, ["200 OK"]])
def test_a_status_line_that_is_none_goes_to_the_server_and_is_an_error(status: Any) -> None:
    """The server refuses it in its own words, and answers 500."""
    driver = WsgiDriver.around(answering([b"x"], status))
    for _ in range(2):
        assert driver.get("/") == b"x"
    assert driver.statuses == [status] * 2
    assert [r.status for r in driver.sink.recorded] == [500] * 2


@pytest.mark.parametrize("request_object", [object(), None, 7])
def test_a_request_object_that_is_not_flasks_costs_only_the_route(request_object: object) -> None:
    """Werkzeug leaves its own in the environ when it is used without Flask."""

    def app(environ: dict[str, object], start_response: Any) -> Iterable[bytes]:
        environ["werkzeug.request"] = request_object
        start_response("202 Accepted", [])
        return [b"x"]

    driver = WsgiDriver.around(app)
    driver.get("/")
    assert (driver.only.route, driver.only.method, driver.only.status) == ("__unmatched__", "GET", 202)


def test_an_answer_without_a_method_is_served_all_the_same() -> None:
    """What a server forgot must not fail the request, only the event."""

    def start_response(*_: object) -> None:
        pass

    driver = WsgiDriver.around(answering([b"x"]))
    body = driver.app({"PATH_INFO": "/"}, start_response)
    assert b"".join(body) == b"x"
    assert not driver.sink.recorded


def test_a_body_that_is_read_again_after_its_end_is_not_recorded_again() -> None:
    driver = WsgiDriver.around(answering([b"x"]))
    body = driver.open("/")
    assert [b"".join(body), b"".join(body)] == [b"x", b"x"]
    close(body)
    assert driver.only.status == 200


def test_an_answer_that_begins_again_after_it_was_recorded_changes_nothing() -> None:
    """An application may call ``start_response`` once more while it is closed."""

    class Late(Body):
        def __init__(self, start_response: Any) -> None:
            super().__init__(1, FakeClock())
            self._start_response = start_response

        def close(self) -> None:
            self._start_response("500 Too Late", [], (None, None, None))

    def app(_environ: object, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return Late(start_response)

    driver = WsgiDriver.around(app)
    driver.get("/")
    assert (driver.only.status, driver.statuses) == (200, ["200 OK", "500 Too Late"])


def test_a_list_keeps_its_length() -> None:
    """Servers derive Content-Length from a list of one chunk."""
    body: Any = WsgiDriver.around(answering([b"abc"])).open("/")
    assert len(body) == 1


def test_a_file_for_the_server_stays_one(tmp_path: Any) -> None:
    """Servers send it with sendfile if they find their own type."""
    (tmp_path / "x").write_bytes(b"abc")
    file = (tmp_path / "x").open("rb")
    driver = WsgiDriver.around(answering(FileWrapper(file)))
    more: dict[str, Any] = {"wsgi.file_wrapper": FileWrapper}
    body = driver.open("/", **more)
    assert isinstance(body, FileWrapper)
    assert not driver.sink.recorded
    close(body)
    assert (driver.only.status, file.closed) == (200, True)


def test_a_producer_that_fails_does_not_fail_the_request() -> None:
    class Broken(Sink):
        def bind_request(self, *_: object, **__: object) -> RecordBoundRequest:
            raise RuntimeError("boom")

    sink = Broken()
    driver = WsgiDriver(BarographWSGIMiddleware(answering([b"x"]), producer=sink), sink)
    assert driver.get("/") == b"x"


def test_an_application_may_name_its_route() -> None:
    def app(environ: dict[str, object], start_response: Any) -> Iterable[bytes]:
        environ["barograph.route"] = "/rooms/{room}"
        start_response("200 OK", [])
        return [b"x"]

    driver = WsgiDriver.around(app)
    driver.get("/rooms/7")
    assert driver.only.route == "/rooms/{room}"
