"""Receives the webhook's notifications, in place of a chat or a pager, so that the demo can show that they arrive."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final

_MAX_BODY_BYTES: Final = 1_048_576


def is_notification(raw: bytes) -> bool:
    """Say whether a body can be our own webhook format: a JSON object with one alert or several."""
    try:
        body: object = json.loads(raw)
    except ValueError:
        return False
    return isinstance(body, dict) and ("alert" in body or "alerts" in body)


class WebhookReceiver:
    """An HTTP server on this machine in a thread of its own; counts the notifications that arrive."""

    def __init__(self) -> None:
        self._received = 0
        self._lock = threading.Lock()
        count = self._count

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                if not 0 < length <= _MAX_BODY_BYTES:
                    self.send_error(413)
                    return
                is_ours = is_notification(self.rfile.read(length))
                if is_ours:
                    count()
                self.send_response(204 if is_ours else 400)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
                """Stay quiet: the terminal belongs to the demo's view."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="receiver", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/alerts"

    @property
    def received(self) -> int:
        """Return how many notifications have arrived; a retry counts again."""
        return self._received

    def _count(self) -> None:
        # Each request has a thread of its own.
        with self._lock:
            self._received += 1

    def __enter__(self) -> "WebhookReceiver":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
