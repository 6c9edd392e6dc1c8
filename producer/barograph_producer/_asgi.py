"""Pure ASGI middleware: one request event per response, at a microsecond or two each."""

import asyncio
from collections.abc import Awaitable, Iterable
from types import CodeType
from typing import Final, TypeAlias

from barograph_core.clock import Clock
from barograph_producer._django import ROUTE_KEY
from barograph_producer._lifespan import App, Message, Receive, Scope, Send, serve_lifespan
from barograph_producer._middleware import RecordingMiddleware
from barograph_producer._observation import CLIENT_LEFT, MAX_RECORDS, METHODS, LabelsOf, Record, RequestSink
from barograph_producer._routes import RouteIndex, litestar_template

# The id of the route or endpoint, the method, the status.
Answer: TypeAlias = tuple[int, str, int]

# What ends a response when nothing more is announced.
_LAST: Final = ("http.response.body", "http.response.pathsend")
_SERVER_ERROR: Final = 500
_RECORDED: Final = -1
_MAX_CAUSES: Final = 8


class BarographMiddleware(RecordingMiddleware[App, Answer]):
    """Records every HTTP request: route template, method, status, and time to the last byte sent.

    Background tasks that run after the response are not part of the duration. An exception is recorded as
    status 500 and raised on unchanged. WebSockets pass through. Put it outermost:
    ``app.add_middleware(BarographMiddleware, producer=producer)`` as the last call, or, with any framework,
    ``app = BarographMiddleware(app, producer=producer)``. An application that is none of Starlette, FastAPI,
    Litestar and Django names its route with ``scope["barograph.route"] = "/items/{item}"``.

    The lifespan's start starts the producer, its end flushes and says goodbye: uvicorn does not run
    ``atexit`` handlers when it is told to terminate.
    """

    def __init__(
        self,
        app: App,
        *,
        producer: RequestSink,
        exclude: Iterable[str] = (),
        labels: LabelsOf | None = None,
        sample_every: int = 1,
        always_slow_ms: float = 1_000,
        shutdown_timeout_s: float = 2.0,
        clock: Clock | None = None,
    ) -> None:
        """Wrap ``app``; the arguments are those of `BarographWSGIMiddleware`, and one more.

        ``shutdown_timeout_s`` bounds the flush at the end of a lifespan, which pauses the producer.
        """
        super().__init__(
            app,
            producer=producer,
            exclude=exclude,
            labels=labels,
            sample_every=sample_every,
            always_slow_ms=always_slow_ms,
            clock=clock,
        )
        self._producer = producer
        self._shutdown_timeout_s = shutdown_timeout_s
        self._routes = RouteIndex(app)
        # Of those that go by the endpoint. The list holds routes and endpoints, so that no id comes to mean another.
        self._others: dict[Answer, Record] = {}
        self._held: list[object] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; anything but HTTP and lifespan passes through untouched."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await serve_lifespan(self._app, self._producer, self._shutdown_timeout_s, scope, receive, send)
            else:
                await self._app(scope, receive, send)
            return
        if self._is_excluded is not None and self._is_excluded(scope["path"]):
            await self._app(scope, receive, send)
            return
        # Without ``__init__``, whose call would cost as much as all the rest of this.
        exchange = _Exchange()
        exchange.middleware = self
        exchange.scope = scope
        exchange.server_receive = receive
        exchange.server_send = send
        exchange.status = 0
        exchange.has_left = False
        # Attributes that are called are made local first, here and below: that is the cheaper way to call them.
        app, now_s = self._app, self.now_s
        exchange.started_s = now_s()
        try:
            await app(scope, exchange.receive, exchange.send)
        except BaseException as exc:
            if exchange.status != _RECORDED:  # pyright: ignore[reportUnnecessaryComparison]  # ``send`` changes it
                exchange.record(_outcome(exc, exchange))
            raise
        if exchange.status != _RECORDED:  # pyright: ignore[reportUnnecessaryComparison]  # as above
            # No response, or half of one: the server answers 500 in the application's place.
            exchange.record(CLIENT_LEFT if exchange.has_left else _SERVER_ERROR)

    def record(self, scope: Scope, status: int, duration_ms: float) -> None:
        """Record a response whose recorder ``records`` does not hold. Never raises."""
        try:
            record = self._find_record(scope, status)
            if self.needs_source:
                record(duration_ms, scope)
            else:
                record(duration_ms)
        except Exception:  # noqa: BLE001  # whatever a framework left in the scope must not fail the request
            return

    def _find_record(self, scope: Scope, status: int) -> Record:
        method: str = scope["method"]
        marker = scope.get("route")
        if marker is None:
            marker = scope.get("endpoint")
        key = (id(marker), method, status)
        record = self._others.get(key)
        if record is not None:
            return record
        template = self._routes.template_of(scope)
        is_fixed = self._routes.is_fixed(marker)
        if not is_fixed:
            named = scope.get(ROUTE_KEY)
            template = named if isinstance(named, str) else litestar_template(scope) or template
        record = self._observation.record_of(template, method, status)
        if is_fixed and method in METHODS and len(self._held) < MAX_RECORDS:
            self._held.append(marker)
            (self._others if scope.get("route") is None else self.records)[key] = record
        return record


