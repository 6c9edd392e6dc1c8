"""The webhook's receiver: the demo's stand-in for a chat or a pager, so that a delivery can be seen to arrive."""

import json
import threading
from collections import deque
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, cast

from barograph_core.clock import Clock

_MAX_BODY_BYTES: Final = 1_048_576
_MAX_KEPT: Final = 1_000


@dataclass(frozen=True, slots=True)
class Received:
    """One notification as it arrived.

    Attributes:
        at_ms: When its body was complete.
        key: Its idempotency key; a retry carries the same.
        alert_ids: The alerts it tells of.
    """

    at_ms: int
    key: str
    status: str
    alert_ids: tuple[str, ...]


def read_notification(raw: bytes, key: str, at_ms: int) -> Received | None:
    """Read the body of our own webhook format; ``None`` when it is something else."""
    try:
        loaded: object = json.loads(raw)
    except ValueError:
        return None
    if not isinstance(loaded, dict):
        return None
    body = cast("dict[str, object]", loaded)
    listed = body.get("alerts")
    alerts = cast("list[object]", listed) if isinstance(listed, list) else [body.get("alert")]
    ids = tuple(str(cast("dict[str, object]", alert).get("id", "")) for alert in alerts if isinstance(alert, dict))
    return Received(at_ms, key or str(body.get("key", "")), str(body.get("status", "")), ids)


class WebhookReceiver:
    """An HTTP server on this machine in a thread of its own; keeps the newest 1,000 notifications."""

    def __init__(self, clock: Clock) -> None:
        self._received: deque[Received] = deque(maxlen=_MAX_KEPT)
        received = self._received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                if not 0 < length <= _MAX_BODY_BYTES:
                    self.send_error(413)
                    return
                raw = self.rfile.read(length)
                notification = read_notification(raw, self.headers.get("Idempotency-Key") or "", clock.now_ms())
                if notification is not None:
                    received.append(notification)
                self.send_response(204 if notification is not None else 400)
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
    def received(self) -> list[Received]:
        """Return what has arrived, oldest first."""
        return list(self._received)

    def __enter__(self) -> "WebhookReceiver":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
