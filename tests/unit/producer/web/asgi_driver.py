"""Drives an ASGI application without a server, and keeps what the middleware recorded."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from barograph_producer import BarographMiddleware
from barograph_producer._record.signatures import RecordBoundRequest
from barograph_producer._web.lifespan import AsgiApp, Message
from tests.support import FakeClock


@dataclass(frozen=True)
class Recorded:
    """A request as the middleware gave it to the producer."""

    route: str
    method: str
    status: int
    duration_ms: float
    weight: int = 1
    labels: dict[str, str] = field(default_factory=dict[str, str])


class Sink:
    """Stands in for a producer."""

    def __init__(self) -> None:
        self.recorded: list[Recorded] = []
        self.acts: list[str] = []
        self.explained: list[tuple[str, str]] = []

    def bind_request(self, route: str, method: str, status: int = 200) -> RecordBoundRequest:
        def record(duration_ms: float) -> None:
            self.recorded.append(Recorded(route, method, status, duration_ms))

        return record

    def sampled_request(
        self,
        route: str,
        method: str,
        status: int,
        duration_ms: float,
        *,
        weight: int = 1,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        self.recorded.append(Recorded(route, method, status, duration_ms, weight, dict(labels or {})))

    def explain(self, event: str, reason: str, /) -> None:
        self.explained.append((event, reason))

    def start(self) -> None:
        self.acts.append("start")

    def pause(self, timeout_s: float, /) -> bool:
        self.acts.append(f"pause {timeout_s}")
        return True


@dataclass
class Driver:
    """Calls an application, by default once for a GET."""

    app: AsgiApp
    sink: Sink
    clock: FakeClock = field(default_factory=FakeClock)

    @classmethod
    def around(cls, app: AsgiApp) -> "Driver":
        sink, clock = Sink(), FakeClock()
        return cls(BarographMiddleware(app, producer=sink, clock=clock), sink, clock)

    def get(
        self,
        path: str,
        *,
        method: str = "GET",
        root_path: str = "",
        leaves: bool = False,
        leaves_at: asyncio.Event | None = None,
    ) -> list[Message]:
        """Send one request and return the messages of the response.

        Args:
            path: Of the request.
            method: Of the request.
            root_path: As a server behind a proxy sets it.
            leaves: Whether the client disconnects at once.
            leaves_at: The client disconnects after its request, as soon as this is set.
        """
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": root_path,
            "headers": [(b"host", b"testserver")],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        sent: list[Message] = []

        async def exchange() -> None:
            left = leaves_at or asyncio.Event()
            body: list[Message] = [] if leaves else [{"type": "http.request", "body": b"", "more_body": False}]

            async def receive() -> Message:
                if body:
                    return body.pop()
                if not leaves:
                    await left.wait()
                return {"type": "http.disconnect"}

            async def send(message: Message) -> None:
                sent.append(message)

            await self.app(scope, receive, send)

        asyncio.run(exchange())
        return sent

    def live(self, incoming: Sequence[str] = ("lifespan.startup", "lifespan.shutdown")) -> list[Message]:
        """Run a lifespan and return what the application sent."""
        sent: list[Message] = []

        async def lifespan() -> None:
            messages = iter(incoming)

            async def receive() -> Message:
                return {"type": next(messages)}

            async def send(message: Message) -> None:
                self.sink.acts.append(message["type"])
                sent.append(message)

            await self.app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)

        asyncio.run(lifespan())
        return sent

    @property
    def only(self) -> Recorded:
        (recorded,) = self.sink.recorded
        return recorded
