"""One WebSocket: sends what its cursor reaches, and reads what the client asks for."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from barograph_console.live.hub import (
    ALL,
    BAD_MESSAGE,
    NO_SUCH_SERVICE,
    RESTARTING,
    TOO_MANY,
    TOO_SLOW,
    Client,
    Hub,
)
from barograph_console.live.messages import bye_message
from barograph_core.errors import BarographError
from barograph_core.events.kinds import is_service_name
from barograph_core.text.foreign_json import load_foreign_json

_SEND_S: Final = 10.0
_MESSAGES: Final = 10
_MESSAGES_S: Final = 1.0
_MOST_CHARACTERS: Final = 4_096
_EPOCH_CHARACTERS: Final = 64

Knows = Callable[[str], Awaitable[bool]]


class BadMessageError(Exception):
    """A client sent something that is no message of the protocol."""


class LiveConnection:
    """Joins a client and its socket, until either ends."""

    def __init__(self, socket: WebSocket, hub: Hub, client: Client, woken: asyncio.Event, knows: Knows) -> None:
        """Take the parts.

        Args:
            socket: Accepted already.
            hub: Holds ``client``.
            client: Whom the socket belongs to.
            woken: Set by ``client.wake``.
            knows: Says whether there is a service of a name.
        """
        self._socket = socket
        self._hub = hub
        self._client = client
        self._woken = woken
        self._knows = knows

    async def run(self) -> None:
        """Serve the client until it goes or is closed."""
        reading = asyncio.create_task(self._read())
        sending = asyncio.create_task(self._send())
        try:
            done, _ = await asyncio.wait({reading, sending}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                # An error of ours must not pass for a client that went.
                task.result()
        finally:
            for task in (reading, sending):
                task.cancel()
            await asyncio.gather(reading, sending, return_exceptions=True)

    async def _send(self) -> None:
        """Send messages as they come; close where a send does not end in time."""
        while True:
            self._woken.clear()
            while not self._client.close_code and (text := self._hub.next_message(self._client)) is not None:
                try:
                    async with asyncio.timeout(_SEND_S):
                        await self._socket.send_text(text)
                except TimeoutError:
                    self._client.close_code = TOO_SLOW
            if self._client.close_code:
                await self._close()
                return
            await self._woken.wait()

    async def _close(self) -> None:
        if self._socket.application_state is not WebSocketState.CONNECTED:
            return
        try:
            async with asyncio.timeout(1.0):
                if self._client.close_code == RESTARTING:
                    await self._socket.send_text(bye_message())
                await self._socket.close(self._client.close_code)
        except (TimeoutError, WebSocketDisconnect, RuntimeError):
            # It goes anyway; the server ends the connection.
            return

    async def _read(self) -> None:
        """Take what the client asks for, at most ten messages a second."""
        times: deque[float] = deque(maxlen=_MESSAGES)
        clock = asyncio.get_running_loop()
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if len(times) == _MESSAGES and clock.time() - times[0] < _MESSAGES_S:
                self._client.close(TOO_MANY)
                break
            times.append(clock.time())
            try:
                await self._subscribe(_parse(message.get("text")))
            except BadMessageError:
                self._client.close(BAD_MESSAGE)
                break
        # The other task closes; until then nothing more is read.
        await asyncio.Event().wait()

    async def _subscribe(self, asked: tuple[str, str, int | None]) -> None:
        service, epoch, seq = asked
        try:
            is_known = service == ALL or (is_service_name(service) and await self._knows(service))
        except BarographError:
            # No one can say now; the client hears of the service when the server is back.
            is_known = True
        if is_known:
            self._hub.subscribe(self._client, service, epoch, seq)
        else:
            self._client.close(NO_SUCH_SERVICE)


def _parse(text: object) -> tuple[str, str, int | None]:
    """Return service, epoch and number of a message that subscribes.

    Raises:
        BadMessageError: It is something else.
    """
    if not isinstance(text, str) or len(text) > _MOST_CHARACTERS:
        raise BadMessageError
    try:
        message = load_foreign_json(text)
    except ValueError:
        raise BadMessageError from None
    if not isinstance(message, dict):
        raise BadMessageError
    members = cast("dict[str, Any]", message)
    service, resume = members.get("service"), members.get("resume")
    if members.get("type") != "subscribe" or not isinstance(service, str):
        raise BadMessageError
    if resume is None:
        return service, "", None
    if not isinstance(resume, dict):
        raise BadMessageError
    epoch, seq = cast("dict[str, Any]", resume).get("epoch"), cast("dict[str, Any]", resume).get("seq")
    if not isinstance(epoch, str) or len(epoch) > _EPOCH_CHARACTERS or type(seq) is not int:
        raise BadMessageError
    return service, epoch, seq
