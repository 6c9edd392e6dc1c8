"""The e-mail channel against a real mail server: encryption, logins, recipients and answers."""

import dataclasses
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import trustme

from barograph_core.clock import SystemClock
from barograph_notifier.channel import Outcome, Refused, Retry, Sent, attempt
from barograph_notifier.channels.email import EmailChannel
from barograph_notifier.channels.email_message import Addresses, parse_address
from barograph_notifier.notification import Notification
from barograph_notifier.posting.smtp import MailServer, Security
from barograph_notifier.posting.target import CertificateFiles, tls_context
from tests.integration.notifier.mail_server import HOST_NAME, LOGIN, MailServerProbe, running_mail_server
from tests.integration.notifier.receiver import Server, running_socket
from tests.support import free_port
from tests.unit.notifier.samples import RESOLVED, notification, transition

OPS, NIGHT = "ops@example.com", "night@example.com"
KEY = "k" * 32


def loopback(_host: str, _port: int) -> Sequence[str]:
    return ["127.0.0.1"]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the certificate of the mail server and of the authority that issued it."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.issue_cert(HOST_NAME).private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    authority.cert_pem.write_to_path(folder / "authority.pem")
    return folder


def channel(
    port: int,
    *,
    security: Security = "none",
    host: str = HOST_NAME,
    login: tuple[str, str] = ("", ""),
    ca_file: Path | None = None,
    allow_private: bool = True,
    to: Sequence[str] = (OPS,),
) -> EmailChannel:
    tls = None if security == "none" else tls_context(CertificateFiles("" if ca_file is None else str(ca_file)))
    return EmailChannel(
        MailServer(host=host, port=port, security=security, username=login[0], password=login[1], tls=tls),
        Addresses(parse_address("alerts@example.com"), [parse_address(text) for text in to]),
        clock=SystemClock(),
        allow_private=allow_private,
        resolver=loopback,
    )


def send(through: EmailChannel, *, key: str = KEY, timeout_s: float = 8.0) -> Outcome:
    return attempt(through, notification(), key=key, timeout_s=timeout_s)


@pytest.fixture
def plain() -> Iterator[MailServerProbe]:
    with running_mail_server() as probe:
        yield probe


def test_a_firing_and_its_resolution_are_one_thread(plain: MailServerProbe) -> None:
    """As a mail server gets them: both parts, whole, and the second in the thread of the first."""
    through = channel(plain.port)
    assert send(through) == Sent("250 OK queued as 4711")
    over = dataclasses.replace(
        notification(), status="resolved", changed_at_ms=1_700_000_600_000, first_ref="250 OK queued as 4711"
    )
    assert attempt(through, over, key="r" * 32, timeout_s=8) == Sent("250 OK queued as 4711")
    (to, first), (_, second) = plain.received
    assert to == [OPS]
    assert first["Subject"] == "[error] high-error-rate on ranker (route=/predict)"
    assert second["Subject"] == "Resolved: [error] high-error-rate on ranker (route=/predict)"
    assert second["References"] == first["Message-ID"]
    html = first.get_body(("html",))
    assert html is not None
    assert str(html.get_content()).rstrip().endswith("</html>")


def test_starttls_encrypts_and_then_logs_in(certificates: Path) -> None:
    with running_mail_server(certificates / "server.pem", needs_login=True) as probe:
        through = channel(probe.port, security="starttls", login=LOGIN, ca_file=certificates / "authority.pem")
        assert send(through) == Sent("250 OK queued as 4711")
    assert probe.was_encrypted == [True]
    assert len(probe.logins) == 1


def test_tls_from_the_first_byte(certificates: Path) -> None:
    with running_mail_server(certificates / "server.pem", wraps=True) as probe:
        through = channel(probe.port, security="tls", ca_file=certificates / "authority.pem")
        assert send(through) == Sent("250 OK queued as 4711")
    assert len(probe.received) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_of_another_name_is_not_trusted(certificates: Path, security: Security) -> None:
    with running_mail_server(certificates / "server.pem", wraps=security == "tls") as probe:
        for host, ca_file in (("other.invalid", certificates / "authority.pem"), (HOST_NAME, None)):
            outcome = send(channel(probe.port, security=security, host=host, ca_file=ca_file))
            assert isinstance(outcome, Retry)
            assert outcome.reason.startswith("certificate: ")
            assert not outcome.may_have_arrived
    assert probe.received == []


def test_a_server_without_starttls_gets_nothing(plain: MailServerProbe) -> None:
    """Someone on the way may have struck the offer out."""
    outcome = send(channel(plain.port, security="starttls", login=LOGIN))
    assert outcome == Retry(None, "the server offers no STARTTLS, and nothing is sent unencrypted")
    assert (plain.received, plain.logins) == ([], [])


