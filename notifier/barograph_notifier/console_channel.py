"""The console channel: one line a notification on standard output."""

import sys
from datetime import UTC, datetime
from typing import TextIO

from barograph_core.plain_text import one_line
from barograph_notifier.channel import Outcome, Retry, Sent
from barograph_notifier.notification import Notification


class ConsoleChannel:
    """Writes to a text stream; for laptops and container logs."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def send(self, notification: Notification, *, key: str, timeout_s: float) -> Outcome:  # noqa: ARG002
        """Write one line and flush it."""
        # Looked up now: a test or a supervisor may have replaced it since.
        stream = self._stream or sys.stdout
        encoding = getattr(stream, "encoding", None) or "utf-8"
        line = line_of(notification).encode(encoding, "backslashreplace").decode(encoding)
        try:
            stream.write(line + "\n")
            stream.flush()
        except (OSError, ValueError) as error:
            return Retry(None, f"console: {type(error).__name__}")
        return Sent()


def line_of(notification: Notification) -> str:
    """Return ``time STATUS severity rule service {labels} summary``, safe for a terminal."""
    seconds, ms = divmod(notification.changed_at_ms, 1_000)
    at = datetime.fromtimestamp(seconds, UTC)
    labels = ", ".join(f"{name}={value}" for name, value in sorted(notification.labels.items()))
    words = [
        f"{at:%Y-%m-%dT%H:%M:%S}.{ms:03d}Z",
        f"{notification.status.upper():8}",
        notification.severity.value,
        one_line(notification.rule, 100),
        one_line(notification.service, 64),
        f"{{{one_line(labels, 300)}}}" if labels else "",
        one_line(notification.summary),
        f"({one_line(notification.reason, 64)})" if notification.reason else "",
    ]
    return " ".join(word for word in words if word)
