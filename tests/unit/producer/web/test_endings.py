"""How a response ends, and which status is recorded of it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import Response, StreamingResponse
from litestar import Litestar, post
from litestar import Request as LitestarRequest
from starlette.requests import ClientDisconnect

from barograph_producer import BarographMiddleware
from barograph_producer._web.lifespan import Receive, Scope, Send
from tests.unit.producer.web.asgi_driver import Driver, Sink


def with_middleware(app: FastAPI, has_middleware: bool) -> FastAPI:
    """Give ``app`` a middleware that does nothing: Starlette then runs the endpoint in a task of its own."""
    if has_middleware:

        @app.middleware("http")
        async def nothing(request: Request, call_next: Any) -> Response:
            response: Response = await call_next(request)
            return response

    return app


@pytest.mark.parametrize("last", ["body", "pathsend", "zerocopysend"])
def test_each_message_that_can_end_a_response_ends_it(last: str) -> None:
    """Servers that send a file themselves offer the last two as extensions."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 206, "headers": []})
        await send({"type": f"http.response.{last}"})

    driver = Driver.around(app)
    driver.get("/")
    assert driver.only.status == 206


def test_a_file_in_parts_ends_with_its_last_part() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.zerocopysend", "file": 0, "count": 3, "more_body": True})
        assert not driver.sink.recorded
        await send({"type": "http.response.zerocopysend", "file": 0, "count": 3})

    driver = Driver.around(app)
    driver.get("/")
    assert driver.only.status == 200


@pytest.mark.parametrize("has_middleware", [False, True])
def test_a_stream_whose_client_leaves_half_way_is_499(has_middleware: bool) -> None:
    """With a middleware Starlette ends the response as if it were whole; only ``receive`` shows that it is not."""
    left = asyncio.Event()
    app = with_middleware(FastAPI(), has_middleware)

    async def forever() -> AsyncIterator[bytes]:
        yield b"x"
        left.set()
        await asyncio.Event().wait()

    @app.get("/long")
    async def long() -> StreamingResponse:
        return StreamingResponse(forever())

    driver = Driver.around(app)
    driver.get("/long", leaves_at=left)
    assert (driver.only.route, driver.only.status) == ("/long", 499)


def test_an_endpoint_that_finds_its_client_gone_is_499() -> None:
    app = FastAPI()

    @app.get("/polls")
    async def polls(request: Request) -> str:
        while not await request.is_disconnected():
            await asyncio.sleep(0)
        return "gone"

    driver = Driver.around(app)
    driver.get("/polls", leaves=True)
    assert driver.only.status == 499


def test_a_client_that_leaves_during_its_upload_is_499() -> None:
    """Starlette answers 500 to its own ``ClientDisconnect``, and raises it again."""
    app = FastAPI()

    @app.post("/upload")
    async def upload(request: Request) -> None:
        await request.body()

    driver = Driver.around(app)
    with pytest.raises(ClientDisconnect):
        driver.get("/upload", method="POST", leaves=True)
    assert (driver.only.route, driver.only.status) == ("/upload", 499)


def test_a_client_that_leaves_during_its_upload_to_litestar_is_499() -> None:
    """Litestar answers 500 and raises nothing."""

    @post("/upload")
    async def upload(request: LitestarRequest[Any, Any, Any]) -> bytes:
        return await request.body()

    driver = Driver.around(Litestar([upload], openapi_config=None))
    sent = driver.get("/upload", method="POST", leaves=True)
    assert sent[0]["status"] == 500
    assert (driver.only.route, driver.only.status) == ("/upload", 499)


def test_an_exception_after_the_client_left_is_an_error_of_the_service() -> None:
    app = FastAPI()

    @app.get("/breaks")
    async def breaks(request: Request) -> None:
        assert await request.is_disconnected()
        raise RuntimeError("in the clean-up")

    driver = Driver.around(app)
    with pytest.raises(RuntimeError):
        driver.get("/breaks", leaves=True)
    assert driver.only.status == 500


def test_an_error_that_the_client_waited_for_stays_one() -> None:
    app = FastAPI()

    @app.get("/busy")
    async def busy(request: Request) -> None:
        assert not await request.is_disconnected()
        raise HTTPException(503)

    driver = Driver.around(app)
    driver.get("/busy")
    assert driver.only.status == 503


@pytest.mark.parametrize(("is_innermost", "status"), [(True, 500), (False, 200)])
def test_a_stream_that_fails_below_a_middleware_of_starlette_is_seen_from_inside_only(
    is_innermost: bool, status: int
) -> None:
    """Starlette completes the response and then raises: outside, it looks like a background task that failed."""

    async def half() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("half-way")

    app, sink = FastAPI(), Sink()
    if is_innermost:
        app.add_middleware(BarographMiddleware, producer=sink)
    with_middleware(app, has_middleware=True)
    if not is_innermost:
        app.add_middleware(BarographMiddleware, producer=sink)

    @app.get("/fails")
    async def fails() -> StreamingResponse:
        return StreamingResponse(half())

    driver = Driver(app, sink)
    with pytest.raises(RuntimeError, match="half-way"):
        driver.get("/fails")
    assert (driver.only.route, driver.only.status) == ("/fails", status)
