"""Calls a WSGI application as a server does, and keeps what the middleware recorded."""

import io
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from barograph_producer._web.wsgi import BarographWSGIMiddleware, WsgiApp
from tests.support import FakeClock
from tests.unit.producer.web.asgi_driver import Recorded, Sink


@dataclass
class WsgiDriver:
    app: WsgiApp
    sink: Sink
    clock: FakeClock = field(default_factory=FakeClock)
    statuses: list[str] = field(default_factory=list[str])

    @classmethod
    def around(cls, app: object) -> "WsgiDriver":
        sink, clock = Sink(), FakeClock()
        return cls(BarographWSGIMiddleware(app, producer=sink, clock=clock), sink, clock)  # type: ignore[arg-type]  # any WSGI application

    def open(self, path: str, *, method: str = "GET", script_name: str = "", **more: object) -> Iterable[bytes]:
        """Call the application and return the body as it is."""

        def start_response(status: str, _headers: object, _exc_info: object = None) -> Callable[[bytes], object]:
            self.statuses.append(status)
            return lambda _: None

        environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": script_name,
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            **more,
        }
        return self.app(environ, start_response)

    def get(self, path: str, *, method: str = "GET", script_name: str = "", **more: object) -> bytes:
        """Serve one request to its end."""
        body = self.open(path, method=method, script_name=script_name, **more)
        try:
            return b"".join(body)
        finally:
            close(body)

    @property
    def only(self) -> Recorded:
        (recorded,) = self.sink.recorded
        return recorded


def close(body: object) -> None:
    """Do as a server does when it is done with a body."""
    found = getattr(body, "close", None)
    if found is not None:
        found()
