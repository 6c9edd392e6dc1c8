"""Pure ASGI middleware: one request event per response, at a few microseconds each."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, Protocol, TypeAlias

from barograph_core.clock import Clock, SystemClock
from barograph_core.events import OTHER_LABEL
from barograph_producer._recorder import RecordRequest
from barograph_producer._routes import RouteIndex

# As in the ASGI specification; the values are the server's and the framework's own.
Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

# A client may send any word as a method: what is not one of these is one series.
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"))
_SERVER_ERROR: Final = 500
# What nginx logs for a client that left before the answer; not an error of the service.
_CLIENT_LEFT: Final = 499


class RequestSink(Protocol):
    """What the middleware needs of a producer."""

    @property
    def request(self) -> RecordRequest: ...

    def start(self) -> None: ...

    def pause(self, timeout_s: float, /) -> bool: ...


class BarographMiddleware:
    """Records every HTTP request: route template, method, status, and time to the last byte sent.

    Background tasks that run after the response are not part of the duration. An exception is recorded as
    status 500 and raised on unchanged. Put it outermost: ``app.add_middleware(BarographMiddleware,
    producer=producer)`` as the last call, or ``app = BarographMiddleware(app, producer=producer)``.

    The lifespan's start starts the producer, its end flushes and says goodbye: uvicorn does not run
    ``atexit`` handlers when it is told to terminate.
    """

    def __init__(
        self,
        app: App,
        *,
        producer: RequestSink,
        shutdown_timeout_s: float = 2.0,
        clock: Clock | None = None,
    ) -> None:
        """Wrap ``app``.

        Args:
            app: The ASGI application.
            producer: Takes the events; it is paused, not closed, at the end of a lifespan.
            shutdown_timeout_s: Bound on the flush at the end of a lifespan.
            clock: For tests.
        """
        self._app = app
        self._producer = producer
        self._shutdown_timeout_s = shutdown_timeout_s
        self._now_ms = (clock or SystemClock()).monotonic_ms
        self._routes = RouteIndex(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; anything but HTTP and lifespan passes through untouched."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Routers change the scope in place.
        exchange = _Exchange(self, scope, receive, send)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except asyncio.CancelledError:
            exchange.record(_CLIENT_LEFT)
            raise
        except BaseException:
            exchange.record(_CLIENT_LEFT if exchange.has_send_failed else _SERVER_ERROR)
            raise
        # No response at all: the server answers 500 in the application's place.
        exchange.record(_CLIENT_LEFT if exchange.has_client_left else _SERVER_ERROR)

    def record(self, scope: Scope, path: str, root_path: str, status: int, started_ms: float) -> None:
        """Record a response. Never raises."""
        duration_ms = self._now_ms() - started_ms
        with contextlib.suppress(Exception):
            method = scope["method"]
            self._producer.request(
                self._routes.template_of(scope, path, root_path),
                method if method in _METHODS else OTHER_LABEL,
                status,
                duration_ms,
            )

    def now_ms(self) -> float:
        """Return the monotonic time."""
        return self._now_ms()

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_received = False

        async def receive_and_note() -> Message:
            nonlocal has_received
            has_received = True
            return await receive()

        async def send_and_act(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                self._producer.start()
            elif message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
                # Blocks the loop, which serves nobody any more, and works on any loop.
                self._producer.pause(self._shutdown_timeout_s)
            await send(message)

        try:
            await self._app(scope, receive_and_note, send_and_act)
        except Exception:
            if has_received:
                raise
            # The application knows no lifespan. Ours is needed all the same, for the flush.
            await receive()
            await send_and_act({"type": "lifespan.startup.complete"})
            await receive()
            await send_and_act({"type": "lifespan.shutdown.complete"})


class _Exchange:
    """One request and its response."""

    __slots__ = (
        "_is_recorded",
        "_middleware",
        "_path",
        "_receive",
        "_root_path",
        "_scope",
        "_send",
        "_started_ms",
        "_status",
        "has_client_left",
        "has_send_failed",
    )

    def __init__(self, middleware: BarographMiddleware, scope: Scope, receive: Receive, send: Send) -> None:
        self._middleware = middleware
        self._scope = scope
        self._path: str = scope["path"]
        self._root_path: str = scope.get("root_path", "")
        self._receive = receive
        self._send = send
        self._status = 0
        self._is_recorded = False
        self.has_client_left = False
        self.has_send_failed = False
        self._started_ms = middleware.now_ms()

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.has_client_left = True
        return message

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            self._status = message["status"]
        try:
            await self._send(message)
        except OSError:
            self.has_send_failed = True
            raise
        if (kind == "http.response.body" and not message.get("more_body")) or kind == "http.response.pathsend":
            self.record(self._status)

    def record(self, status: int) -> None:
        """Record the response once; what follows the last byte changes nothing."""
        if not self._is_recorded:
            self._is_recorded = True
            self._middleware.record(self._scope, self._path, self._root_path, status, self._started_ms)
