"""The webhook channel: our own JSON by POST, signed if there is a secret, with an idempotency key."""

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Final

from barograph_core.clock import Clock
from barograph_core.errors import ChannelUnavailableError
from barograph_core.plain_text import one_line
from barograph_notifier.address_guard import Resolver, checked_addresses, system_resolver
from barograph_notifier.channel import Outcome, Refused, Retry, Sent
from barograph_notifier.http_post import Answer, Target, post
from barograph_notifier.notification import Notification

SIGNATURE_HEADER: Final = "Barograph-Signature"
_AGAIN: Final = frozenset({408, 425, 429})
_SHORTEST_SECRET: Final = 6
# Shorter parts are words such as "Bearer" and "v1", and few tokens.
_SHORTEST_PART: Final = 8
_SEPARATORS: Final = re.compile(r"[\s/?&=,;]+")
_QUOTED_LIMIT: Final = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """Where and how a webhook posts. What may hold a secret is hidden from its repr.

    Attributes:
        allow_private: The target may have a private, loopback or link-local address.
        secret: Signs the body when not empty.
        headers: Added to every request, for example ``Authorization``.
    """

    target: Target
    allow_private: bool = False
    secret: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


class WebhookChannel:
    """Posts each notification once per attempt, on a connection of its own."""

    def __init__(self, settings: WebhookSettings, *, clock: Clock, resolver: Resolver = system_resolver) -> None:
        self._settings = settings
        self._clock = clock
        self._resolver = resolver

    def __repr__(self) -> str:
        return f"WebhookChannel({self._settings!r})"

    def send(self, notification: Notification, *, key: str, timeout_s: float) -> Outcome:
        """Post ``notification``; see ``judge`` for what each answer means.

        Raises:
            ChannelRefusedError: The target's address is out of bounds.
            ChannelUnavailableError: No answer.
        """
        started_ms = self._clock.monotonic_ms()
        settings, target = self._settings, self._settings.target
        addresses = checked_addresses(
            target.host,
            target.port,
            allow_private=settings.allow_private,
            timeout_s=timeout_s,
            resolver=self._resolver,
        )
        body = json.dumps(notification.to_body(key), ensure_ascii=False, allow_nan=False).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "barograph",
            "Idempotency-Key": key,
            **settings.headers,
        }
        if settings.secret:
            headers[SIGNATURE_HEADER] = sign(settings.secret, self._clock.now_ms() // 1_000, body)
        left_s = timeout_s - (self._clock.monotonic_ms() - started_ms) / 1_000
        if left_s <= 0:
            raise ChannelUnavailableError("timeout")
        answer = post(target, addresses, body, headers, timeout_s=left_s, clock=self._clock)
        return judge(answer, self._clock.now_ms(), self._hide_secrets)

    def _hide_secrets(self, text: str) -> str:
        """Take out what a server may echo: it goes to logs and to a stream that many may read."""
        settings = self._settings
        whole = (settings.target.path, settings.secret, *settings.headers.values())
        # A server names the token it does not know, not the header that it came in.
        parts = {part for secret in whole for part in _SEPARATORS.split(secret) if len(part) >= _SHORTEST_PART}
        for secret in sorted({*whole, *parts}, key=len, reverse=True):
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, "***")
        return text


def sign(secret: str, at_s: int, body: bytes) -> str:
    """Return ``t=<seconds since the epoch>,v1=<hex>``: HMAC-SHA256 of ``<t>.<body>`` under ``secret``.

    The time is signed too, so that a receiver can refuse what was recorded and replayed.
    """
    digest = hmac.new(secret.encode(), f"{at_s}.".encode() + body, hashlib.sha256)
    return f"t={at_s},v1={digest.hexdigest()}"


def judge(answer: Answer, now_ms: int, hide: Callable[[str], str]) -> Outcome:
    """Return what a status means: 2xx is sent; 408, 425, 429 and 5xx are for later; all else is refused.

    A redirect is refused, not followed: it would lead past the check of the address.
    """
    status = answer.status
    if 200 <= status < 300:
        return Sent(f"http {status}")
    quoted = one_line(hide(answer.body.decode(errors="replace")), _QUOTED_LIMIT).strip()
    reason = f"http {status}: {quoted}" if quoted else f"http {status}"
    if status in _AGAIN or status >= 500:
        return Retry(retry_after_s(answer.headers.get("retry-after", ""), now_ms), reason)
    return Refused(f"http {status}: redirects are not followed" if 300 <= status < 400 else reason)


def retry_after_s(text: str, now_ms: int) -> float | None:
    """Return the seconds of a ``Retry-After`` header (seconds or a date), ``None`` where it has no sense."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        # Longer numbers mean for ever; the backoff has a cap.
        return float(text) if len(text) <= 9 else 1e9
    try:
        at_s = parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, at_s - now_ms / 1_000)
