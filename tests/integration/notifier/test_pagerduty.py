"""The PagerDuty channel against a receiver that answers as the Events API v2 documents it."""

import json
import socket
import threading
from collections.abc import Iterator

import pytest

from barograph_core.clock import SystemClock
from barograph_notifier.channel import Outcome, Refused, Retry, Sent, attempt
from barograph_notifier.channels.pagerduty import PagerDutyChannel
from barograph_notifier.posting.endpoint import HttpEndpoint
from barograph_notifier.posting.target import parse_target
from tests.integration.notifier.receiver import Receiver, running_receiver, running_socket
from tests.unit.notifier.samples import notification

NO_HEADERS: dict[str, str] = {}
KEY = "0123456789abcdef0123456789abcdef"
INVALID = (
    b'{"status":"invalid event","message":"Event object is invalid",'
    b'"errors":["Length of \'routing_key\' is incorrect (should be 32 characters)"]}'
)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


def send(port: int, timeout_s: float = 8.0) -> Outcome:
    target = parse_target(f"http://127.0.0.1:{port}/v2/enqueue")
    endpoint = HttpEndpoint(target, clock=SystemClock(), allow_private=True, secrets=[KEY])
    channel = PagerDutyChannel(endpoint, routing_key=KEY, clock=SystemClock())
    assert KEY not in repr(channel)
    return attempt(channel, notification(), key="k" * 32, timeout_s=timeout_s)


def test_an_event_is_accepted(receiver: Receiver) -> None:
    receiver.answers = [(202, {}, b'{"status":"success","message":"Event processed","dedup_key":"x"}')]
    assert send(receiver.port) == Sent(notification().episode)
    (got,) = receiver.received
    body = json.loads(got.body)
    assert (got.path, body["routing_key"], body["event_action"]) == ("/v2/enqueue", KEY, "trigger")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((400, NO_HEADERS, INVALID), Refused("http 400: " + INVALID.decode()[:149] + "…")),
        ((403, NO_HEADERS, f"unknown key {KEY}".encode()), Refused("http 403: unknown key ***")),
        ((429, {"Retry-After": "12"}, b""), Retry(12.0, "http 429")),
        ((503, NO_HEADERS, b""), Retry(None, "http 503")),
        ((500, NO_HEADERS, b""), Retry(None, "http 500", may_have_arrived=True)),
    ],
)
def test_the_answers_of_the_events_api(
    receiver: Receiver, answer: tuple[int, dict[str, str], bytes], expected: Outcome
) -> None:
    receiver.answers = [answer]
    outcome = send(receiver.port)
    assert type(outcome) is type(expected)
    if answer[0] == 400:
        assert isinstance(outcome, Refused)
        assert outcome.reason.startswith('http 400: {"status":"invalid event","message":"Event object is invalid"')
    else:
        assert outcome == expected


def test_a_trigger_without_an_answer_may_have_arrived() -> None:
    """So its resolution is owed."""

    def silent(_connection: socket.socket, is_over: threading.Event) -> None:
        is_over.wait(60)

    with running_socket(silent) as port:
        assert send(port, timeout_s=0.5) == Retry(None, "timeout", may_have_arrived=True)
