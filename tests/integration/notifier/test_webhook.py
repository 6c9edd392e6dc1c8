"""The webhook channel against real sockets on loopback."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import trustme

from barograph_core.clock import SystemClock
from barograph_notifier.address_guard import Resolver
from barograph_notifier.channel import Outcome, Refused, Retry, Sent, attempt
from barograph_notifier.webhook import WebhookChannel, WebhookSettings, sign
from barograph_notifier.webhook_options import parse_target
from tests.integration.notifier.receiver import Receiver, Server, running_receiver, running_socket
from tests.support import free_port
from tests.unit.notifier.samples import notification


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


def loopback(_host: str, _port: int) -> Sequence[str]:
    return ["127.0.0.1"]


def post(
    url: str,
    *,
    timeout_s: float = 5.0,
    allow_private: bool = True,
    secret: str = "",
    headers: dict[str, str] | None = None,
    resolver: Resolver = loopback,
    ca_file: str = "",
) -> Outcome:
    settings = WebhookSettings(
        target=parse_target(url, ca_file), allow_private=allow_private, secret=secret, headers=headers or {}
    )
    channel = WebhookChannel(settings, clock=SystemClock(), resolver=resolver)
    return attempt(channel, notification(), key="k" * 32, timeout_s=timeout_s)


def test_the_notification_arrives_as_published(receiver: Receiver) -> None:
    assert post(receiver.url + "?team=ml") == Sent("http 200")
    (got,) = receiver.received
    assert got.path == "/hook?team=ml"
    assert json.loads(got.body) == notification().to_body("k" * 32)
    assert got.headers["Content-Type"] == "application/json"
    assert got.headers["Idempotency-Key"] == "k" * 32
    assert got.headers["Host"] == f"127.0.0.1:{receiver.port}"
    assert "Barograph-Signature" not in got.headers


def test_the_body_is_signed(receiver: Receiver) -> None:
    """The receiver can check it with nothing but the secret."""
    post(receiver.url, secret="s3cret", headers={"Authorization": "Bearer t"})
    (got,) = receiver.received
    signature = got.headers["Barograph-Signature"]
    at_s = int(signature.partition(",")[0].removeprefix("t="))
    assert sign("s3cret", at_s, got.body) == signature
    assert abs(at_s - time.time()) < 60
    assert got.headers["Authorization"] == "Bearer t"


def test_the_name_is_kept_though_the_address_is_dialled(receiver: Receiver) -> None:
    """Host is the URL's, the connection goes to the checked address: no second look-up, no rebinding."""
    looked_up: list[str] = []

    def once(host: str, _port: int) -> Sequence[str]:
        looked_up.append(host)
        return ["127.0.0.1"]

    assert post(f"http://hook.invalid:{receiver.port}/x", resolver=once) == Sent("http 200")
    assert looked_up == ["hook.invalid"]
    assert receiver.received[0].headers["Host"] == f"hook.invalid:{receiver.port}"


def test_loopback_is_refused_unless_allowed(receiver: Receiver) -> None:
    outcome = post(f"http://hook.invalid:{receiver.port}/x", allow_private=False)
    assert isinstance(outcome, Refused)
    assert "not a public address" in outcome.reason
    assert receiver.received == []


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.answers = [(302, {"Location": receiver.url}, b"")]
    assert post(receiver.url) == Refused("http 302: redirects are not followed")
    assert len(receiver.received) == 1


def test_a_busy_receiver_says_when(receiver: Receiver) -> None:
    receiver.answers = [(429, {"Retry-After": "7"}, b"slow down")]
    assert post(receiver.url) == Retry(7.0, "http 429: slow down")


def test_an_echoed_secret_stays_out_of_the_reason(receiver: Receiver) -> None:
    """The reason goes to logs and to a stream that many may read."""
    receiver.answers = [(403, {}, b"no access to /hook/T0/token0 with Bearer abc123")]
    outcome = post(receiver.url + "/T0/token0", headers={"Authorization": "Bearer abc123"})
    assert outcome == Refused("http 403: no access to *** with ***")


def test_a_token_is_hidden_also_without_the_words_around_it(receiver: Receiver) -> None:
    """A server names the token it does not know, not the header or the path that it came in."""
    receiver.answers = [(401, {}, b"unknown token abcdef123456, key 0123456789")]
    outcome = post(receiver.url + "?key=0123456789", headers={"Authorization": "Bearer abcdef123456"})
    assert outcome == Refused("http 401: unknown token ***, key ***")


