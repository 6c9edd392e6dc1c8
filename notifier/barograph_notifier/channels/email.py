"""The e-mail channel: one message with a text and an HTML part, by SMTP."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Final

from barograph_core.clock import Clock
from barograph_core.errors import ChannelUnavailableError
from barograph_core.settings.table_entry import TableEntry
from barograph_notifier.channel import Outcome, Retry, Sent
from barograph_notifier.channels.email_message import (
    Addresses,
    digest_message_of,
    message_of,
    parse_address,
    subject_of,
)
from barograph_notifier.digest import Digest
from barograph_notifier.notification import Notification
from barograph_notifier.posting.address_guard import Resolver, checked_addresses, system_resolver
from barograph_notifier.posting.hiding import hider
from barograph_notifier.posting.smtp import MailAnswer, MailServer, Security, send_mail
from barograph_notifier.posting.target import CertificateError, CertificateFiles, tls_context
from barograph_notifier.wording.words import text_of

_SECURITIES: Final[tuple[Security, ...]] = ("starttls", "tls", "none")
_PORTS: Final[dict[Security, int]] = {"starttls": 587, "tls": 465, "none": 25}
# Messages that some recipients have and others do not have yet.
_MOST_HALF_SENT: Final = 1_000


class EmailChannel:
    """Sends each notification as one e-mail to all recipients.

    Recipients that the server does not take for now (a full mailbox, greylisting) get it with the next attempt; the
    others do not get it twice, unless the notifier was restarted in between.
    """

    def __init__(
        self,
        server: MailServer,
        addresses: Addresses,
        *,
        clock: Clock,
        allow_private: bool = False,
        resolver: Resolver = system_resolver,
    ) -> None:
        self._server = server
        self._addresses = addresses
        self._clock = clock
        self._allow_private = allow_private
        self._resolver = resolver
        self._hide = hider({server.password})
        self._left = OrderedDict[str, Sequence[str]]()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"EmailChannel({self._server!r})"

    def preview(self, notification: Notification, *, key: str) -> str:  # noqa: ARG002
        return f"Subject: {subject_of(notification)}\n\n{text_of(notification)}"

    def send(self, notification: Notification, *, key: str, timeout_s: float) -> Outcome:
        """Send ``notification``.

        Raises:
            ChannelRefusedError: The server will never take it, or its address is not allowed.
            ChannelUnavailableError: The server cannot be reached, or does not take it now.
        """
        message = message_of(notification, self._addresses, key=key, now_ms=self._clock.now_ms())
        return self._mail(message, key, timeout_s)

    def send_digest(self, digest: Digest, *, key: str, timeout_s: float) -> Outcome:
        """Send ``digest``; the rest is as in ``send``."""
        message = digest_message_of(digest, self._addresses, key=key, now_ms=self._clock.now_ms())
        return self._mail(message, key, timeout_s)

    def _mail(self, message: EmailMessage, key: str, timeout_s: float) -> Outcome:
        started_ms = self._clock.monotonic_ms()
        server = self._server
        found = checked_addresses(
            server.host,
            server.port,
            allow_private=self._allow_private,
            timeout_s=timeout_s,
            resolver=self._resolver,
        )
        left_s = timeout_s - (self._clock.monotonic_ms() - started_ms) / 1_000
        if left_s <= 0:
            raise ChannelUnavailableError("timeout")
        answer = send_mail(
            server,
            found,
            self._addresses.sender.addr_spec,
            self._recipients(key),
            message.as_bytes(),
            timeout_s=left_s,
            clock=self._clock,
        )
        return self._outcome(key, answer)

    def _recipients(self, key: str) -> Sequence[str]:
        with self._lock:
            return self._left.get(key) or [address.addr_spec for address in self._addresses.recipients]

    def _outcome(self, key: str, answer: MailAnswer) -> Outcome:
        with self._lock:
            self._left.pop(key, None)
            if answer.later:
                self._left[key] = list(answer.later)
                while len(self._left) > _MOST_HALF_SENT:
                    self._left.popitem(last=False)
        refused = {**answer.later, **answer.never}
        words = "; ".join(f"not to {name}: {text}" for name, text in refused.items())
        said = self._hide(f"{answer.text}; {words}" if words else answer.text)
        return Retry(None, said, may_have_arrived=True) if answer.later else Sent(said)


def read_email(entry: TableEntry, clock: Clock) -> EmailChannel | None:
    """Return the channel, or ``None`` after recording its mistakes in ``entry``."""
    host = entry.text("host", is_required=True)
    security: Security = entry.choice("security", _SECURITIES, default="starttls")
    port = entry.whole_number("port", minimum=1, maximum=65_535)
    username, password = entry.text("username"), entry.secret_reference("password")
    allow_private = entry.flag("allow_private")
    addresses = _read_addresses(entry)
    ca_file = entry.text("ca_file")
    if bool(username) != bool(password):
        entry.add_problem("username", "and password go together: one of them is missing")
    elif username and security == "none":
        entry.add_problem("security", 'must be "starttls" or "tls": a password is never sent unencrypted')
    elif not username.isascii() or not password.isascii():
        entry.add_problem("username", "and password must be ASCII: SMTP logins know no other characters")
    try:
        tls = None if security == "none" else tls_context(CertificateFiles(ca_file))
    except CertificateError as error:
        entry.add_problem(error.key, str(error))
        return None
    if not host or addresses is None or entry.has_problems:
        return None
    server = MailServer(
        host=host,
        port=port or _PORTS[security],
        security=security,
        username=username,
        password=password,
        tls=tls,
    )
    return EmailChannel(server, addresses, clock=clock, allow_private=allow_private)


def _read_addresses(entry: TableEntry) -> Addresses | None:
    sender, recipients = entry.text("from", is_required=True), entry.texts("to", is_required=True)
    senders = _parse(entry, "from", [sender] if sender else [])
    parsed = _parse(entry, "to", recipients)
    return Addresses(senders[0], parsed) if senders and parsed else None


def _parse(entry: TableEntry, key: str, texts: Sequence[str]) -> list[Address]:
    found: list[Address] = []
    for text in texts:
        try:
            found.append(parse_address(text))
        except ValueError as error:
            entry.add_problem(key, str(error))
    return found