def test_a_wrong_password_is_refused_and_not_shown(certificates: Path) -> None:
    with running_mail_server(certificates / "server.pem", needs_login=True) as probe:
        wrong = channel(
            probe.port, security="starttls", login=("barograph", "wr0ng-one"), ca_file=certificates / "authority.pem"
        )
        outcome = send(wrong)
    assert isinstance(outcome, Refused)
    assert outcome.reason.startswith("smtp 535: ")
    assert "wr0ng-one" not in outcome.reason + repr(wrong)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("451 4.3.0 try again later", Retry(None, "smtp 451: 4.3.0 try again later")),
        ("452 4.2.2 full", Retry(None, "smtp 452: 4.2.2 full")),
        ("554 5.7.1 no spam here", Refused("smtp 554: 5.7.1 no spam here")),
    ],
)
def test_the_answer_to_the_message_decides(plain: MailServerProbe, answer: str, expected: Outcome) -> None:
    plain.answers = [answer]
    assert send(channel(plain.port)) == expected


def test_recipients_who_cannot_take_it_now_get_it_later_and_the_others_not_twice(plain: MailServerProbe) -> None:
    """Greylisting of one must neither lose the alert for him nor repeat it for the others."""
    through = channel(plain.port, to=(OPS, NIGHT, "gone@example.com"))
    plain.recipients = {NIGHT: "450 4.7.1 greylisted", "gone@example.com": "550 5.1.1 no such user"}
    first = send(through)
    assert first == Retry(
        None,
        f"250 OK queued as 4711; not to {NIGHT}: 450 4.7.1 greylisted; not to gone@example.com: 550 5.1.1 no such user",
        may_have_arrived=True,
    )
    plain.recipients = {}
    assert send(through) == Sent("250 OK queued as 4711")
    assert [to for to, _ in plain.received] == [[OPS], [NIGHT]]
    assert send(through, key="n" * 32) == Sent("250 OK queued as 4711")
    assert plain.received[-1][0] == [OPS, NIGHT, "gone@example.com"]


def test_nobody_to_take_it(plain: MailServerProbe) -> None:
    plain.recipients = {OPS: "550 5.1.1 no such user"}
    assert send(channel(plain.port)) == Refused(f"{OPS}: 550 5.1.1 no such user")
    plain.recipients = {OPS: "450 4.7.1 greylisted"}
    assert send(channel(plain.port)) == Retry(None, f"{OPS}: 450 4.7.1 greylisted")
    assert plain.received == []


def test_a_server_that_takes_it_and_does_not_answer_may_have_it(plain: MailServerProbe) -> None:
    plain.is_hanging = True
    assert send(channel(plain.port), timeout_s=2) == Retry(None, "timeout", may_have_arrived=True)


def test_a_private_address_is_not_connected_to_unless_allowed(plain: MailServerProbe) -> None:
    """The name may be at another one next time."""
    outcome = send(channel(plain.port, allow_private=False))
    assert isinstance(outcome, Retry)
    assert "not a public address" in outcome.reason
    assert plain.received == []


def test_no_server_is_tried_again() -> None:
    assert send(channel(free_port())) == Retry(None, "connection refused")


def silent(_connection: socket.socket, is_over: threading.Event) -> None:
    is_over.wait(60)


def dripping(connection: socket.socket, is_over: threading.Event) -> None:
    """A byte now and then, each well within any socket timeout."""
    while not is_over.wait(0.02):
        try:
            connection.sendall(b"2")
        except OSError:
            return


def endless(connection: socket.socket, is_over: threading.Event) -> None:
    """An answer of lines without end."""
    while not is_over.is_set():
        try:
            connection.sendall(b"220-wait\r\n" * 100)
        except OSError:
            return


@pytest.mark.parametrize("server", [silent, dripping, endless])
@pytest.mark.parametrize("security", ["none", "tls"])
def test_a_server_that_comes_to_no_end_is_given_up_in_time(server: Server, security: Security) -> None:
    started_s = time.monotonic()
    with running_socket(server) as port:
        outcome = send(channel(port, security=security), timeout_s=0.5)
    assert isinstance(outcome, Retry)
    assert not outcome.may_have_arrived
    assert time.monotonic() - started_s < 5


def test_what_answers_like_no_mail_server_is_tried_again() -> None:
    def babbling(connection: socket.socket, _is_over: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with running_socket(babbling) as port:
        outcome = send(channel(port))
    assert isinstance(outcome, Retry)


def test_a_line_with_a_dot_does_not_end_the_message(plain: MailServerProbe) -> None:
    dotted = dataclasses.replace(notification(), summary=".", rule=".", reason="", labels={})
    assert isinstance(attempt(channel(plain.port), dotted, key=KEY, timeout_s=8), Sent)
    text = plain.received[0][1].get_body(("plain",))
    assert text is not None
    assert str(text.get_content()).splitlines()[2] == "."


def test_the_resolution_of_a_firing_in_doubt_joins_its_thread(plain: MailServerProbe) -> None:
    """Nothing is known of the first message but its alert and episode."""
    through = channel(plain.port)
    send(through)
    attempt(through, Notification.of_transition(transition(RESOLVED)), key=KEY, timeout_s=8)
    assert plain.received[1][1]["References"] == plain.received[0][1]["Message-ID"]
