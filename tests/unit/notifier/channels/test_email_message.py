"""An e-mail: its thread, its parts, and headers that nobody can add to."""

import dataclasses
import email
from email.message import EmailMessage
from email.policy import default

import pytest

from barograph_core.alerts.record import Contributor, Severity
from barograph_notifier.channels.email_message import Addresses, message_of, parse_address
from barograph_notifier.notification import Notification
from tests.unit.notifier.samples import RESOLVED, notification, transition

ADDRESSES = Addresses(parse_address("Barograph <alerts@example.com>"), [parse_address("ops@example.com")])
KEY = "k" * 32
NOW_MS = 1_700_000_000_000


def written(given: Notification, key: str = KEY) -> EmailMessage:
    """Return the message as a mail program reads it."""
    data = message_of(given, ADDRESSES, key=key, now_ms=NOW_MS).as_bytes()
    assert b"\n" not in data.replace(b"\r\n", b"")
    return email.message_from_bytes(data, policy=default)


def part(message: EmailMessage, kind: str) -> str:
    found = message.get_body((kind,))
    assert found is not None
    return str(found.get_content())


def test_the_first_message_of_an_episode_begins_a_thread() -> None:
    message = written(notification())
    assert message["Message-ID"] == f"<{notification().episode}.episode@example.com>"
    assert message["References"] is None
    assert message["Subject"] == "[error] high-error-rate on ranker (route=/predict)"
    assert message["From"] == "Barograph <alerts@example.com>"
    assert message["To"] == "ops@example.com"
    assert message["Date"] == "Tue, 14 Nov 2023 22:13:20 +0000"
    assert message["Auto-Submitted"] == "auto-generated"


@pytest.mark.parametrize(
    "later",
    [
        dataclasses.replace(notification(reason="reminder"), first_ref="250 queued"),
        Notification.of_transition(transition(RESOLVED), first_ref="250 queued"),
        # Its firing may have arrived without an answer, so nothing is known of it.
        Notification.of_transition(transition(RESOLVED)),
    ],
)
def test_later_messages_stand_in_the_thread(later: Notification) -> None:
    message = written(later)
    thread = written(notification())["Message-ID"]
    assert message["Message-ID"] == f"<{KEY}@example.com>"
    assert (message["In-Reply-To"], message["References"]) == (thread, thread)
    assert str(message["Subject"]).removeprefix("Resolved: ") == written(notification())["Subject"]


def test_another_episode_is_another_thread() -> None:
    again = Notification.of_transition(transition(episode_ms=9_000))
    assert written(again)["Message-ID"] != written(notification())["Message-ID"]


def test_a_repeated_attempt_has_the_same_id() -> None:
    """By it the servers on the way recognise a repetition."""
    assert written(notification())["Message-ID"] == written(notification())["Message-ID"]


def test_there_is_a_text_and_an_html_part() -> None:
    message = written(notification())
    assert message.get_content_type() == "multipart/alternative"
    assert part(message, "plain").startswith("FIRING error: high-error-rate on ranker (route=/predict)\r\n")
    assert "high-error-rate" in part(message, "html")


def test_only_a_critical_one_is_urgent() -> None:
    assert written(notification())["Importance"] is None
    assert written(dataclasses.replace(notification(), severity=Severity.CRITICAL))["Importance"] == "high"


@pytest.mark.parametrize(
    "evil", ["a\r\nBcc: all@example.com", "a\nX: y", "=?utf-8?q?a=0ABcc:_x?=", "a\u2028Bcc: x", "\x00"]
)
def test_no_text_can_add_a_header(evil: str) -> None:
    """Rules, services and labels come from outside."""
    message = written(
        dataclasses.replace(notification(), rule=evil, service=evil, labels={evil: evil}, summary=evil, actor=evil)
    )
    assert sorted(message.keys()) == [
        "Auto-Submitted",
        "Content-Type",
        "Date",
        "From",
        "MIME-Version",
        "Message-ID",
        "Subject",
        "To",
        "X-Auto-Response-Suppress",
    ]
    assert "\n" not in message["Subject"]


def test_html_is_escaped_and_loads_nothing() -> None:
    evil = '<script>alert(1)</script><img src="https://spy.example/x">'
    shown = part(
        written(
            dataclasses.replace(
                notification(),
                rule=evil,
                service=evil,
                summary=evil,
                reason=evil,
                runbook=f"javascript:{evil}",
                labels={evil: evil},
                contributors=(Contributor({evil: evil}, evil, 1.0, 2.0),),
            )
        ),
        "html",
    )
    assert "<script" not in shown
    assert "<img" not in shown
    assert "javascript:" not in shown
    assert "src=" not in shown.replace("src=&#34;", "")


@pytest.mark.parametrize(
    ("text", "spec", "name"),
    [
        ("ops@example.com", "ops@example.com", ""),
        ("Ops team <ops@example.com>", "ops@example.com", "Ops team"),
        ('"Ops, Köln" <ops+ml@example.com>', "ops+ml@example.com", "Ops, Köln"),
    ],
)
def test_addresses_are_read(text: str, spec: str, name: str) -> None:
    assert (parse_address(text).addr_spec, parse_address(text).display_name) == (spec, name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ops",
        "ops@",
        "@example.com",
        "a b@example.com",
        "a@example.com, b@example.com",
        "a@example.com\r\nBcc: c@example.com",
        "Ops <a@example.com",
        "a@example.com>",
        "Ops <a@example.com> x",
        "käthe@example.com",
        "a@exa<mple.com",
        "=?utf-8?q?=0ABcc:_x?= <a@example.com>",
    ],
)
def test_what_is_no_address_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is not an address such as"):
        parse_address(text)
