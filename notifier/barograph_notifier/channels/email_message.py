"""The e-mail about a notification: headers, a text and an HTML part."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Final

from barograph_core.alerts.record import Severity
from barograph_core.text.one_line import one_line
from barograph_notifier.digest import Digest
from barograph_notifier.notification import Notification
from barograph_notifier.wording.digests import digest_text, digest_title
from barograph_notifier.wording.mail import html_of, html_of_digest
from barograph_notifier.wording.words import text_of, title_of

# Longer subjects are cut off by mail programs anyway.
_SUBJECT_LIMIT: Final = 150


@dataclass(frozen=True, slots=True)
class Addresses:
    """From whom to whom."""

    sender: Address
    recipients: Sequence[Address]


def parse_address(text: str) -> Address:
    """Read ``ops@example.com`` or ``Ops team <ops@example.com>``.

    Raises:
        ValueError: ``text`` is not one such address.
    """
    name, bracket, rest = text.rpartition("<")
    plain = rest.removesuffix(">") if bracket else text
    if bool(bracket) != text.endswith(">") or one_line(text) != text or not plain.isascii() or "=?" in text:
        raise ValueError(f"{text!r} is not an address such as 'ops@example.com' or 'Ops team <ops@example.com>'")
    try:
        address = Address(display_name=name.strip().strip('"'), addr_spec=plain.strip())
    except (MessageError, ValueError, IndexError):
        address = Address()
    if not address.username or not address.domain or any(character.isspace() for character in address.addr_spec):
        raise ValueError(f"{text!r} is not an address such as 'ops@example.com' or 'Ops team <ops@example.com>'")
    return address


def message_of(notification: Notification, addresses: Addresses, *, key: str, now_ms: int) -> EmailMessage:
    """Return the e-mail.

    The first message of an episode has an id of alert and episode; the later ones refer to it, so that mail programs
    show them as one thread. A repeated attempt has the same id, by which servers recognise a repetition.
    """
    domain = addresses.sender.domain
    thread = f"<{notification.episode}.episode@{domain}>"
    is_first = notification.status == "firing" and not notification.first_ref
    is_urgent = notification.status == "firing" and notification.severity is Severity.CRITICAL
    message_id = thread if is_first else f"<{key}@{domain}>"
    message = _message(addresses, subject_of(notification), message_id, now_ms, is_urgent=is_urgent)
    if not is_first:
        message["In-Reply-To"] = thread
        message["References"] = thread
    message.set_content(text_of(notification))
    message.add_alternative(html_of(notification), subtype="html")
    return message


def digest_message_of(digest: Digest, addresses: Addresses, *, key: str, now_ms: int) -> EmailMessage:
    """Return the e-mail about several alerts. It begins no thread: what follows is about other alerts."""
    subject = f"[{digest.severity.value}] {digest_title(digest)}"
    whole = f"Resolved: {subject}" if digest.status == "resolved" else subject
    is_urgent = digest.status == "firing" and digest.severity is Severity.CRITICAL
    message_id = f"<{key}@{addresses.sender.domain}>"
    message = _message(addresses, _safe_subject(whole), message_id, now_ms, is_urgent=is_urgent)
    message.set_content(digest_text(digest))
    message.add_alternative(html_of_digest(digest), subtype="html")
    return message


def _message(addresses: Addresses, subject: str, message_id: str, now_ms: int, *, is_urgent: bool) -> EmailMessage:
    """Return a message with the headers that all have."""
    message = EmailMessage(policy=SMTP)
    message["From"] = addresses.sender
    message["To"] = list(addresses.recipients)
    message["Subject"] = subject
    message["Date"] = datetime.fromtimestamp(now_ms / 1_000, UTC)
    message["Message-ID"] = message_id
    # No automatic answer shall come back, and none loop.
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    if is_urgent:
        message["Importance"] = "high"
        message["X-Priority"] = "1"
    return message


def subject_of(notification: Notification) -> str:
    """Return ``[error] high-error-rate on ranker (route=/predict)``, with ``Resolved:`` in front at the end.

    But for that word it is the same for all messages of an episode: some mail programs part a thread where it changes.
    """
    subject = f"[{notification.severity.value}] {title_of(notification)}"
    whole = f"Resolved: {subject}" if notification.status == "resolved" else subject
    return _safe_subject(whole)


def _safe_subject(text: str) -> str:
    # The standard library decodes an encoded word in a header that it is given, and writes a line end in it as such: a
    # label "=?utf-8?q?=0ABcc:_x?=" would add a header.
    return one_line(text.replace("=?", "= ?"), _SUBJECT_LIMIT)
