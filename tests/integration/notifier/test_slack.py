"""The Slack channels against receivers that answer as Slack documents it."""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest

from barograph_core.clock import SystemClock
from barograph_notifier.channel import Outcome, Refused, Retry, Sent, attempt
from barograph_notifier.channels.slack import SlackBotChannel, SlackWebhookChannel
from barograph_notifier.notification import Notification
from barograph_notifier.posting.endpoint import HttpEndpoint
from barograph_notifier.posting.target import parse_target
from tests.integration.notifier.receiver import Receiver, running_receiver
from tests.unit.notifier.samples import RESOLVED, flagged, notification, transition

NO_HEADERS: dict[str, str] = {}
TOKEN = "xoxb-0123456789-s3cret"  # noqa: S105
FIRST = "C0123ABC/1700000000.000100"
DONE = {"ok": True, "channel": "C0123ABC", "ts": "1700000000.000100", "message": {"text": "x" * 20_000}}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


def answers(receiver: Receiver, *documents: dict[str, Any] | tuple[int, dict[str, str], bytes]) -> None:
    receiver.answers = [
        item if isinstance(item, tuple) else (200, {"Content-Type": "application/json"}, json.dumps(item).encode())
        for item in documents
    ]


def endpoint(receiver: Receiver, path: str) -> HttpEndpoint:
    target = parse_target(f"http://127.0.0.1:{receiver.port}{path}")
    return HttpEndpoint(target, clock=SystemClock(), allow_private=True, secrets=[TOKEN])


def by_bot(receiver: Receiver, given: Notification) -> Outcome:
    channel = SlackBotChannel(
        endpoint(receiver, "/api"), token=TOKEN, conversation="#alerts", has_buttons=True, clock=SystemClock()
    )
    assert TOKEN not in repr(channel)
    return attempt(channel, given, key="k" * 32, timeout_s=8)


def buttons_of(message: dict[str, Any]) -> list[str]:
    last = message["attachments"][0]["blocks"][-1]
    return [one["text"]["text"] for one in last["elements"] if one.get("type") == "button"]


def by_webhook(receiver: Receiver) -> Outcome:
    channel = SlackWebhookChannel(endpoint(receiver, "/services/T0/B0/s3crets3cret"), clock=SystemClock())
    assert "s3crets3cret" not in repr(channel)
    return attempt(channel, notification(), key="k" * 32, timeout_s=8)


def calls(receiver: Receiver) -> list[tuple[str, dict[str, Any]]]:
    return [(got.path.removeprefix("/api/"), json.loads(got.body)) for got in receiver.received]


def test_the_first_message_is_posted(receiver: Receiver) -> None:
    """Its channel and time come back as the reference for the later ones."""
    answers(receiver, DONE)
    assert by_bot(receiver, notification()) == Sent(FIRST)
    ((method, body),) = calls(receiver)
    assert (method, body["channel"]) == ("chat.postMessage", "#alerts")
    assert body["text"] == "🔴 *high-error-rate on ranker (route=/predict)*"
    assert receiver.received[0].headers["Authorization"] == f"Bearer {TOKEN}"


def test_a_resolution_edits_the_message_and_replies_in_its_thread(receiver: Receiver) -> None:
    answers(receiver, DONE)
    over = Notification.of_transition(transition(RESOLVED), first_ref=FIRST)
    assert by_bot(receiver, over) == Sent(FIRST)
    (edit, edited), (reply, replied) = calls(receiver)
    assert (edit, edited["channel"], edited["ts"]) == ("chat.update", "C0123ABC", "1700000000.000100")
    assert edited["text"].startswith("✅ Resolved after ")
    assert edited["attachments"][0]["color"] == "#176b43"
    assert (reply, replied["channel"], replied["thread_ts"]) == (
        "chat.postMessage",
        "C0123ABC",
        "1700000000.000100",
    )
    assert replied["reply_broadcast"] is False


def test_a_reminder_is_shown_to_the_whole_channel(receiver: Receiver) -> None:
    """A reply in the thread alone would be missed by those who do not follow it."""
    answers(receiver, DONE)
    assert by_bot(receiver, dataclasses.replace(notification(reason="reminder"), first_ref=FIRST)) == Sent(FIRST)
    assert [method for method, _ in calls(receiver)] == ["chat.update", "chat.postMessage"]
    assert calls(receiver)[1][1]["reply_broadcast"] is True


