"""The keys of a ``[[channel]]`` of type ``webhook``."""

import re
import ssl
from typing import Final
from urllib.parse import urlsplit

from barograph_core.clock import Clock
from barograph_core.table_entry import TableEntry
from barograph_notifier.http_post import Target
from barograph_notifier.webhook import SIGNATURE_HEADER, WebhookChannel, WebhookSettings

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}\Z")
_PRINTABLE: Final = re.compile(r"[\x20-\x7e]*\Z")
# We set these; a second one would end the request early or speak to another host than the one that was checked.
_OURS: Final = frozenset(
    {
        "host",
        "content-length",
        "content-type",
        "transfer-encoding",
        "connection",
        "idempotency-key",
        SIGNATURE_HEADER.lower(),
    }
)


def read_webhook(entry: TableEntry, clock: Clock) -> WebhookChannel | None:
    """Return the channel, ``None`` when something is wrong with it; the entry has been told."""
    url = entry.secret("url", is_required=True)
    allow_private = entry.flag("allow_private")
    secret = entry.secret("secret")
    headers = entry.text_table("headers", are_secrets=True)
    ca_file = entry.text("ca_file")
    _check_headers(entry, headers)
    if not url:
        return None
    try:
        target = parse_target(url, ca_file)
    except ValueError as error:
        entry.complain("url", str(error))
        return None
    except OSError as error:
        entry.complain("ca_file", f"{ca_file!r} cannot be read as certificates: {error.strerror or error}")
        return None
    settings = WebhookSettings(target=target, allow_private=allow_private, secret=secret, headers=headers)
    return WebhookChannel(settings, clock=clock)


def parse_target(url: str, ca_file: str = "") -> Target:
    """Read where a URL leads.

    Args:
        url: ``http://`` or ``https://``.
        ca_file: Certificates to trust beside the system's.

    Raises:
        ValueError: It is no such URL. The text never quotes it, for it is often a secret.
        OSError: ``ca_file`` cannot be read (``ssl.SSLError`` is one).
    """
    if not _PRINTABLE.match(url) or " " in url:
        raise ValueError("must be plain ASCII without spaces: escape them with %")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("is not a URL that can be read: check host and port") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must begin with 'http://' or 'https://' and name a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user or password: put them in headers = { Authorization = … }")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    is_tls = parts.scheme == "https"
    tls = ssl.create_default_context() if is_tls else None
    if tls is not None and ca_file:
        tls.load_verify_locations(ca_file)
    return Target(parts.hostname, port or (443 if is_tls else 80), path, tls)


def _check_headers(entry: TableEntry, headers: dict[str, str]) -> None:
    for name, value in headers.items():
        if not _HEADER_NAME.match(name):
            entry.complain("headers", f"{name!r} is not a header's name")
        elif name.lower() in _OURS:
            entry.complain("headers", f"{name!r} is set by the webhook itself")
        elif not _PRINTABLE.match(value):
            entry.complain("headers", f"the value of {name!r} must be printable ASCII on one line")
