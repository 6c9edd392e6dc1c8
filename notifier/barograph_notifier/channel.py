"""The interface of a channel: one method that sends a notification and returns the outcome."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias, runtime_checkable

from barograph_core.alerts.transition import Transition
from barograph_core.errors import ChannelRefusedError, ChannelUnavailableError
from barograph_notifier.notification import Notification

DEFAULT_CHANNEL: Final = "console"


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sent:
    """The channel has accepted the notification.

    Attributes:
        ref: The channel's reference for it: a message id, a status line. That of an episode's first message comes
            back as ``first_ref`` of the later ones. It is written to the deliveries stream, so it must not hold a
            secret.
    """

    ref: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """The channel failed for now; the sender tries again later, up to its limit.

    Attributes:
        after_s: The wait that the channel asked for, or ``None``.
        reason: Written to the deliveries stream, so it must not hold a secret.
        may_have_arrived: Whether people may have got the notification all the same: the request went out, and no
            answer came. The alert's resolution is then owed, whatever becomes of the next attempts.
    """

    after_s: float | None
    reason: str
    may_have_arrived: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The channel will never accept the notification; it goes to the dead-letter stream with this reason."""

    reason: str


Outcome: TypeAlias = Sent | Retry | Refused


class Channel(Protocol):
    """A way to reach people.

    One thread of each shard uses it, or as many as the attribute ``senders`` says, if the class has it.
    """

    def send(self, notification: Notification, *, key: str, timeout_s: float) -> Outcome:
        """Send ``notification``.

        Called again with the same ``key`` when a worker died between sending and recording. Pass the key on, so that
        the receiver can recognise a repetition.

        Args:
            notification: The message; all its text is untrusted.
            key: Idempotency key, 32 hex digits: one for each transition and channel.
            timeout_s: Limit of the whole call.
        """
        ...


@runtime_checkable
class PreviewedChannel(Protocol):
    """A channel whose messages have a form of their own. Others are previewed as plain text."""

    def preview(self, notification: Notification, *, key: str) -> str:
        """Return what ``send`` would send, as text of several lines without secrets."""
        ...


@runtime_checkable
class FlagChannel(Protocol):
    """A channel that can show who has taken an alert on. Others are not told of that: it is no news to wake people."""

    def shows(self, flag: str, via: str) -> bool:
        """Say whether ``send`` shows a change of ``flag`` on an alert that this channel was told of.

        Args:
            flag: ``acknowledged``, ``unacknowledged``, or one of a newer version.
            via: The tool in which a person changed it, ``slack`` or ``pagerduty``; empty for barograph itself.
        """
        ...


def shows_flag(channel: Channel, transition: Transition) -> bool:
    """Say whether ``channel`` shows the flag that ``transition`` changes; one whose code fails shows none."""
    if not isinstance(channel, FlagChannel):
        return False
    try:
        return channel.shows(transition.flag, transition.via) is True
    except Exception as error:  # noqa: BLE001  # foreign code; its mistakes must not stop the reader
        log.error("channel.failed", extra={"flag": transition.flag, "error": type(error).__name__})
        return False


def attempt(channel: Channel, notification: Notification, *, key: str, timeout_s: float) -> Outcome:
    """Send through ``channel``. An exception becomes an outcome, so that no plug-in stops the sender."""
    return guarded(lambda: channel.send(notification, key=key, timeout_s=timeout_s), key)


def guarded(send: Callable[[], Outcome], key: str) -> Outcome:
    """Return the outcome of ``send``, which calls a channel with ``key``; that of an exception too."""
    try:
        return send()
    except ChannelRefusedError as error:
        return Refused(str(error))
    except ChannelUnavailableError as error:
        after_s = None if error.after_ms is None else error.after_ms / 1_000
        return Retry(after_s, str(error), may_have_arrived=error.may_have_arrived)
    except Exception as error:  # noqa: BLE001  # foreign code; its mistakes must not cost the alert
        # Log only the class: the text of a foreign exception may quote a URL with a secret in it.
        log.error("channel.failed", extra={"key": key, "error": type(error).__name__})
        return Retry(None, f"raised {type(error).__name__}", may_have_arrived=True)
