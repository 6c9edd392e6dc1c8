"""What a channel is: one method that sends a notification and says what became of it."""

import logging
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from barograph_core.errors import ChannelRefusedError, ChannelUnavailableError
from barograph_notifier.notification import Notification

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sent:
    """The channel has it.

    Attributes:
        ref: What the channel calls it: a message id, a status line.
    """

    ref: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now: again after a while, up to the limit.

    Attributes:
        after_s: How long the channel asked us to wait, or ``None``.
        reason: Goes to the deliveries stream. Never holds a secret.
    """

    after_s: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Never: the notification goes to the dead-letter stream with this reason."""

    reason: str


Outcome: TypeAlias = Sent | Retry | Refused


class Channel(Protocol):
    """A way to reach people. One thread uses it at a time."""

    def send(self, notification: Notification, *, key: str, timeout_s: float) -> Outcome:
        """Send ``notification``.

        May be called again with the same ``key`` when a worker died between sending and recording:
        hand the key on, so that the receiver can tell a repetition.

        Args:
            notification: All its text is untrusted.
            key: Idempotency key, 32 hex digits: one for each transition and channel.
            timeout_s: Bound on the whole call.
        """
        ...


def attempt(channel: Channel, notification: Notification, *, key: str, timeout_s: float) -> Outcome:
    """Send through ``channel``; what it raises becomes an outcome, so that no plug-in stops the sender."""
    try:
        return channel.send(notification, key=key, timeout_s=timeout_s)
    except ChannelRefusedError as error:
        return Refused(str(error))
    except ChannelUnavailableError as error:
        return Retry(None if error.after_ms is None else error.after_ms / 1_000, str(error))
    except Exception as error:  # noqa: BLE001  # code of others; an alert must outlive its mistakes
        # Only the class: the text of a foreign exception may quote a URL with a secret in it.
        log.error("channel.failed", extra={"key": key, "error": type(error).__name__})
        return Retry(None, f"raised {type(error).__name__}")
