"""Turns an answer to a POST into an outcome: sent, try again later, or refused."""

import re
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final

from barograph_core.text.one_line import one_line
from barograph_notifier.channel import Outcome, Refused, Retry, Sent
from barograph_notifier.posting.post import HttpAnswer

# Answers of the moment, in addition to 5xx.
AGAIN: Final = frozenset({408, 425, 429})
# Answers of a server that did not take the request. After any other 5xx it may have: a gateway that waits no longer
# (504), or a receiver that failed after its work was done (500).
NOT_TAKEN: Final = AGAIN | {501, 503}
_QUOTED_LIMIT: Final = 160
# The standard knows whole seconds only; Discord and others send 0.65.
_SECONDS: Final = re.compile(r"\d+(?:\.\d*)?\Z", re.ASCII)


def outcome_of(answer: HttpAnswer, now_ms: int, hide: Callable[[str], str]) -> Outcome:
    """Return the outcome: 2xx is sent; 408, 425, 429 and 5xx are tried again; anything else is refused.

    A redirect is refused and not followed: its target would escape the check of the address.
    """
    status = answer.status
    if 200 <= status < 300:
        return Sent(f"http {status}")
    quoted = quote(answer.body.decode(errors="replace"), hide)
    reason = f"http {status}: {quoted}" if quoted else f"http {status}"
    if status in AGAIN or status >= 500:
        after_s = retry_after_s(answer.headers.get("retry-after", ""), now_ms)
        return Retry(after_s, reason, may_have_arrived=status not in NOT_TAKEN)
    return Refused(f"http {status}: redirects are not followed" if 300 <= status < 400 else reason)


def quote(text: str, hide: Callable[[str], str]) -> str:
    """Return the beginning of a server's own words on one line, without secrets."""
    return one_line(hide(text), _QUOTED_LIMIT).strip()


def retry_after_s(text: str, now_ms: int) -> float | None:
    """Return the seconds of a ``Retry-After`` header (seconds or a date), ``None`` if it is neither."""
    text = text.strip()
    if _SECONDS.match(text):
        # The backoff limits it.
        return min(float(text), 1e9)
    try:
        at_s = parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, at_s - now_ms / 1_000)
