"""What an answer means, how long to wait, and how a body is signed."""

import pytest

from barograph_notifier.channel import Refused, Retry, Sent
from barograph_notifier.channels.webhook import WebhookChannel, sign
from barograph_notifier.posting.answers import outcome_of, retry_after_s
from barograph_notifier.posting.endpoint import HttpEndpoint
from barograph_notifier.posting.post import HttpAnswer
from barograph_notifier.posting.target import Target
from tests.support import FakeClock

NOW_MS = 1_700_000_000_000
EXAMPLE = "t=1700000000,v1=17a0c827f8dfcaf47a48f4d1975f49b7856d02eefd1de77d9b3318acc235bf18"


def as_it_is(text: str) -> str:
    return text


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_sent(status: int) -> None:
    assert outcome_of(HttpAnswer(status, {}, b"anything"), NOW_MS, as_it_is) == Sent(f"http {status}")


@pytest.mark.parametrize("status", [408, 425, 429, 501, 503])
def test_trouble_of_the_moment_is_tried_again(status: int) -> None:
    assert outcome_of(HttpAnswer(status, {}, b""), NOW_MS, as_it_is) == Retry(None, f"http {status}")


@pytest.mark.parametrize("status", [500, 502, 504, 599])
def test_a_failure_may_come_after_the_work_was_done(status: int) -> None:
    """A gateway that waits no longer does not know what became of the request."""
    assert outcome_of(HttpAnswer(status, {}, b""), NOW_MS, as_it_is) == Retry(
        None, f"http {status}", may_have_arrived=True
    )


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 422])
def test_what_will_never_work_is_refused_with_the_reason_given(status: int) -> None:
    assert outcome_of(HttpAnswer(status, {}, b"bad\x1b[2J\n"), NOW_MS, as_it_is) == Refused(
        f"http {status}: bad\ufffd[2J"
    )


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    """It would lead past the check of the address."""
    assert outcome_of(HttpAnswer(status, {"location": "http://127.0.0.1/"}, b""), NOW_MS, as_it_is) == Refused(
        f"http {status}: redirects are not followed"
    )


def test_the_wait_asked_for_goes_with_the_retry() -> None:
    assert outcome_of(HttpAnswer(429, {"retry-after": "17"}, b"slow"), NOW_MS, as_it_is) == Retry(
        17.0, "http 429: slow"
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("9" * 400, 1e9),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        ("Tue, 14 Nov 2023 22:13:00 GMT", 0.0),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("1.5", 1.5),
        ("0.65", 0.65),
        ("1e3", None),
        ("nan", None),
        ("1.2.3", None),
        ("٣", None),
        ("Tue, 99 Nov 2023 22:13:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    assert retry_after_s(text, NOW_MS) == seconds


def test_a_signature_covers_time_and_body() -> None:
    """A fixed example, for those who write a receiver."""
    assert sign("s3cret", 1_700_000_000, b'{"version": 1}') == EXAMPLE
    assert sign("s3cret", 1_700_000_001, b'{"version": 1}') != EXAMPLE


def test_nothing_secret_shows() -> None:
    """Settings and channels are logged in more places than one thinks of."""
    clock = FakeClock()
    endpoint = HttpEndpoint(Target("hook.example", 443, "/services/T0/B0/token"), clock=clock)
    channel = WebhookChannel(endpoint, clock=clock, secret="s3cret-signing", headers={"Authorization": "Bearer abc123"})
    shown = repr(endpoint) + repr(channel)
    assert "hook.example" in shown
    assert not any(secret in shown for secret in ("token", "s3cret-signing", "abc123"))
