"""The webhook channel against real sockets on loopback."""

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import trustme

from barograph_core.clock import SystemClock
from barograph_notifier.channel import Outcome, Refused, Retry, Sent, attempt
from barograph_notifier.channels.webhook import WebhookChannel, sign
from barograph_notifier.posting.address_guard import Resolver
from barograph_notifier.posting.endpoint import HttpEndpoint
from barograph_notifier.posting.proxy import parse_proxy
from barograph_notifier.posting.target import NO_FILES, CertificateFiles, parse_target
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
    files: CertificateFiles = NO_FILES,
    proxy: str = "",
) -> Outcome:
    endpoint = HttpEndpoint(
        parse_target(url, files),
        clock=SystemClock(),
        allow_private=allow_private,
        secrets=[secret, *(headers or {}).values()],
        resolver=resolver,
        proxy=parse_proxy(proxy) if proxy else None,
    )
    channel = WebhookChannel(endpoint, clock=SystemClock(), secret=secret, headers=headers)
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


@pytest.mark.parametrize(("host", "kind"), [("127.0.0.1", Refused), ("hook.invalid", Retry)])
def test_loopback_is_not_connected_to_unless_allowed(receiver: Receiver, host: str, kind: type[Outcome]) -> None:
    """An address stays what it is; a name server may give a right answer next time."""
    outcome = post(f"http://{host}:{receiver.port}/x", allow_private=False)
    assert isinstance(outcome, kind)
    assert isinstance(outcome, Retry | Refused)
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
    is_over.wait(60)


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


def hinting(connection: socket.socket, _is_over: threading.Event) -> None:
    """Interim answers, which say nothing of what becomes of the request."""
    read_request(connection)
    for status in (100, 102, 103):
        connection.sendall(f"HTTP/1.1 {status} Wait\r\nLink: </a>\r\n\r\n".encode())
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def never_ending(connection: socket.socket, is_over: threading.Event) -> None:
    """A body without a length on a connection that stays open."""
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nok")
    is_over.wait(60)


def many_headers(connection: socket.socket, _is_over: threading.Event) -> None:
    read_request(connection)
    lines = b"".join(b"X-%d: y\r\n" % number for number in range(150))
    connection.sendall(b"HTTP/1.1 200 OK\r\n" + lines + b"Content-Length: 0\r\n\r\n")


def breaking_off(connection: socket.socket, _is_over: threading.Event) -> None:
    """The status, and then a reset in the middle of the headers."""
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-He")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("server", [hinting, never_ending, many_headers, breaking_off])
def test_a_receiver_that_took_it_is_not_asked_again(server: Server) -> None:
    """Whatever else it sends, and without waiting for the end of a body that says nothing more."""
    started_s = time.monotonic()
    with running_socket(server) as port:
        assert post(f"http://127.0.0.1:{port}/", timeout_s=8) == Sent("http 200")
    assert time.monotonic() - started_s < 6


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (silent, Retry(None, "timeout", may_have_arrived=True)),
        (dripping_status, Retry(None, "timeout", may_have_arrived=True)),
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
        assert post(f"http://127.0.0.1:{port}/") == Retry(None, "connection: RemoteDisconnected", may_have_arrived=True)


def test_a_receiver_that_speaks_no_http_is_tried_again() -> None:
    with running_socket(babbling) as port:
        assert post(f"http://127.0.0.1:{port}/") == Retry(None, "connection: BadStatusLine", may_have_arrived=True)


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
    ours = authority.issue_cert("notifier.invalid")
    ours.private_key_pem.write_to_path(folder / "client.key")
    ours.cert_chain_pems[0].write_to_path(folder / "client.pem")
    return folder


@pytest.fixture
def tls_receiver(certificate: Path) -> Iterator[Receiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "server.pem")
    with running_receiver(context) as running:
        yield running


