"""A real mail server on loopback: aiosmtpd, with STARTTLS or TLS, logins, and answers set by the test."""

import asyncio
import contextlib
import email
import ssl
import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

# A development package: where it is absent, the tests that need it are skipped and the others run.
pytest.importorskip("aiosmtpd")

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

HOST_NAME = "mail.invalid"
LOGIN = ("barograph", "s3cret-mail")


@dataclass
class MailServerProbe:
    """What came in, and what is answered.

    Attributes:
        answers: For each message in turn, the answer to its end; the last holds for ever.
        recipients: Answers to recipients other than 250.
        is_hanging: Whether the answer to a message does not come.
    """

    port: int = 0
    answers: list[str] = field(default_factory=lambda: ["250 OK queued as 4711"])
    recipients: dict[str, str] = field(default_factory=dict[str, str])
    is_hanging: bool = False
    received: list[tuple[list[str], EmailMessage]] = field(default_factory=list[tuple[list[str], EmailMessage]])
    was_encrypted: list[bool] = field(default_factory=list[bool])
    logins: list[str] = field(default_factory=list[str])
    is_over: threading.Event = field(default_factory=threading.Event)

    # The names and arguments of the handlers below are aiosmtpd's.
    async def handle_RCPT(  # noqa: N802
        self,
        server: Any,  # noqa: ARG002
        session: Session,  # noqa: ARG002
        envelope: Envelope,
        address: str,
        rcpt_options: list[str],  # noqa: ARG002
    ) -> str:
        if address in self.recipients:
            return self.recipients[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        message = email.message_from_bytes(content, policy=default)
        answer = self.answers[min(len(self.received), len(self.answers) - 1)]
        self.received.append((list(envelope.rcpt_tos), message))
        self.was_encrypted.append(session.ssl is not None or server._tls_protocol is not None)
        if self.is_hanging:
            await server.loop.run_in_executor(None, self.is_over.wait, 10)
        return answer

    def log_in(self, *arguments: Any) -> AuthResult:
        """Check a login; the arguments are server, session, envelope, mechanism and what was given."""
        *_, mechanism, given = arguments
        is_right = isinstance(given, LoginPassword) and (given.login, given.password) == tuple(
            text.encode() for text in LOGIN
        )
        self.logins.append(mechanism)
        return AuthResult(success=is_right, handled=is_right)


class _Session(SMTP):
    """A session that says when its connection is gone, so that no socket outlives the test."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.is_lost = asyncio.Event()
        # A connection whose TLS handshake fails is never made.
        self.is_lost.set()

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.is_lost.clear()

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self.is_lost.set()


@contextlib.contextmanager
def running_mail_server(
    certificate: Path | None = None, *, wraps: bool = False, needs_login: bool = False
) -> Generator[MailServerProbe]:
    """Run a server; with a certificate it offers STARTTLS, or speaks TLS from the first byte where it ``wraps``."""
    probe = MailServerProbe()
    context: ssl.SSLContext | None = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    loop = asyncio.new_event_loop()

    sessions: list[_Session] = []

    def session() -> _Session:
        made = _Session(
            probe,
            hostname=HOST_NAME,
            loop=loop,
            tls_context=None if wraps else context,
            authenticator=probe.log_in if needs_login else None,
            auth_required=needs_login,
            auth_require_tls=needs_login and not wraps,
        )
        sessions.append(made)
        return made

    server = loop.run_until_complete(loop.create_server(session, "127.0.0.1", 0, ssl=context if wraps else None))
    probe.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield probe
    finally:
        probe.is_over.set()
        asyncio.run_coroutine_threadsafe(_end(server, sessions), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


async def _end(server: asyncio.Server, sessions: list[_Session]) -> None:
    server.close()
    for session in sessions:
        if isinstance(session.transport, asyncio.Transport):
            session.transport.abort()
        await asyncio.wait_for(session.is_lost.wait(), 20)
    # The handlers that are still under way end with their connections.
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
