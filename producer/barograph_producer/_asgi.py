"""Pure ASGI middleware: one request event per response, at a microsecond or two each."""

import asyncio
from collections.abc import Awaitable, Iterable
from types import CodeType
from typing import Final

from barograph_core.clock import Clock
from barograph_producer._django import ROUTE_KEY, follow_django
from barograph_producer._lifespan import App, Message, Receive, Scope, Send, serve_lifespan
from barograph_producer._observation import (
    CLIENT_LEFT,
    MAX_RECORDS,
    METHODS,
    LabelsOf,
    Observation,
    Record,
    RequestSink,
    make_timer,
)
from barograph_producer._routes import RouteIndex, litestar_template

_SERVER_ERROR: Final = 500
_RECORDED: Final = -1
_MAX_CAUSES: Final = 8


class BarographMiddleware:
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
        """Wrap ``app``.

        Args:
            app: The ASGI application.
            producer: Takes the events; it is paused, not closed, at the end of a lifespan.
            exclude: Paths and templates that are not recorded; ``*`` stands for any text: ``("/health", "/docs*")``.
            labels: Given the scope as the application left it, returns further labels. What it raises is
                counted as ``labels_failed``; the request is then recorded without them.
            sample_every: Record one of so many requests, which then stands for all of them, 1 to 1,000.
                Errors and slow requests are always recorded, each for itself.
            always_slow_ms: What is slow.
            shutdown_timeout_s: Bound on the flush at the end of a lifespan.
            clock: For tests.

        Raises:
            ValueError: ``sample_every`` is out of range.
        """
        self._app = app
        self._producer = producer
        self._shutdown_timeout_s = shutdown_timeout_s
        self.now_s = make_timer(clock)
        self._observation = Observation(
            producer, exclude=exclude, labels=labels, sample_every=sample_every, always_slow_ms=always_slow_ms
        )
        exclusion = self._observation.exclusion
        self._is_excluded = exclusion.matches if exclusion else None
        self._routes = RouteIndex(app)
        # By id of the route, and those that take the scope or go by the endpoint. The list holds all the objects, so
        # that no id comes to mean another.
        self.records: dict[tuple[int, str | None, int], Record] = {}
        self._others: dict[tuple[int, str | None, int], Record] = {}
        self._held: list[object] = []
        follow_django(app)

    @property
    def labels_failed(self) -> int:
        """How many requests were recorded without their extra labels, because asking for them failed."""
        return self._observation.labels_failed

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
        exchange.started_s = self.now_s()
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except BaseException as exc:
            if not exchange.is_recorded():
                exchange.record(_outcome(exc, exchange))
            raise
        if not exchange.is_recorded():
            # No response, or half of one: the server answers 500 in the application's place.
            exchange.record(CLIENT_LEFT if exchange.has_left else _SERVER_ERROR)

    def record(self, scope: Scope, status: int, duration_ms: float) -> None:
        """Record a response whose recorder ``records`` does not hold. Never raises."""
        try:
            record = self._find_record(scope, status)
            if self._observation.needs_source:
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
            records = self._others if self._observation.needs_source or scope.get("route") is None else self.records
            records[key] = record
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
        kind = message["type"]
        if kind == "http.response.start":
            if self.status == 0:
                self.status = message["status"]
        elif self.status != _RECORDED and (
            (kind == "http.response.body" and not message.get("more_body")) or kind == "http.response.pathsend"
        ):
            return self._finish(message)
        return self.server_send(message)

    async def _finish(self, message: Message) -> None:
        """Send the last message, then record the response: what follows it changes nothing."""
        status, self.status = self.status, _RECORDED
        try:
            await self.server_send(message)
        except BaseException as exc:
            status = CLIENT_LEFT if isinstance(exc, OSError | asyncio.CancelledError) else _SERVER_ERROR
            raise
        finally:
            middleware, scope = self.middleware, self.scope
            duration_ms = (middleware.now_s() - self.started_s) * 1_000
            record = middleware.records.get((id(scope.get("route")), scope.get("method"), status))
            if record is not None:
                record(duration_ms)
            else:
                middleware.record(scope, status, duration_ms)

    def is_recorded(self) -> bool:
        return self.status == _RECORDED

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
