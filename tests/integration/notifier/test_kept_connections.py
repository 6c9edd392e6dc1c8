"""Connections to a webhook are kept, go only where a check allowed, and end without a loss."""

import contextlib
import socket
import threading
from collections.abc import Callable, Generator, Sequence

import pytest

from barograph_notifier.channel import Outcome, Retry, Sent, attempt
from barograph_notifier.channels.webhook import WebhookChannel
from barograph_notifier.posting.endpoint import HttpEndpoint
from barograph_notifier.posting.target import parse_target
from tests.support import FakeClock
from tests.unit.notifier.samples import notification

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Serve = Callable[[socket.socket, int], None]


class Line:
    """A webhook channel, and a server that counts its connections and their requests."""

    def __init__(self, port: int, requests: list[int]) -> None:
        self.requests = requests
        self.resolved: list[str] = []
        self.clock = FakeClock()
        self._endpoint = HttpEndpoint(
            parse_target(f"http://hook.example:{port}/"),
            clock=self.clock,
            allow_private=True,
            resolver=self._resolve,
            keeps_alive=True,
        )

    def _resolve(self, host: str, _port: int) -> Sequence[str]:
        self.resolved.append(host)
        return ["127.0.0.1"]

    def send(self) -> Outcome:
        channel = WebhookChannel(self._endpoint, clock=self.clock)
        return attempt(channel, notification(), key="k" * 32, timeout_s=5.0)


def read_request(connection: socket.socket) -> bytes:
    """Return one request, empty at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += (more := connection.recv(65_536))
        if not more:
            return b""
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65_536)
    return head


@contextlib.contextmanager
def serving(answer: Serve) -> Generator[Line]:
    """Serve connections one by one; ``answer`` gets each request's connection, and its number on that connection."""
    requests: list[int] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                requests.append(0)
                with connection, contextlib.suppress(OSError):
                    while read_request(connection):
                        requests[-1] += 1
                        answer(connection, requests[-1])

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield Line(listener.getsockname()[1], requests)
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def say(text: bytes) -> Serve:
    return lambda connection, _: connection.sendall(text)


def test_a_connection_is_kept_and_its_name_resolved_once() -> None:
    with serving(say(OK)) as line:
        assert [line.send() for _ in range(3)] == [Sent("http 200")] * 3
        assert (line.requests, line.resolved) == ([3], ["hook.example"])


@pytest.mark.parametrize(("ms", "connections"), [(3_900, 1), (4_100, 2)])
def test_an_idle_connection_is_not_used_again(ms: int, connections: int) -> None:
    with serving(say(OK)) as line:
        line.send()
        line.clock.advance(ms)
        line.send()
        assert len(line.resolved) == connections


def test_an_old_connection_makes_room_for_one_to_where_the_name_is_now() -> None:
    """The name is resolved and checked again once a minute, however busy the connection is."""
    with serving(say(OK)) as line:
        for _ in range(21):
            line.send()
            line.clock.advance(3_000)
        line.send()
        assert len(line.resolved) == 2


def test_a_connection_that_the_server_has_closed_costs_no_alert() -> None:
    """The request goes once more over a new one, under the same key."""

    def answer_once(connection: socket.socket, number: int) -> None:
        if number == 1:
            connection.sendall(OK)
        else:
            # Only the second request finds out that the server had enough.
            connection.shutdown(socket.SHUT_RDWR)

    with serving(answer_once) as line:
        assert [line.send() for _ in range(2)] == [Sent("http 200")] * 2
        assert line.requests == [2, 1]


def test_a_new_connection_that_ends_without_an_answer_is_a_failure() -> None:
    """The control of the test above: nothing is repeated on end."""
    with serving(lambda connection, _: connection.shutdown(socket.SHUT_RDWR)) as line:
        outcome = line.send()
        assert isinstance(outcome, Retry)
        assert outcome.may_have_arrived
        assert line.requests == [1]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 Unasked\r\n\r\n",
    ],
)
def test_a_connection_with_something_left_on_it_is_not_kept(answer: bytes) -> None:
    """The rest of one answer must not be taken for the next one."""
    with serving(say(answer)) as line:
        assert [line.send() for _ in range(2)] == [Sent("http 200")] * 2
        assert len(line.resolved) == 2