class _Exchange:
    """One request and its response. Slots: an object with closures over as much costs a quarter more.

    Attributes:
        status: 0 before the response begins, ``_RECORDED`` with its last message.
        has_left: Whether the application was told that the client did.
    """

    __slots__ = ("has_left", "middleware", "scope", "server_receive", "server_send", "started_s", "status")
    has_left: bool
    middleware: BarographMiddleware
    scope: Scope
    server_receive: Receive
    server_send: Send
    started_s: float
    status: int

    async def receive(self) -> Message:
        message = await self.server_receive()
        if message["type"] == "http.disconnect":
            self.has_left = True
        return message

    def send(self, message: Message) -> Awaitable[None]:
        """Pass a message on. Not a coroutine of its own: all but the last go straight to the server."""
        send, status = self.server_send, self.status
        if status == 0:
            # Only the start has one, and few messages come before it. Its type need not be looked at for that.
            if "status" in message:
                self.status = message["status"]
        elif (
            status != _RECORDED
            # Not ``get``, a call that most messages need not make.
            and ("more_body" not in message or not message["more_body"])
            and message["type"] in _LAST
        ):
            return self._finish(send, message, status)
        return send(message)

    async def _finish(self, send: Send, message: Message, status: int) -> None:
        """Send the last message, then record the response: what follows it changes nothing."""
        self.status = _RECORDED
        try:
            await send(message)
        except BaseException as exc:
            status = CLIENT_LEFT if isinstance(exc, OSError | asyncio.CancelledError) else _SERVER_ERROR
            raise
        finally:
            middleware, scope = self.middleware, self.scope
            now_s = middleware.now_s
            duration_ms = (now_s() - self.started_s) * 1_000
            try:
                record = middleware.records[id(scope["route"]), scope["method"], status]
            except (KeyError, TypeError):  # not seen before, no route of Starlette's, or a status that is no number
                middleware.record(scope, status, duration_ms)
            else:
                if middleware.needs_source:
                    record(duration_ms, scope)
                else:
                    record(duration_ms)

    def record(self, status: int) -> None:
        """Record what ended in another way."""
        self.middleware.record(self.scope, status, (self.middleware.now_s() - self.started_s) * 1_000)


def _outcome(exc: BaseException, exchange: _Exchange) -> int:
    """Tell a client that left from an error of the service, by how the application ended."""
    if isinstance(exc, asyncio.CancelledError) or (exchange.has_left and type(exc).__name__ == "ClientDisconnect"):
        return CLIENT_LEFT
    code = getattr(exchange.server_send, "__code__", None)
    cause: BaseException | None = exc
    for _ in range(_MAX_CAUSES):
        if isinstance(cause, OSError) and exchange.status and (code is None or _came_through(code, cause)):
            return CLIENT_LEFT
        cause = None if cause is None else cause.__cause__ or cause.__context__
    return _SERVER_ERROR


def _came_through(code: CodeType, exc: BaseException) -> bool:
    """Say whether ``exc`` was raised in the server's ``send``: only there an OSError means the client."""
    traceback = exc.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code is code:
            return True
        traceback = traceback.tb_next
    return False
