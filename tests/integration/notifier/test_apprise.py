"""Apprise itself: its targets' forms against local receivers, and the guard around its connections."""

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from barograph_core.errors import Problem
from barograph_core.settings.config_file import parse_config
from barograph_notifier.channel import Channel, Outcome, Refused, Retry, Sent, attempt
from barograph_notifier.channels.apprise import AppriseChannel
from barograph_notifier.channels.reading import parse_channels
from barograph_notifier.notification import Notification
from tests.integration.notifier.receiver import Receiver, Server, running_receiver, running_socket
from tests.support import free_port
from tests.unit.notifier.samples import RESOLVED, notification, transition

pytest.importorskip("apprise")
# Apprise imports all of its targets, some of which use what is deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


def read(url: str, *, allow_private: bool = True) -> tuple[Channel | None, list[str]]:
    text = (
        f'[[channel]]\nname = "any"\ntype = "apprise"\nurl = "env:URL"\nallow_private = {str(allow_private).lower()}\n'
    )
    problems: list[Problem] = []
    channels = parse_channels(parse_config(text, Path("barograph.toml")), {"URL": url}, problems)
    return (channels["any"].channel if channels else None), [str(problem) for problem in problems]


def send(url: str, given: Notification | None = None, *, allow_private: bool = True, timeout_s: float = 8.0) -> Outcome:
    channel, problems = read(url, allow_private=allow_private)
    assert problems == []
    assert isinstance(channel, AppriseChannel)
    return attempt(channel, given or notification(), key="k" * 32, timeout_s=timeout_s)


def test_json_for_anything(receiver: Receiver) -> None:
    assert send(f"json://127.0.0.1:{receiver.port}/hook") == Sent("apprise json")
    body = json.loads(receiver.received[0].body)
    assert body["title"] == "FIRING error: high-error-rate on ranker (route=/predict)"
    assert body["message"].startswith("/predict: 30 % errors\n")
    assert body["type"] == "failure"


def test_ntfy_gets_its_own_form(receiver: Receiver) -> None:
    receiver.answers = [(200, {"Content-Type": "application/json"}, b'{"id":"x"}')]
    over = Notification.of_transition(transition(RESOLVED))
    assert send(f"ntfy://127.0.0.1:{receiver.port}/alerts", over) == Sent("apprise ntfy")
    body = json.loads(receiver.received[0].body)
    assert body["topic"] == "alerts"
    assert body["title"].startswith("RESOLVED after ")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, Refused("apprise json: http 400")),
        (404, Refused("apprise json: http 404")),
        (429, Retry(None, "apprise json: http 429")),
        (503, Retry(None, "apprise json: http 503")),
        (500, Retry(None, "apprise json: http 500", may_have_arrived=True)),
    ],
)
def test_the_answer_decides(receiver: Receiver, status: int, expected: Outcome) -> None:
    receiver.answers = [(status, {}, b"no")]
    assert send(f"json://127.0.0.1:{receiver.port}/hook") == expected


def test_a_private_address_is_refused_before_a_connection(receiver: Receiver) -> None:
    outcome = send(f"json://127.0.0.1:{receiver.port}/hook", allow_private=False)
    assert isinstance(outcome, Refused)
    assert outcome.reason.startswith("the target is at 127.0.0.1, not a public address; allow_private = true")
    assert receiver.received == []


@pytest.mark.parametrize("name", ["localhost", "[::1]", "0.0.0.0", "2130706433"])
def test_a_private_address_by_another_name_is_refused(receiver: Receiver, name: str) -> None:
    outcome = send(f"json://{name}:{receiver.port}/hook", allow_private=False)
    assert not isinstance(outcome, Sent)
    assert receiver.received == []


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    with running_receiver() as other:
        receiver.answers = [(302, {"Location": other.url}, b"")]
        assert not isinstance(send(f"json://127.0.0.1:{receiver.port}/hook"), Sent)
        assert other.received == []


def test_other_connections_of_the_process_are_not_guarded(receiver: Receiver) -> None:
    """The guard holds for a call of Apprise and for nothing else, also while one is refused."""
    send(f"json://127.0.0.1:{receiver.port}/hook", allow_private=False)
    socket.create_connection(("127.0.0.1", receiver.port), timeout=5).close()


def test_nobody_there_is_tried_again() -> None:
    outcome = send(f"json://127.0.0.1:{free_port()}/")
    assert isinstance(outcome, Retry)
    assert outcome.reason == "apprise json: failed"


def silent(_connection: socket.socket, is_over: threading.Event) -> None:
    is_over.wait(60)


def dripping(connection: socket.socket, is_over: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not is_over.wait(0.02):
        try:
            connection.sendall(b"x")
        except OSError:
            return


@pytest.mark.parametrize("server", [silent, dripping])
def test_a_target_that_comes_to_no_end_is_given_up_in_time(server: Server) -> None:
    started_s = time.monotonic()
    with running_socket(server) as port:
        outcome = send(f"json://127.0.0.1:{port}/", timeout_s=1)
    # The one that drips has sent its status: an answer, if it is read before the attempt is given up.
    assert outcome == Sent("apprise json") or (isinstance(outcome, Retry) and outcome.may_have_arrived)
    assert isinstance(outcome, Retry) or server is dripping
    assert time.monotonic() - started_s < 6


def test_nothing_secret_reaches_our_logs(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    receiver.answers = [(403, {}, b"no s3cret-token here")]
    with caplog.at_level(logging.DEBUG):
        outcome = send(f"json://user:s3cret-word@127.0.0.1:{receiver.port}/s3cret-token")
    assert outcome == Refused("apprise json: http 403")
    assert "s3cret" not in caplog.text


def test_a_url_that_apprise_does_not_know_is_named_without_it() -> None:
    channel, problems = read("pigeon://s3cret-token")
    assert channel is None
    assert problems == [
        (
            "barograph.toml:4: channel[1].url: is not a URL that the installed Apprise knows: "
            "see its wiki for the form of each target"
        )
    ]
