"""Starts and pauses the producer with an ASGI lifespan, because uvicorn does not run ``atexit`` on SIGTERM."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from barograph_producer._web.observation import RequestSink

# The types of the ASGI specification; servers and frameworks define the values.
Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
# ``Any``, because frameworks have different types for the three arguments.
AsgiApp: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]


async def serve_lifespan(
    app: AsgiApp, producer: RequestSink, shutdown_timeout_s: float, scope: Scope, receive: Receive, send: Send
) -> None:
    """Serve a lifespan: its start starts the producer, its end flushes and says goodbye.

    For an application that does not support lifespans (Django), it answers the server itself. An exception that the
    application raises after it received a message passes on.

    Args:
        app: The application.
        producer: It is paused and not closed, because an application may start again.
        shutdown_timeout_s: Limit for the flush.
        scope: The scope of the lifespan.
        receive: The ``receive`` of the server.
        send: The ``send`` of the server.
    """
    has_received = False

    async def receive_and_note() -> Message:
        nonlocal has_received
        has_received = True
        return await receive()

    async def send_and_act(message: Message) -> None:
        if message["type"] == "lifespan.startup.complete":
            producer.start()
        elif message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
            # This blocks the event loop, which serves no requests any more, and works with any event loop.
            producer.pause(shutdown_timeout_s)
        await send(message)

    try:
        await app(scope, receive_and_note, send_and_act)
    except Exception:
        if has_received:
            raise
    # The application raised or returned at once: it does not support lifespans.
    if not has_received:
        await receive()
        await send_and_act({"type": "lifespan.startup.complete"})
        await receive()
        await send_and_act({"type": "lifespan.shutdown.complete"})
