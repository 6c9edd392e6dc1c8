import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any, cast

import pytest
from fastapi import BackgroundTasks, FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Mount

from barograph_producer import BarographMiddleware
from barograph_producer._record.signatures import RecordBoundRequest
from barograph_producer._web.lifespan import AsgiApp, Message, Receive, Scope, Send
from tests.support import FakeClock
from tests.unit.producer.web.asgi_driver import Driver, Sink


def answer(status: int = 200, *, bodies: int = 1, clock: FakeClock | None = None) -> AsgiApp:
    """Return an application that answers in so many body messages, 10 ms before each."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        for i in range(bodies):
            if clock is not None:
                clock.advance(10)
            await send({"type": "http.response.body", "body": b"x", "more_body": i < bodies - 1})

    return app


def test_status_and_method_are_recorded() -> None:
    driver = Driver.around(answer(418))
    driver.get("/", method="PATCH")
    assert (driver.only.method, driver.only.status) == ("PATCH", 418)


@pytest.mark.parametrize("method", ["BREW", "get", "x" * 1000])
def test_an_unknown_method_is_one_series(method: str) -> None:
    """A client may send any word."""
    driver = Driver.around(answer())
    driver.get("/", method=method)
    assert driver.only.method == "__other__"


def test_the_duration_ends_with_the_last_byte() -> None:
    clock, sink = FakeClock(), Sink()
    driver = Driver(BarographMiddleware(answer(bodies=3, clock=clock), producer=sink, clock=clock), sink, clock)
    driver.get("/")
    assert driver.only.duration_ms == 30


def test_a_background_task_is_not_part_of_the_duration() -> None:
    """Peers record a 3 ms response with a 300 ms background task as 303 ms."""
    app, clock, sink = FastAPI(), FakeClock(), Sink()
    ran: list[bool] = []

    async def slow() -> None:
        clock.advance(300)
        ran.append(True)

    @app.get("/")
    async def respond(background: BackgroundTasks) -> str:
        clock.advance(3)
        background.add_task(slow)
        return "x"

    driver = Driver(BarographMiddleware(app, producer=sink, clock=clock), sink, clock)
    driver.get("/")
    assert ran
    assert driver.only.duration_ms == 3


def test_an_exception_is_recorded_as_500_and_raised_unchanged() -> None:
    failure = RuntimeError("boom")

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise failure

    driver = Driver.around(app)
    with pytest.raises(RuntimeError) as caught:
        driver.get("/")
    assert caught.value is failure
    assert driver.only.status == 500


def test_an_exception_inside_fastapi_is_recorded_once() -> None:
    app, sink = FastAPI(), Sink()
    app.add_middleware(BarographMiddleware, producer=sink)

    @app.get("/fail/{x}")
    async def fail(x: int) -> None:
        raise ValueError(x)

    driver = Driver(app, sink)
    with pytest.raises(ValueError, match="1"):
        driver.get("/fail/1")
    assert (driver.only.route, driver.only.status) == ("/fail/{x}", 500)


def test_a_failure_in_the_middle_of_a_stream_is_an_error() -> None:
    """The status line said 200, the client got half an answer."""

    async def half() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("boom")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await StreamingResponse(half())(scope, receive, send)

    driver = Driver.around(app)
    with pytest.raises(RuntimeError):
        driver.get("/")
    assert driver.only.status == 500


def test_what_is_sent_after_the_last_byte_passes_through_unrecorded() -> None:
    """Trailers follow the body; a second body is the server's to refuse."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(201)(scope, receive, send)
        await send({"type": "http.response.trailers", "headers": [], "more_trailers": False})
        await send({"type": "http.response.body", "body": b"y", "more_body": False})

    driver = Driver.around(app)
    sent = driver.get("/")
    assert [message["type"].removeprefix("http.response.") for message in sent] == ["start", "body", "trailers", "body"]
    assert driver.only.status == 201


def test_a_last_message_that_is_made_and_never_sent_is_no_answer() -> None:
    """An application that forgets to await, or whose task is cancelled before it begins to send."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        forgotten = cast("Coroutine[object, object, None]", send({"type": "http.response.body", "body": b"x"}))
        forgotten.close()

    driver = Driver.around(app)
    driver.get("/")
    assert driver.only.status == 500


@pytest.mark.parametrize("status", [[200], {}, None])
def test_a_status_that_is_no_number_goes_to_the_server(status: Any) -> None:
    """What the server says of it is its own; ours must not raise before."""
    app = Starlette(routes=[Mount("/", answer(status))])
    sent = Driver.around(app).get("/")
    assert sent[0]["status"] == status


def test_an_exception_after_the_last_byte_changes_nothing() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(201)(scope, receive, send)
        raise RuntimeError("in a background task")

    driver = Driver.around(app)
    with pytest.raises(RuntimeError):
        driver.get("/")
    assert driver.only.status == 201


def test_a_client_that_left_is_not_an_error_of_the_service() -> None:
    async def app(scope: Scope, receive: Receive, _send: Send) -> None:
        assert await Request(scope, receive).is_disconnected()

    driver = Driver.around(app)
    driver.get("/", leaves=True)
    assert driver.only.status == 499


def test_a_cancelled_request_is_recorded_and_stays_cancelled() -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise asyncio.CancelledError

    driver = Driver.around(app)
    with pytest.raises(asyncio.CancelledError):
        driver.get("/")
    assert driver.only.status == 499


def test_no_answer_at_all_is_an_error() -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        pass

    driver = Driver.around(app)
    driver.get("/")
    assert driver.only.status == 500


def test_a_producer_that_fails_does_not_fail_the_request() -> None:
    class Broken(Sink):
        def bind_request(self, *_: object, **__: object) -> RecordBoundRequest:
            raise RuntimeError("boom")

    sink = Broken()
    sent = Driver(BarographMiddleware(answer(), producer=sink), sink).get("/")
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]


def test_websockets_pass_through_untouched() -> None:
    seen: list[object] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend((scope, receive, send))

    async def receive() -> Message:
        return {}

    async def send(_: Message) -> None:
        pass

    sink, scope = Sink(), {"type": "websocket", "path": "/ws"}
    asyncio.run(BarographMiddleware(app, producer=sink)(scope, receive, send))
    assert seen == [scope, receive, send]
    assert not sink.recorded


def test_the_lifespan_starts_the_producer_and_flushes_before_the_server_leaves() -> None:
    """A server exits as soon as it hears that the shutdown is complete."""
    driver = Driver.around(FastAPI())
    driver.live()
    assert driver.sink.acts == [
        "start",
        "lifespan.startup.complete",
        "pause 2.0",
        "lifespan.shutdown.complete",
    ]


@pytest.mark.parametrize("raises", [True, False])
def test_an_application_that_knows_no_lifespan_is_flushed_all_the_same(raises: bool) -> None:
    """It may raise, as the specification has it, or just return."""

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        if raises:
            assert scope["type"] == "http"

    driver = Driver.around(app)
    driver.live()
    assert driver.sink.acts == [
        "start",
        "lifespan.startup.complete",
        "pause 2.0",
        "lifespan.shutdown.complete",
    ]


def test_a_failed_start_stays_a_failed_start() -> None:
    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        await receive()
        raise RuntimeError("no database")

    driver = Driver.around(app)
    with pytest.raises(RuntimeError, match="no database"):
        driver.live()
    assert not driver.sink.acts
