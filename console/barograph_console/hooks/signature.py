"""Whether a request comes from whom it says, and lately: signatures of Slack (v0) and PagerDuty (v1). Pure."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Final

# Slack's own advice. A request whose signature is older may be somebody's copy.
_SLACK_WITHIN_S: Final = 300
_SECONDS: Final = re.compile(r"\d{1,12}\Z", re.ASCII)


class SignatureError(Exception):
    """The request is not signed with our secret, or was signed too long ago."""


def check_slack(secret: str, headers: Mapping[str, str], body: bytes, now_ms: int) -> None:
    """Check ``X-Slack-Signature``, the HMAC-SHA256 over ``v0:<X-Slack-Request-Timestamp>:<body>``.

    Raises:
        SignatureError: It is another one, or its time is not within five minutes of ``now_ms``.
    """
    at_s = headers.get("x-slack-request-timestamp", "")
    if not _SECONDS.match(at_s) or abs(now_ms / 1_000 - int(at_s)) > _SLACK_WITHIN_S:
        raise SignatureError("X-Slack-Request-Timestamp is not within five minutes")
    if not _is_signed(headers.get("x-slack-signature", ""), "v0=", secret, f"v0:{at_s}:".encode() + body):
        raise SignatureError("X-Slack-Signature is not that of the signing secret")


def check_pagerduty(secret: str, headers: Mapping[str, str], body: bytes) -> None:
    """Check ``X-PagerDuty-Signature``, HMAC-SHA256 over the body; there are several while a secret is exchanged.

    Raises:
        SignatureError: None is that of the secret.
    """
    given = headers.get("x-pagerduty-signature", "").split(",")
    if not any(_is_signed(one.strip(), "v1=", secret, body) for one in given):
        raise SignatureError("X-PagerDuty-Signature is not that of the secret")


def _is_signed(given: str, version: str, secret: str, signed: bytes) -> bool:
    expected = version + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    # As bytes: compare_digest takes no text beyond ASCII.
    return hmac.compare_digest(expected.encode(), given.encode())
