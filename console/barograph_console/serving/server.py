"""Runs the application under uvicorn: a socket of our own, one ready line, an orderly stop."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable

import uvicorn
from starlette.types import ASGIApp

from barograph_console.serving.connections import connection_options, raise_descriptor_limit

log = logging.getLogger(__name__)
# Requests under way when the stop comes get this long; then their sockets are closed.
_DRAIN_S = 5
# Connections that wait in the kernel until they are accepted.
_WAITING = 1_024


class CannotListenError(OSError):
    """The address cannot be bound: taken, not of this machine, or not allowed."""


def bind(host: str, port: int) -> socket.socket:
    """Return a socket bound to ``host`` and ``port``; port 0 takes a free one.

    Raises:
        CannotListenError: It cannot be bound.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CannotListenError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise CannotListenError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the URL under which ``listener`` is reached."""
    host, port, *_ = listener.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _AnnouncingServer(uvicorn.Server):
    def __init__(
        self, config: uvicorn.Config, on_ready: Callable[[], None], on_stop: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._on_stop = on_stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            for listener in sockets or ():
                # uvicorn gave asyncio one number for two things: connections accepted at once, and those that wait.
                listener.listen(_WAITING)
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Before uvicorn does: it closes WebSockets without a word.
        await self._on_stop()
        await super().shutdown(sockets=sockets)


def serve_http(
    app: ASGIApp,
    listener: socket.socket,
    on_ready: Callable[[], None],
    on_stop: Callable[[], Awaitable[None]],
) -> None:
    """Serve ``app`` on ``listener`` until SIGTERM or SIGINT; requests under way are finished.

    uvicorn hands the signal on to the handlers that stood before it: install some, or it ends the process.
    """
    config = uvicorn.Config(
        app,
        # Our own logging is set up by then; one line per request would drown it.
        log_config=None,
        access_log=False,
        log_level="warning",
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_DRAIN_S,
        loop="asyncio",
        **connection_options(raise_descriptor_limit()),
    )
    server = _AnnouncingServer(config, on_ready, on_stop)
    with listener:
        asyncio.run(server.serve(sockets=[listener]))
