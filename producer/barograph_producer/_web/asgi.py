"""Pure ASGI middleware: one request event per response, at a microsecond or two each."""

import asyncio
from collections.abc import Awaitable, Iterable
from types import CodeType
from typing import Final, TypeAlias

from barograph_core.clock import Clock
from barograph_producer._web.django import ROUTE_KEY
from barograph_producer._web.lifespan import AsgiApp, Message, Receive, Scope, Send, serve_lifespan
from barograph_producer._web.middleware import OBSERVERS, OUTER_ENVIRON, RecordingMiddleware
from barograph_producer._web.observation import (
    CLIENT_LEFT,
    MAX_RECORDS,
    METHODS,
    LabelsOf,
    RequestSink,
    ResponseRecorder,
)
from barograph_producer._web.routes import RouteIndex, litestar_template

# The id of the route or endpoint, the method and the status.
AsgiAnswer: TypeAlias = tuple[int, str, int]

# Types of messages that end a response unless they announce another message.
_LAST: Final = ("http.response.body", "http.response.pathsend", "http.response.zerocopysend")
_SERVER_ERROR: Final = 500
_RECORDED: Final = -1
_MAX_CAUSES: Final = 8


class BarographMiddleware(RecordingMiddleware[AsgiApp, AsgiAnswer]):
    """Records every HTTP request: route template, method, status, and time to the last byte sent.

    Background tasks that run after the response are not part of the duration. An exception is recorded as
    status 500 and passes on unchanged. A response is recorded as 499 if the application learned before its last message
    that the client left, or if the server's ``send`` raised. WebSockets pass through. Make it the outermost middleware:
    ``app.add_middleware(BarographMiddleware, producer=producer)`` as the last call, or, with any framework,
    ``app = BarographMiddleware(app, producer=producer)``. An application with another framework than Starlette,
    FastAPI, Litestar and Django sets its route with ``scope["barograph.route"] = "/items/{item}"``.

    The start of the lifespan starts the producer. Its end flushes and says goodbye, because uvicorn does not run
    ``atexit`` handlers on SIGTERM.
    """

    def __init__(
        self,
        app: AsgiApp,
        *,
        producer: RequestSink,
        exclude: Iterable[str] = (),
        labels: LabelsOf | None = None,
        sample_every: int = 1,
        always_slow_ms: float = 1_000,
        shutdown_timeout_s: float = 2.0,
        clock: Clock | None = None,
    ) -> None:
        """Wrap ``app``, with the arguments of `BarographWSGIMiddleware` and ``shutdown_timeout_s``.

        The latter limits the flush at the end of a lifespan, which pauses the producer.
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
        self._options["shutdown_timeout_s"] = shutdown_timeout_s
        self._producer = producer
        self._shutdown_timeout_s = shutdown_timeout_s
        self._routes = RouteIndex(app)
        # Recorders of responses that are identified by the endpoint. The list keeps routes and endpoints alive, so that
        # no other object gets the id of one.
        self._others: dict[AsgiAnswer, ResponseRecorder] = {}
        self._held: list[object] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; other types than HTTP and lifespan pass through unchanged."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await serve_lifespan(self._app, self._producer, self._shutdown_timeout_s, scope, receive, send)
            else:
                await self._app(scope, receive, send)
            return
        if self._is_excluded is not None and self._is_excluded(scope["path"]):
            await self._app(scope, receive, send)
            return
        if OBSERVERS not in scope and OUTER_ENVIRON not in scope:  # so for all but few; the call would cost more
            scope[OBSERVERS] = self._observers
        elif self._is_observed(scope, scope.get(OUTER_ENVIRON)):
            await self._app(scope, receive, send)
            return
        # Set the attributes here, because a call of ``__init__`` would cost as much as all the rest of this method.
        exchange = _Exchange()
        exchange.middleware = self
        exchange.scope = scope
        exchange.server_receive = receive
        exchange.server_send = send
        exchange.status = 0
        exchange.has_left = False
        # Here and below, attributes that are called become local variables first, because that is cheaper.
        app, now_s = self._app, self.now_s
        exchange.started_s = now_s()
        try:
            await app(scope, exchange.receive, exchange.send)
        except BaseException as exc:
            if exchange.status != _RECORDED:  # pyright: ignore[reportUnnecessaryComparison]  # ``send`` changes it
                exchange.record(_outcome(exc, exchange))
            raise
        if exchange.status != _RECORDED:  # pyright: ignore[reportUnnecessaryComparison]  # ``send`` changes it
            # There was no response or only a part of one, for which the server answers 500, or an error for a client
            # that had left.
            exchange.record(CLIENT_LEFT if exchange.has_left else _SERVER_ERROR)

    def record(self, scope: Scope, status: int, duration_ms: float) -> None:
        """Record a response that has no recorder in ``records`` yet. Never raises."""
        try:
            record = self._find_record(scope, status)
            if self.needs_source:
                record(duration_ms, scope)
            else:
                record(duration_ms)
        except Exception:  # noqa: BLE001  # the content of the scope must not make the request fail
            return

    def _find_record(self, scope: Scope, status: int) -> ResponseRecorder:
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
    """One request and its response. It has slots, because closures over as many variables cost a quarter more.

    Attributes:
        status: 0 before the response begins, ``_RECORDED`` from its last message on.
        has_left: Whether the application received the message that the client disconnected.
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
        """Pass a message on. This is not a coroutine, so that messages before the last go directly to the server."""
        send, status = self.server_send, self.status
        if status == 0:
            # Only the start of a response has a status, so its type does not need to be checked.
            if "status" in message:
                self.status = message["status"]
        elif (
            status != _RECORDED
            # Most messages need only the first of these checks, so a call of ``get`` would cost more.
            and ("more_body" not in message or not message["more_body"])
            and message["type"] in _LAST
        ):
            return self._finish(send, message, status)
        return send(message)

    async def _finish(self, send: Send, message: Message, status: int) -> None:
        """Send the last message, then record the response; later messages change nothing."""
        if self.has_left:
            # The application learned before the end that the client left: no one got what it says now.
            if _is_server_error(status):
                # Frameworks answer so to their own "client disconnected" and to any other exception. Starlette raises
                # it again, so the end of the call decides which one it was.
                await send(message)
                return
            status = CLIENT_LEFT
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
            except (KeyError, TypeError):  # a new response, no route of Starlette, or a status that is not a number
                middleware.record(scope, status, duration_ms)
            else:
                if middleware.needs_source:
                    record(duration_ms, scope)
                else:
                    record(duration_ms)

    def record(self, status: int) -> None:
        """Record a response that ended in another way."""
        self.middleware.record(self.scope, status, (self.middleware.now_s() - self.started_s) * 1_000)


def _is_server_error(status: object) -> bool:
    return isinstance(status, int) and status >= _SERVER_ERROR  # the application may give anything as its status


def _outcome(exc: BaseException, exchange: _Exchange) -> int:
    """Return the status of a failed response: whether the client left or the service failed."""
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
    """Say whether the server's ``send`` raised ``exc``: only then an OSError means that the client left."""
    traceback = exc.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code is code:
            return True
        traceback = traceback.tb_next
    return False
