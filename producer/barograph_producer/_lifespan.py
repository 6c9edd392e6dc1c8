"""Ties the producer to an ASGI application's life: uvicorn does not run ``atexit`` when told to terminate."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from barograph_producer._observation import RequestSink

# As in the ASGI specification; the values are the server's and the framework's own.
Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
# Frameworks have words of their own for the three.
App: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]


async def serve_lifespan(
    app: App, producer: RequestSink, shutdown_timeout_s: float, scope: Scope, receive: Receive, send: Send
) -> None:
    """Serve a lifespan: its start starts the producer, its end flushes and says goodbye.

    An application that knows no lifespan (Django) gets one.

    Args:
        app: The application; what it raises after it received a message is raised on.
        producer: Is paused, not closed, because an application may begin again.
        shutdown_timeout_s: Bound on the flush.
        scope: As the server gave it, and so the others.
        receive: The server's.
        send: The server's.
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
            # Blocks the loop, which serves nobody any more, and works on any loop.
            producer.pause(shutdown_timeout_s)
        await send(message)

    try:
        await app(scope, receive_and_note, send_and_act)
    except Exception:
        if has_received:
            raise
    # It raised or just returned.
    if not has_received:
        await receive()
        await send_and_act({"type": "lifespan.startup.complete"})
        await receive()
        await send_and_act({"type": "lifespan.shutdown.complete"})
