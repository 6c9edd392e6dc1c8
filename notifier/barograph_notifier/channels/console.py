"""The console channel: prints one line for each notification on standard output."""

import sys
from datetime import UTC, datetime
from typing import Final, TextIO

from rich.console import Console

from barograph_core.alerts.record import Severity
from barograph_core.clock import Clock
from barograph_core.settings.table_entry import TableEntry
from barograph_core.text.one_line import one_line
from barograph_notifier.channel import Outcome, Retry, Sent
from barograph_notifier.digest import Digest
from barograph_notifier.notification import Notification
from barograph_notifier.wording.digests import (
    digest_body,
    digest_counts,
    digest_line,
    digest_more,
    digest_reason,
    digest_title,
)
from barograph_notifier.wording.words import labels_text, lasted, title_of

# Select Graphic Rendition codes: bold, and the terminal's own palette, which fits light and dark.
_GREEN: Final = "1;32"
_COLOURS: Final = {
    Severity.INFO: "1;34",
    Severity.WARNING: "1;33",
    Severity.ERROR: "1;31",
    Severity.CRITICAL: "1;37;41",
}


class ConsoleChannel:
    """Writes to a text stream; for laptops and container logs."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def preview(self, notification: Notification, *, key: str) -> str:  # noqa: ARG002
        return line_of(notification)

    def send(self, notification: Notification, *, key: str, timeout_s: float) -> Outcome:  # noqa: ARG002
        """Write one line and flush it."""
        status = notification.status
        colour = _GREEN if status == "resolved" else _COLOURS[notification.severity]
        return self._write(line_of(notification), status.upper(), colour)

    def send_digest(self, digest: Digest, *, key: str, timeout_s: float) -> Outcome:  # noqa: ARG002
        """Write a line about all alerts, one about each of the top ones below it, and flush them."""
        colour = _GREEN if digest.status == "resolved" else _COLOURS[digest.severity]
        return self._write("\n".join(lines_of(digest)), digest.status.upper(), colour)

    def _write(self, text: str, status: str, colour: str) -> Outcome:
        # Look sys.stdout up at each call: a test or a supervisor may have replaced it.
        stream = self._stream or sys.stdout
        encoding = getattr(stream, "encoding", None) or "utf-8"
        line = text.encode(encoding, "backslashreplace").decode(encoding)
        try:
            if _shows_colours(stream):
                # The text itself holds no escape.
                line = line.replace(status, f"\x1b[{colour}m{status}\x1b[0m", 1)
            stream.write(line + "\n")
            stream.flush()
        except (OSError, ValueError) as error:
            return Retry(None, f"console: {type(error).__name__}")
        return Sent()


def read_console(entry: TableEntry, clock: Clock) -> ConsoleChannel:  # noqa: ARG001  # the interface of a reader
    """Return the channel; it has no keys of its own."""
    return ConsoleChannel()


def _shows_colours(stream: TextIO) -> bool:
    # Rich knows terminals, TERM and NO_COLOR.
    console = Console(file=stream)
    return console.color_system is not None and not console.no_color


def line_of(notification: Notification) -> str:
    """Return ``time STATUS severity rule service {labels} summary``, safe for a terminal."""
    words = [
        _moment(notification.changed_at_ms),
        f"{notification.status.upper():8}",
        notification.severity.value,
        *_title(notification),
        one_line(notification.body or notification.summary),
        f"after {lasted(notification)}" if notification.status == "resolved" else "",
        f"({one_line(notification.reason, 64)})" if notification.reason else "",
    ]
    return " ".join(word for word in words if word)


def lines_of(digest: Digest) -> list[str]:
    """Return ``time STATUS severity title: counts``, and below it the top alerts, each indented."""
    head = [
        _moment(max(alert.changed_at_ms for alert in digest.alerts)),
        f"{digest.status.upper():8}",
        digest.severity.value,
        digest_title(digest) if digest.body else f"{digest_title(digest)}: {digest_counts(digest)}",
    ]
    if digest.body:
        return [" ".join(head), *(f"    {line}" for line in digest_body(digest))]
    reason, more = digest_reason(digest), digest_more(digest)
    head += [reason] if reason else []
    return [" ".join(head), *(f"    {line}" for line in (*map(digest_line, digest.top), more) if line)]


def _moment(at_ms: int) -> str:
    seconds, ms = divmod(at_ms, 1_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{ms:03d}Z"


def _title(notification: Notification) -> list[str]:
    """Return the title of the channel's own template, or rule, service and labels."""
    if notification.title:
        return [title_of(notification)]
    labels = labels_text(notification)
    return [one_line(notification.rule, 100), one_line(notification.service, 64), f"{{{labels}}}" if labels else ""]
