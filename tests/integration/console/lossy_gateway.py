"""A gateway before the console that loses answers: the request was applied, and its sender cannot know."""

import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from types import TracebackType
from typing import Literal
from urllib.parse import urlsplit

# What becomes of a request: its answer arrives, is lost with the connection, is replaced; or the console never sees it.
Fate = Literal["pass", "cut", "replace", "refuse"]


class LossyGateway:
    """Hands requests on to the console, and treats their answers as ``fates`` say, in turn.

    Attributes:
        url: Where it listens.
        applied: Number of requests that the console answered with 200.
        lost: Number of these answers that the sender did not get.
    """

    def __init__(self, base: str, *fates: Fate) -> None:
        self._target = urlsplit(base).netloc
        self._fates: Iterator[Fate] = cycle(fates)
        self._lock = threading.Lock()
        self.applied = self.lost = 0
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                gateway.hand_on(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def hand_on(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length", "0")))
        with self._lock:
            fate = next(self._fates)
        if fate == "refuse":
            self._answer(request, 503, b"")
            return
        # Its own name is the target's, as the console serves no other.
        headers = {name: text for name, text in request.headers.items() if name.lower() not in ("host", "connection")}
        connection = HTTPConnection(self._target, timeout=60)
        connection.request("POST", request.path, body, headers)
        answer = connection.getresponse()
        found = answer.read()
        connection.close()
        with self._lock:
            self.applied += answer.status == 200
            self.lost += answer.status == 200 and fate != "pass"
        if fate == "cut":
            request.close_connection = True
        elif fate == "replace":
            self._answer(request, 503, b"")
        else:
            self._answer(request, answer.status, found, answer.headers.get("Content-Type", ""))

    def _answer(
        self, request: BaseHTTPRequestHandler, status: int, body: bytes, media_type: str = "text/plain"
    ) -> None:
        request.send_response(status)
        request.send_header("Content-Type", media_type)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def __enter__(self) -> "LossyGateway":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=60)
