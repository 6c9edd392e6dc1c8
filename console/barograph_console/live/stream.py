"""The live stream as the application has it: hub, feed and route, and the way between their threads."""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from typing import Final, TypeVarTuple

from fastapi import APIRouter, WebSocket

from barograph_console.access.authentication import Authenticator
from barograph_console.access.identity import Identity, identity_of
from barograph_console.live.connection import LiveConnection
from barograph_console.live.feed import LiveFeed
from barograph_console.live.hub import RESTARTING, SESSION_OVER, TOO_MANY, Client, Hub
from barograph_console.live.messages import hello_message
from barograph_console.overview.live_position import LivePosition
from barograph_console.settings import ConsoleSettings
from barograph_console.store.ports import ChangeSource, Ports
from barograph_core.clock import Clock
from barograph_core.errors import BarographError

Arguments = TypeVarTuple("Arguments")
PATH: Final = "/live"
# A revoked token ends its connections within 5 s; the list of tokens itself may be 3 s old.
_CHECK_S: Final = 1.5
# So long the last words of a console that stops may take.
_BYE_S: Final = 1.0


class LiveStream:
    """See ``LivePositions``. The hub lives in the event loop of the first client; the feed has a thread of its own."""

    def __init__(self, ports: Ports, changes: ChangeSource, settings: ConsoleSettings, clock: Clock) -> None:
        self._ports = ports
        self._feed = LiveFeed(ports, changes, clock, settings.apdex_t_ms)
        self._hub = Hub(self._feed, clock)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="console-live")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._checking: asyncio.Task[None] | None = None

    @property
    def clients(self) -> int:
        """Return how many connections there are."""
        return len(self._hub.clients)

    def position(self, service: str) -> LivePosition:
        return LivePosition(self._hub.epoch, self._hub.seq_of(service))

    def router(self, authenticator: Authenticator) -> APIRouter:
        """Return the route. The gate has checked token and origin before it is reached."""

        async def live(socket: WebSocket) -> None:
            await self._serve(socket, authenticator)

        router = APIRouter()
        router.add_api_websocket_route(PATH, live)
        return router

    async def stop(self) -> None:
        """Say goodbye to all clients and end the feed."""
        clients = self._hub.clients
        for client in clients:
            client.close(RESTARTING)
        if self._checking is not None:
            self._checking.cancel()
        deadline = asyncio.get_running_loop().time() + _BYE_S
        while self._hub.clients and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)
        self._feed.stop()

    def publish(self, topic: str, kind: str, body: str) -> None:
        """Hand a message to the hub, from the feed's thread."""
        self._call(self._hub.publish, topic, kind, body)

    def revise(self, topic: str) -> None:
        """Hand on that earlier points changed, from the feed's thread."""
        self._call(self._hub.revise, topic)

    def offer_snapshot(self, topic: str, state: str) -> None:
        """Hand on the state of a topic, from the feed's thread. Calls arrive in the order in which they are made."""
        self._call(self._hub.offer_snapshot, topic, state)

    def _call(self, call: Callable[[*Arguments], None], *arguments: *Arguments) -> None:
        if self._loop is not None:
            # A loop that was closed takes nothing more, and no one is left to tell.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(call, *arguments)

    def _begin(self, authenticator: Authenticator) -> None:
        """Start the feed with the first client."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._feed.start(self)
            self._checking = self._loop.create_task(self._check(authenticator))

    async def _serve(self, socket: WebSocket, authenticator: Authenticator) -> None:
        identity = identity_of(socket)
        if identity is None:
            await socket.close(SESSION_OVER)
            return
        self._begin(authenticator)
        await socket.accept()
        woken = asyncio.Event()
        client = Client(socket.client.host if socket.client else "", identity, woken.set)
        if not self._hub.join(client):
            await socket.close(TOO_MANY)
            return
        try:
            await socket.send_text(self._hello(identity))
            await LiveConnection(socket, self._hub, client, woken, self._knows).run()
        finally:
            self._hub.part(client)

    def _hello(self, identity: Identity) -> str:
        return hello_message(
            epoch=self._hub.epoch, name=identity.name, role=identity.role.value, version=metadata.version("barograph")
        )

    async def _knows(self, service: str) -> bool:
        """Say whether a service was ever closed.

        Raises:
            BarographError: The server is away.
        """
        closed = await asyncio.wrap_future(self._executor.submit(self._ports.panes.services))
        return service in closed

    async def _check(self, authenticator: Authenticator) -> None:
        """Close the connections of those whose session or token is over."""
        while True:
            await asyncio.sleep(_CHECK_S)
            by_identity: dict[Identity, list[Client]] = {}
            for client in self._hub.clients:
                by_identity.setdefault(client.identity, []).append(client)
            for identity, clients in by_identity.items():
                try:
                    is_valid = await authenticator.is_valid(identity)
                except BarographError:
                    # The server is away: no one is signed out for that.
                    continue
                if not is_valid:
                    for client in clients:
                        client.close(SESSION_OVER)
