"""The webhook channel: our own JSON or Alertmanager's by POST, signed if there is a secret, with an idempotency key."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Final, Protocol

from barograph_core.clock import Clock
from barograph_notifier.channel import Outcome
from barograph_notifier.digest import Digest
from barograph_notifier.notification import Notification
from barograph_notifier.posting.answers import outcome_of
from barograph_notifier.posting.endpoint import HttpEndpoint

SIGNATURE_HEADER: Final = "Barograph-Signature"
_ENCODE: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


class BodyForm(Protocol):
    """Makes the JSON of a body."""

    def body_of(self, notification: Notification, key: str) -> dict[str, object]: ...
    def digest_body_of(self, digest: Digest) -> dict[str, object]: ...


class OwnForm:
    """The body as the README has it."""

    def body_of(self, notification: Notification, key: str) -> dict[str, object]:
        return notification.to_body(key)

    def digest_body_of(self, digest: Digest) -> dict[str, object]:
        return digest.to_body()


class WebhookChannel:
    """Posts each notification once per attempt.

    Args:
        endpoint: Where to; it knows the secrets that it hides.
        secret: The key that signs the body; empty for no signature.
        headers: Headers added to every request, for example ``Authorization``.
        clock: The time that is signed.
        form: Of the body; our own unless given.

    Attributes:
        senders: How many requests may be under way at a time.
    """

    senders = 4

    def __init__(
        self,
        endpoint: HttpEndpoint,
        *,
        clock: Clock,
        secret: str = "",
        headers: Mapping[str, str] | None = None,
        form: BodyForm | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._secret = secret
        self._headers = dict(headers or {})
        self._clock = clock
        self._form = form or OwnForm()

    def __repr__(self) -> str:
        return f"WebhookChannel({self._endpoint!r})"

    def preview(self, notification: Notification, *, key: str) -> str:
        return json.dumps(self._form.body_of(notification, key), ensure_ascii=False, indent=2)

    def send(self, notification: Notification, *, key: str, timeout_s: float) -> Outcome:
        """Post ``notification``; see ``outcome_of`` for what each answer means.

        Raises:
            ChannelRefusedError: The target's address is not allowed.
            ChannelUnavailableError: The target did not answer.
        """
        return self._post(self._form.body_of(notification, key), key, timeout_s)

    def send_digest(self, digest: Digest, *, key: str, timeout_s: float) -> Outcome:
        """Post ``digest``; the rest is as in ``send``."""
        return self._post(self._form.digest_body_of(digest), key, timeout_s)

    def _post(self, document: Mapping[str, object], key: str, timeout_s: float) -> Outcome:
        body = _ENCODE(document).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": key, **self._headers}
        if self._secret:
            headers[SIGNATURE_HEADER] = sign(self._secret, self._clock.now_ms() // 1_000, body)
        answer = self._endpoint.post(body, headers, timeout_s=timeout_s)
        return outcome_of(answer, self._clock.now_ms(), self._endpoint.hide)


def sign(secret: str, at_s: int, body: bytes) -> str:
    """Return ``t=<seconds since the epoch>,v1=<hex>``: HMAC-SHA256 of ``<t>.<body>`` under ``secret``.

    The time is signed too, so that a receiver can refuse a recorded request that is replayed.
    """
    digest = hmac.new(secret.encode(), f"{at_s}.".encode() + body, hashlib.sha256)
    return f"t={at_s},v1={digest.hexdigest()}"
