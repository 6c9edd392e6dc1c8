"""Bounds on connections: how many there are, and how long one may stay without a request."""

import asyncio
import resource
import socket
from collections.abc import MutableMapping
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

# A connection without a request under way is closed after this time: between its opening and the end of the
# headers of its first request as well, for which uvicorn has no bound.
_IDLE_S: Final = 10.0
_SWEEP_S: Final = 1.0
# Descriptors that the process needs otherwise, and those of connections that are accepted before any is closed.
_OTHER_DESCRIPTORS: Final = 96
_FEWEST: Final = 16
_MOST: Final = 4_096
_WANTED_DESCRIPTORS: Final = 8_192
# Accepted at once. asyncio takes as many new connections as this before it looks at any, so with more than this the
# descriptors could run out before the oldest ones are closed.
ACCEPTED_AT_ONCE: Final = 16
# A browser that does not read costs this much in the kernel and as much again in the process.
_SOCKET_BUFFER_BYTES: Final = 65_536
_HEAD_BYTES: Final = 24_576


def raise_descriptor_limit() -> int:
    """Raise the soft limit of descriptors towards the hard one; return how many connections fit under it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _WANTED_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    allowed = _WANTED_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft
    return max(_FEWEST, min(_MOST, allowed - _OTHER_DESCRIPTORS))


class ConnectionBounds:
    """The connections of one server that have no request under way, the one that waits longest first.

    At the bound a new connection takes the place of the one that has been idle longest, so that connections that
    someone opens and leaves cannot keep others out.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._idle: dict[BoundedHttp, float] = {}
        self._open: set[BoundedHttp] = set()
        self._sweep: asyncio.TimerHandle | None = None

    def opened(self, connection: "BoundedHttp") -> None:
        """Take in a new connection, and close another where there are too many."""
        self._open.add(connection)
        self.is_idle(connection)
        if len(self._open) > self._most:
            oldest = next(iter(self._idle))
            self.closed(oldest)
            oldest.transport.abort()

    def closed(self, connection: "BoundedHttp") -> None:
        self._open.discard(connection)
        self._idle.pop(connection, None)

    def is_busy(self, connection: "BoundedHttp") -> None:
        """Note that a request is under way."""
        self._idle.pop(connection, None)

    def is_idle(self, connection: "BoundedHttp") -> None:
        """Note that a connection waits for a request from now on."""
        loop = asyncio.get_running_loop()
        self._idle[connection] = loop.time()
        if self._sweep is None:
            self._sweep = loop.call_later(_SWEEP_S, self._close_stale, loop)

    def _close_stale(self, loop: asyncio.AbstractEventLoop) -> None:
        self._sweep = None
        stale = [connection for connection, since in self._idle.items() if since + _IDLE_S < loop.time()]
        for connection in stale:
            self.closed(connection)
            connection.transport.abort()
        if self._idle:
            self._sweep = loop.call_later(_SWEEP_S, self._close_stale, loop)


class BoundedHttp(H11Protocol):
    """uvicorn's HTTP protocol, under bounds. ``bounded_http`` makes a class with the bounds of one server."""

    bounds: ConnectionBounds

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self.bounds.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.bounds.closed(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._note_request()

    def on_response_complete(self) -> None:
        if not self.transport.is_closing():
            self.bounds.is_idle(self)
        super().on_response_complete()
        # A request that came meanwhile may have begun.
        self._note_request()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        # From here on the live hub's own bounds hold.
        self.bounds.closed(self)
        super().handle_websocket_upgrade(event)

    def _note_request(self) -> None:
        # uvicorn declares ``cycle`` without the ``None`` that it is before the first request.
        if not getattr(self.cycle, "response_complete", True):
            self.bounds.is_busy(self)


def bounded_http(most: int) -> type[BoundedHttp]:
    """Return the protocol class of a server that holds ``most`` connections."""
    return type("BoundedHttp", (BoundedHttp,), {"bounds": ConnectionBounds(most)})


class LiveSocket(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol with small buffers, and refusals that are no error of the application."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(_SOCKET_BUFFER_BYTES)
        opened = transport.get_extra_info("socket")
        if opened is not None:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER_BYTES)

    async def send(self, message: Any) -> None:  # as uvicorn's own
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            # The handshake was refused with an HTTP answer. uvicorn would log that it was never completed.
            self.handshake_complete = True


def connection_options(most: int) -> MutableMapping[str, Any]:
    """Return the arguments of ``uvicorn.Config`` that bound connections."""
    return {
        "http": bounded_http(most),
        "ws": LiveSocket,
        "ws_max_size": 4_096,
        "ws_ping_interval": 20.0,
        "ws_ping_timeout": 20.0,
        # Compressing each message for each client costs three times what sending it does.
        "ws_per_message_deflate": False,
        "backlog": ACCEPTED_AT_ONCE,
        "h11_max_incomplete_event_size": _HEAD_BYTES,
    }