def test_the_certificate_is_checked_against_the_name(tls_receiver: Receiver, certificate: Path) -> None:
    """Though the connection goes to an address."""
    files = CertificateFiles(str(certificate / "authority.pem"))
    assert post(f"https://hook.invalid:{tls_receiver.port}/x", files=files) == Sent("http 200")
    wrong = post(f"https://other.invalid:{tls_receiver.port}/x", files=files)
    assert isinstance(wrong, Retry)
    assert wrong.reason.startswith("certificate: ")


def test_an_unknown_certificate_is_not_trusted(tls_receiver: Receiver) -> None:
    outcome = post(f"https://hook.invalid:{tls_receiver.port}/x")
    assert isinstance(outcome, Retry)
    assert outcome.reason.startswith("certificate: ")
    assert tls_receiver.received == []


def test_a_receiver_may_ask_for_our_certificate(certificate: Path) -> None:
    """Without one the connection ends before anything is taken."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "server.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(certificate / "authority.pem")
    trusted = str(certificate / "authority.pem")
    with running_receiver(context) as receiver:
        url = f"https://hook.invalid:{receiver.port}/x"
        without = post(url, files=CertificateFiles(trusted))
        assert isinstance(without, Retry)
        assert receiver.received == []
        shown = CertificateFiles(trusted, str(certificate / "client.pem"), str(certificate / "client.key"))
        assert post(url, files=shown) == Sent("http 200")
    assert len(receiver.received) == 1


class ProxyPeer:
    """A proxy for one connection: it asks for a login, and connects to a port of this machine whatever the name."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.heads: list[bytes] = []

    def serve(self, connection: socket.socket, _is_over: threading.Event) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(4_096)
        self.heads.append(head)
        if b"Proxy-Authorization: Basic dXM6cHc=" not in head:
            connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", self._port)) as onward:
            if head.startswith(b"CONNECT "):
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                onward.sendall(head)
            back = threading.Thread(target=pump, args=[onward, connection])
            back.start()
            pump(connection, onward)
            back.join()


def pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(65_536):
            sink.sendall(chunk)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def test_a_tunnel_through_a_proxy_is_encrypted_to_the_target(tls_receiver: Receiver, certificate: Path) -> None:
    """The proxy learns the name and its own login, and nothing of the request."""
    peer = ProxyPeer(tls_receiver.port)
    files = CertificateFiles(str(certificate / "authority.pem"))
    with running_socket(peer.serve) as port:
        proxy = f"http://us:pw@127.0.0.1:{port}"
        outcome = post(
            f"https://hook.invalid:{tls_receiver.port}/secret", files=files, proxy=proxy, allow_private=False
        )
    assert outcome == Sent("http 200")
    assert peer.heads[0].startswith(f"CONNECT hook.invalid:{tls_receiver.port} HTTP/1.1\r\n".encode())
    assert b"secret" not in peer.heads[0]
    (got,) = tls_receiver.received
    assert got.path == "/secret"
    assert "Proxy-Authorization" not in got.headers


def test_a_plain_request_names_the_whole_url_to_the_proxy(receiver: Receiver) -> None:
    peer = ProxyPeer(receiver.port)
    with running_socket(peer.serve) as port:
        assert post("http://hook.invalid/x", proxy=f"http://us:pw@127.0.0.1:{port}") == Sent("http 200")
    assert peer.heads[0].startswith(b"POST http://hook.invalid/x HTTP/1.1\r\n")


def test_a_proxy_that_refuses_is_named_without_its_login() -> None:
    peer = ProxyPeer(9)
    with running_socket(peer.serve) as port:
        outcome = post("https://hook.invalid/x", proxy=f"http://us:wrong@127.0.0.1:{port}")
    assert outcome == Retry(None, "proxy: http 407")


def test_a_private_address_is_refused_through_a_proxy_too() -> None:
    outcome = post("https://127.0.0.1/x", proxy="http://127.0.0.1:9", allow_private=False)
    assert isinstance(outcome, Refused)
    assert "not a public address" in outcome.reason