def test_an_acknowledgement_edits_the_message_and_stands_in_its_thread_alone(receiver: Receiver) -> None:
    answers(receiver, DONE)
    taken_on = Notification.of_transition(flagged(), first_ref=FIRST)
    assert by_bot(receiver, taken_on) == Sent(FIRST)
    (edit, edited), (reply, replied) = calls(receiver)
    assert (edit, edited["ts"], reply, replied["thread_ts"]) == (
        "chat.update",
        "1700000000.000100",
        "chat.postMessage",
        "1700000000.000100",
    )
    assert edited["text"].startswith("🙋 Acknowledged by kim: ")
    assert replied["reply_broadcast"] is False
    assert buttons_of(edited) == ["Take back"]


def test_an_acknowledgement_without_a_message_to_edit_is_no_message(receiver: Receiver) -> None:
    """It was told in a digest, or somebody has deleted the message."""
    assert by_bot(receiver, Notification.of_transition(flagged())) == Sent("no message to edit")
    assert receiver.received == []
    answers(receiver, {"ok": False, "error": "message_not_found"})
    taken_on = Notification.of_transition(flagged(), first_ref=FIRST)
    assert by_bot(receiver, taken_on) == Sent("no message to edit")
    assert [method for method, _ in calls(receiver)] == ["chat.update"]


@pytest.mark.parametrize("error", ["message_not_found", "edit_window_closed", "cant_update_message"])
def test_a_message_that_is_gone_is_followed_by_a_new_one(receiver: Receiver, error: str) -> None:
    answers(receiver, {"ok": False, "error": error}, DONE)
    over = Notification.of_transition(transition(RESOLVED), first_ref=FIRST)
    assert by_bot(receiver, over) == Sent(FIRST)
    assert [(method, body["channel"]) for method, body in calls(receiver)] == [
        ("chat.update", "C0123ABC"),
        ("chat.postMessage", "#alerts"),
    ]


@pytest.mark.parametrize("ref", ["", "http 200", "C1/../x", "C0123ABC/1700000000.0001\n"])
def test_a_resolution_without_a_known_message_is_a_message(receiver: Receiver, ref: str) -> None:
    """Its firing may have arrived without an answer, or was sent by another kind of channel of this name."""
    answers(receiver, DONE)
    by_bot(receiver, Notification.of_transition(transition(RESOLVED), first_ref=ref))
    assert [method for method, _ in calls(receiver)] == ["chat.postMessage"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"ok": False, "error": "invalid_auth"}, Refused("slack: invalid_auth")),
        ({"ok": False, "error": "not_in_channel"}, Refused("slack: not_in_channel")),
        ({"ok": False, "error": f"no token {TOKEN}"}, Refused("slack: no token ***")),
        ({"ok": False}, Refused("slack: no reason given")),
        ({"ok": False, "error": "ratelimited"}, Retry(None, "slack: ratelimited")),
        ({"ok": False, "error": "internal_error"}, Retry(None, "slack: internal_error", may_have_arrived=True)),
        ((200, NO_HEADERS, b"<html>"), Retry(None, "slack: the answer is not JSON", may_have_arrived=True)),
        ((200, NO_HEADERS, b"[]"), Retry(None, "slack: the answer is not JSON", may_have_arrived=True)),
        ((429, {"Retry-After": "30"}, b"ratelimited"), Retry(30.0, "http 429: ratelimited")),
        ((503, NO_HEADERS, b""), Retry(None, "http 503")),
    ],
)
def test_the_answers_of_the_web_api(
    receiver: Receiver, answer: dict[str, Any] | tuple[int, dict[str, str], bytes], expected: Outcome
) -> None:
    answers(receiver, answer)
    assert by_bot(receiver, notification()) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((200, NO_HEADERS, b"ok"), Sent("http 200")),
        ((400, NO_HEADERS, b"invalid_payload"), Refused("http 400: invalid_payload")),
        ((403, NO_HEADERS, b"action_prohibited"), Refused("http 403: action_prohibited")),
        ((404, NO_HEADERS, b"no_service"), Refused("http 404: no_service")),
        ((410, NO_HEADERS, b"channel_is_archived"), Refused("http 410: channel_is_archived")),
        ((429, {"Retry-After": "1"}, b"rate_limited"), Retry(1.0, "http 429: rate_limited")),
        ((500, NO_HEADERS, b"rollup_error"), Retry(None, "http 500: rollup_error", may_have_arrived=True)),
        ((403, NO_HEADERS, b"no /services/T0/B0/s3crets3cret here"), Refused("http 403: no *** here")),
    ],
)
def test_the_answers_of_an_incoming_webhook(
    receiver: Receiver, answer: tuple[int, dict[str, str], bytes], expected: Outcome
) -> None:
    answers(receiver, answer)
    assert by_webhook(receiver) == expected
    assert json.loads(receiver.received[0].body)["attachments"][0]["blocks"]
