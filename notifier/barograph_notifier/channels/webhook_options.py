"""Reads the keys of a ``[[channel]]`` of type ``webhook``."""

import re
from typing import Final

from barograph_core.clock import Clock
from barograph_core.settings.table_entry import TableEntry
from barograph_notifier.channels.webhook import SIGNATURE_HEADER, WebhookChannel
from barograph_notifier.posting.endpoint import read_endpoint
from barograph_notifier.posting.target import CertificateFiles
from barograph_notifier.wording.alertmanager import AlertmanagerForm

_FORMATS: Final = ("barograph", "alertmanager")
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}\Z")
_PRINTABLE: Final = re.compile(r"[\x20-\x7e]*\Z")
# Headers that we set; a second one could end the request early or name another host than the one that was checked.
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
    """Return the channel, or ``None`` after recording its mistakes in ``entry``."""
    url = entry.secret("url", is_required=True)
    secret = entry.secret("secret")
    headers = entry.text_table("headers", are_secrets=True)
    _check_headers(entry, headers)
    form = entry.choice("format", _FORMATS, default="barograph")
    endpoint = read_endpoint(
        entry,
        "url",
        url,
        clock,
        secrets=[secret, *headers.values()],
        files=CertificateFiles(
            entry.text("ca_file"), entry.text("cert_file"), entry.text("key_file"), entry.secret("key_password")
        ),
        keeps_alive=True,
    )
    if endpoint is None:
        return None
    return WebhookChannel(
        endpoint,
        clock=clock,
        secret=secret,
        headers=headers,
        form=_alertmanager_form(entry) if form == "alertmanager" else None,
    )


def _alertmanager_form(entry: TableEntry) -> AlertmanagerForm:
    return AlertmanagerForm(entry.text("name"), entry.texts("group_by") if entry.is_given("group_by") else None)


def _check_headers(entry: TableEntry, headers: dict[str, str]) -> None:
    for name, value in headers.items():
        if not _HEADER_NAME.match(name):
            entry.add_problem("headers", f"{name!r} is not a header's name")
        elif name.lower() in _OURS:
            entry.add_problem("headers", f"{name!r} is set by the webhook itself")
        elif not _PRINTABLE.match(value):
            entry.add_problem("headers", f"the value of {name!r} must be printable ASCII on one line")
