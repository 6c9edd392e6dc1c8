"""Sends one e-mail to one checked address of a mail server, within one deadline."""

import smtplib
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from barograph_core.clock import Clock
from barograph_core.errors import ChannelRefusedError, ChannelUnavailableError
from barograph_core.text.one_line import one_line
from barograph_notifier.posting.deadline import Deadline, connect, why

Security = Literal["starttls", "tls", "none"]
_QUOTED_LIMIT: Final = 160
_MAX_ANSWERS_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """The server that takes our mail.

    Attributes:
        host: Its name, for SNI and the certificate check.
        security: ``starttls`` and ``tls`` check the certificate; without encryption no password is ever sent.
        username: Empty to send without a login.
        tls: ``None`` with security ``none``.
    """

    host: str
    port: int
    security: Security
    username: str = ""
    password: str = field(default="", repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class MailAnswer:
    """What became of an e-mail that the server took for at least one recipient.

    Attributes:
        text: What the server said last: often its id of the message.
        later: Recipients that it does not take for now, with its words.
        never: Recipients that it will never take, with its words.
    """

    text: str
    later: dict[str, str]
    never: dict[str, str]


def send_mail(
    server: MailServer,
    addresses: Sequence[str],
    sender: str,
    recipients: Sequence[str],
    message: bytes,
    *,
    timeout_s: float,
    clock: Clock,
) -> MailAnswer:
    """Send ``message`` through ``server`` at the first of its checked ``addresses`` that accepts a connection.

    Raises:
        ChannelRefusedError: The server will never take it, for any recipient.
        ChannelUnavailableError: The server cannot be reached, or takes it for no recipient now. It says whether the
            message may have arrived: it was sent whole, and no answer came.
    """
    deadline = Deadline(timeout_s, clock)
    session: _Session | None = None
    try:
        session = _Session(server, connect(addresses, server.port, deadline))
        session.log_in()
        return session.deliver(sender, recipients, message)
    except smtplib.SMTPResponseException as error:
        raise _failure(error.smtp_code, error.smtp_error) from error
    except (OSError, smtplib.SMTPException, ValueError) as error:
        in_doubt = session is not None and session.is_in_doubt
        raise ChannelUnavailableError(why(error, deadline), may_have_arrived=in_doubt) from error
    finally:
        if session is not None:
            session.end()
        deadline.cancel()


class _Answers:
    """The lines that a server answers in one session, as the library reads them."""

    def __init__(self, sock: socket.socket) -> None:
        self._file = sock.makefile("rb")
        self._left = _MAX_ANSWERS_BYTES

    def readline(self, limit: int) -> bytes:
        line = self._file.readline(limit)
        self._left -= len(line)
        if self._left < 0:
            raise smtplib.SMTPServerDisconnected("an answer without end")
        return line

    def close(self) -> None:
        self._file.close()


class _Session(smtplib.SMTP):
    """A session on a connection that is there already: the library would resolve the name again."""

    def __init__(self, server: MailServer, connected: socket.socket) -> None:
        self._server = server
        self._connected = connected
        # Whether the whole message went out and its answer has not come.
        self.is_in_doubt = False
        timeout_s = connected.gettimeout()
        try:
            if server.security == "tls" and server.tls is not None:
                self._connected = server.tls.wrap_socket(connected, server_hostname=server.host)
            # The name for EHLO is given, because the library would ask a name server for it.
            super().__init__(server.host, server.port, local_hostname=_own_name(), timeout=timeout_s or 1.0)
        except BaseException:
            self._connected.close()
            raise

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # noqa: ARG002
        return self._connected

    def getreply(self) -> tuple[int, bytes]:
        """Read an answer of bounded size: the library collects its lines without end."""
        if self.file is None and self.sock is not None:
            self.file = _Answers(self.sock)
        return super().getreply()

    def log_in(self) -> None:
        """Encrypt the connection and log in, as the server's settings say."""
        server = self._server
        self.ehlo_or_helo_if_needed()
        if server.security == "starttls":
            if not self.has_extn("starttls"):
                raise ChannelUnavailableError("the server offers no STARTTLS, and nothing is sent unencrypted")
            self.starttls(context=server.tls)
            self.ehlo()
        if server.username:
            try:
                self.login(server.username, server.password)
            except smtplib.SMTPNotSupportedError:
                raise ChannelRefusedError("the server offers no login") from None

    def deliver(self, sender: str, recipients: Sequence[str], message: bytes) -> MailAnswer:
        """Send ``message`` in one transaction."""
        options = [f"size={len(message)}"] if self.has_extn("size") else []
        self._expect(250, *self.mail(sender, options))
        later, never = dict[str, str](), dict[str, str]()
        for recipient in recipients:
            code, text = self.rcpt(recipient)
            if code not in (250, 251):
                (later if code < 500 else never)[recipient] = f"{code} {_quoted(text)}"
        if len(later) + len(never) == len(recipients):
            said = "; ".join(f"{name}: {words}" for name, words in {**later, **never}.items())
            raise ChannelUnavailableError(said) if later else ChannelRefusedError(said)
        self._expect(354, *self.docmd("DATA"))
        self.is_in_doubt = True
        self.send(_stuffed(message))
        code, text = self.getreply()
        self.is_in_doubt = False
        self._expect(250, code, text)
        return MailAnswer(f"{code} {_quoted(text)}", later, never)

    @staticmethod
    def _expect(wanted: int, code: int, text: bytes) -> None:
        if code != wanted:
            raise smtplib.SMTPResponseException(code, text)

    def end(self) -> None:
        """Say goodbye without waiting for an answer, and close."""
        try:
            self.putcmd("QUIT")
        except (OSError, smtplib.SMTPException):
            pass
        finally:
            self.close()


def _stuffed(message: bytes) -> bytes:
    """Return ``message``, whose lines end with CR LF, with its leading dots doubled and the end behind it."""
    body = message if message.endswith(b"\r\n") else message + b"\r\n"
    stuffed = body.replace(b"\r\n.", b"\r\n..")
    return (b"." if stuffed.startswith(b".") else b"") + stuffed + b".\r\n"


def _own_name() -> str:
    name = socket.gethostname()
    return name if name.isascii() and name.replace(".", "").replace("-", "").isalnum() else "localhost"


def _failure(code: int, text: bytes | str) -> ChannelRefusedError | ChannelUnavailableError:
    said = f"smtp {code}: {_quoted(text)}"
    # -1: what came was no answer of a mail server.
    return ChannelRefusedError(said) if code >= 500 else ChannelUnavailableError(said)


def _quoted(text: bytes | str) -> str:
    return one_line(text if isinstance(text, str) else text.decode(errors="replace"), _QUOTED_LIMIT).strip()
