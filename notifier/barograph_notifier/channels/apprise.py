"""The channel for everything that Apprise knows by a URL: Discord, Teams, Telegram, ntfy and a hundred more."""

import re
from typing import TYPE_CHECKING, Final

from barograph_core.alerts.record import Severity
from barograph_core.clock import Clock
from barograph_core.settings.table_entry import TableEntry
from barograph_notifier.channel import Outcome, Refused, Retry, Sent
from barograph_notifier.digest import Digest
from barograph_notifier.notification import Notification, Status
from barograph_notifier.posting.answers import AGAIN, NOT_TAKEN
from barograph_notifier.posting.foreign_calls import guarded_call, keep_quiet
from barograph_notifier.wording.digests import digest_headline, digest_text
from barograph_notifier.wording.words import headline_of, text_of

if TYPE_CHECKING:
    from apprise import Apprise

_LOGGER: Final = "apprise"
# Of the library below it, which logs paths of URLs.
_LOWER_LOGGER: Final = "urllib3"
_SEVERITIES: Final = {"info": "info", "warning": "warning", "error": "failure", "critical": "failure"}
# What Apprise logs about an answer: "Failed to send ntfy notification: Bad Request, error=400."
_STATUS: Final = re.compile(r"error[ =:](\d{3})\b", re.ASCII)


class AppriseChannel:
    """Sends each notification as title and plain text; Apprise gives it the form of its target.

    Args:
        service: Apprise with one target.
        name: The kind of target, without secrets: ``ntfys``.
        allow_private: Whether the target may have a private, loopback or link-local address.
        clock: Measures the time.
    """

    def __init__(self, service: "Apprise", name: str, *, allow_private: bool, clock: Clock) -> None:
        self._service = service
        self._name = name
        self._allow_private = allow_private
        self._clock = clock

    def __repr__(self) -> str:
        return f"AppriseChannel({self._name!r})"

    def send(self, notification: Notification, *, key: str, timeout_s: float) -> Outcome:  # noqa: ARG002
        """Send ``notification``. Apprise tells of a failure only in its log: its status is read from there.

        Raises:
            ChannelRefusedError: The target's address is not allowed.
            ChannelUnavailableError: The target did not answer in time.
        """
        text = text_of(notification).partition("\n\n")[2]
        return self._notify(headline_of(notification), text, notification.status, notification.severity, timeout_s)

    def send_digest(self, digest: Digest, *, key: str, timeout_s: float) -> Outcome:  # noqa: ARG002
        """Send ``digest``; the rest is as in ``send``."""
        text = digest_text(digest).partition("\n\n")[2]
        return self._notify(digest_headline(digest), text, digest.status, digest.severity, timeout_s)

    def _notify(self, title: str, text: str, state: Status, severity: Severity, timeout_s: float) -> Outcome:
        def notify() -> bool:
            return bool(
                self._service.notify(
                    title=title,
                    body=text,
                    notify_type="success" if state == "resolved" else _SEVERITIES[severity.value],
                    body_format="text",
                )
            )

        is_sent, lines, has_connected = guarded_call(
            notify, logger=_LOGGER, allow_private=self._allow_private, timeout_s=timeout_s, clock=self._clock
        )
        if is_sent:
            return Sent(f"apprise {self._name}")
        found = _STATUS.search("\n".join(lines))
        if found is None:
            return Retry(None, f"apprise {self._name}: failed", may_have_arrived=has_connected)
        status, reason = int(found[1]), f"apprise {self._name}: http {found[1]}"
        if status in AGAIN or status >= 500:
            return Retry(None, reason, may_have_arrived=status not in NOT_TAKEN)
        return Refused(reason)


def read_apprise(entry: TableEntry, clock: Clock) -> AppriseChannel | None:
    """Return the channel, or ``None`` after recording its mistakes in ``entry``."""
    url = entry.secret_reference("url", is_required=True)
    allow_private = entry.flag("allow_private")
    try:
        from apprise import Apprise, AppriseAsset
        from apprise.common import OverflowMode
    except ImportError:
        entry.add_problem("type", "'apprise' needs the package apprise: pip install 'barograph[apprise]'")
        return None
    if not url:
        return None
    for logger in (_LOGGER, _LOWER_LOGGER):
        keep_quiet(logger)
    # Nothing is stored on disk, and no redirect is followed.
    asset = AppriseAsset(storage_mode="memory", secure_logging=True)
    asset.http_redirects = False
    service = Apprise(asset=asset)
    scheme = url.partition("://")[0]
    target = Apprise.instantiate(url, asset=asset)
    if target is None:
        entry.add_problem(
            "url", "is not a URL that the installed Apprise knows: see its wiki for the form of each target"
        )
        return None
    target.redirects = False
    # Cut what is too long for the target: it would refuse the whole message.
    target.overflow_mode = OverflowMode.TRUNCATE
    service.add(target)
    return AppriseChannel(service, scheme, allow_private=allow_private, clock=clock)