def test_a_huge_answer_is_not_read(receiver: Receiver) -> None:
    receiver.answers = [(500, {}, b"x" * 1_000_000)]
    outcome = post(receiver.url)
    assert isinstance(outcome, Retry)
    assert len(outcome.reason) < 200


def test_the_next_address_is_tried_when_one_does_not_answer(receiver: Receiver) -> None:
    """A name with several addresses of which the first is out of service."""

    def two(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.9", "127.0.0.1"]

    assert post(f"http://hook.invalid:{receiver.port}/x", resolver=two) == Sent("http 200")


def test_nobody_there_is_tried_again() -> None:
    assert post(f"http://127.0.0.1:{free_port()}/") == Retry(None, "connection refused")


def read_request(connection: socket.socket) -> None:
    data = b""
    while b"runbook" not in data:
        data += connection.recv(65_536)


def silent(connection: socket.socket, is_over: threading.Event) -> None:
    read_request(connection)
    is_over.wait(10)


def dripping_status(connection: socket.socket, is_over: threading.Event) -> None:
    """A byte now and then, each well within any socket timeout."""
    read_request(connection)
    drip(connection, b"HTTP/1.1 2", is_over)


def dripping_headers(connection: socket.socket, is_over: threading.Event) -> None:
    read_request(connection)
    drip(connection, b"HTTP/1.1 200 OK\r\nX-Slow: ", is_over)


def drip(connection: socket.socket, first: bytes, is_over: threading.Event) -> None:
    connection.sendall(first)
    while not is_over.wait(0.02):
        try:
            connection.sendall(b"x")
        except OSError:
            return


def hanging_up(connection: socket.socket, _is_over: threading.Event) -> None:
    read_request(connection)


def babbling(connection: socket.socket, _is_over: threading.Event) -> None:
    read_request(connection)
    connection.sendall(b"220 smtp.example ready\r\n")


def truncating(connection: socket.socket, _is_over: threading.Event) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (silent, Retry(None, "timeout")),
        (dripping_status, Retry(None, "timeout")),
        # A status that arrived is the answer.
        (dripping_headers, Sent("http 200")),
    ],
)
def test_a_slow_receiver_is_given_up_in_time(server: Server, expected: Outcome) -> None:
    """The bound holds for the whole attempt, also when bytes keep coming."""
    started_s = time.monotonic()
    with running_socket(server) as port:
        assert post(f"http://127.0.0.1:{port}/", timeout_s=0.3) == expected
    assert time.monotonic() - started_s < 3


def test_a_receiver_that_hangs_up_is_tried_again() -> None:
    with running_socket(hanging_up) as port:
        assert post(f"http://127.0.0.1:{port}/") == Retry(None, "connection: RemoteDisconnected")


def test_a_receiver_that_speaks_no_http_is_tried_again() -> None:
    with running_socket(babbling) as port:
        assert post(f"http://127.0.0.1:{port}/") == Retry(None, "connection: BadStatusLine")


def test_a_status_counts_though_the_body_breaks_off() -> None:
    with running_socket(truncating) as port:
        assert post(f"http://127.0.0.1:{port}/") == Sent("http 200")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the certificate of ``hook.invalid`` and of the authority that issued it."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    issued = authority.issue_cert("hook.invalid")
    issued.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    authority.cert_pem.write_to_path(folder / "authority.pem")
    return folder


@pytest.fixture
def tls_receiver(certificate: Path) -> Iterator[Receiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "server.pem")
    with running_receiver(context) as running:
        yield running


def test_the_certificate_is_checked_against_the_name(tls_receiver: Receiver, certificate: Path) -> None:
    """Though the connection goes to an address."""
    ca_file = str(certificate / "authority.pem")
    assert post(f"https://hook.invalid:{tls_receiver.port}/x", ca_file=ca_file) == Sent("http 200")
    wrong = post(f"https://other.invalid:{tls_receiver.port}/x", ca_file=ca_file)
    assert isinstance(wrong, Retry)
    assert wrong.reason.startswith("certificate: ")


def test_an_unknown_certificate_is_not_trusted(tls_receiver: Receiver) -> None:
    outcome = post(f"https://hook.invalid:{tls_receiver.port}/x")
    assert isinstance(outcome, Retry)
    assert outcome.reason.startswith("certificate: ")
    assert tls_receiver.received == []
