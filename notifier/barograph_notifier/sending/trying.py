"""Sends the marked sample through a channel and tells what came back: for the command line and for the console."""

import hashlib
from dataclasses import dataclass
from typing import Final

from barograph_core.clock import Clock
from barograph_core.pipeline.channel_tests import TriedMessage
from barograph_notifier.channel import Channel, Outcome, Refused, Retry, Sent, attempt
from barograph_notifier.notification import Status
from barograph_notifier.sample import sample_notification

_STATUSES: Final[tuple[Status, ...]] = ("firing", "resolved")


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedChannel:
    """What a test needs of a channel.

    Attributes:
        sends_resolved: Whether it takes ends.
        timeout_s: Limit of one message.
        console_url: Address of the console; empty when it is not known.
    """

    name: str
    channel: Channel
    sends_resolved: bool
    timeout_s: float
    console_url: str = ""


def try_channel(tried: TriedChannel, clock: Clock, *, sent_by: str) -> list[TriedMessage]:
    """Send the sample's beginning, and its end when the beginning was sent and the channel takes ends.

    Args:
        tried: The channel.
        clock: The present.
        sent_by: What the sample says of where it comes from.
    """
    found, ref, now_ms = list[TriedMessage](), "", clock.now_ms()
    for status in _STATUSES if tried.sends_resolved else _STATUSES[:1]:
        key = hashlib.sha256(f"{tried.name} {now_ms} {status}".encode()).hexdigest()[:32]
        given = sample_notification(status, now_ms, first_ref=ref, console_url=tried.console_url, sent_by=sent_by)
        begun_ms = clock.monotonic_ms()
        outcome = attempt(tried.channel, given, key=key, timeout_s=tried.timeout_s)
        result, words = _words(outcome)
        found.append(TriedMessage(status, result, words, round(clock.monotonic_ms() - begun_ms)))
        if not isinstance(outcome, Sent):
            break
        ref = outcome.ref
    return found


def _words(outcome: Outcome) -> tuple[str, str]:
    match outcome:
        case Sent(ref):
            return "sent", ref
        case Refused(reason):
            return "refused", reason
        case Retry(after_s, reason, may_have_arrived):
            parts = [reason, "" if after_s is None else f"it asks to wait for {after_s:g} s"]
            parts.append("may have arrived" if may_have_arrived else "")
            return "failed", "; ".join(filter(None, parts))
