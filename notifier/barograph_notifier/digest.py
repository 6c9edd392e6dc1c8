"""Several alerts in one message."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, Self, runtime_checkable

from barograph_core.alerts.record import Severity
from barograph_notifier.channel import Outcome
from barograph_notifier.notification import BODY_VERSION, Notification, Status

# Alerts of a digest that a message shows one by one.
TOP: Final = 10
# Alerts of a webhook's body: some 1 MB.
MOST_IN_BODY: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """A message about several alerts of one group.

    Attributes:
        alerts: All of them, at least two, most important first: those that fire before those that are over, then by
            severity, then the newest. No alert is in it twice.
        keys: The idempotency key of each alert's transition, in the same order, as if it were sent by itself.
        still_firing: Number of other alerts of the group that people were told of before and that have no end yet.
        console_url: The console's page; empty when the notifier does not know its address.
        title: What the channel's own template makes of it; empty for the plain title.
        body: The same for all that stands below it but the links; empty for the plain text and the list of alerts.
    """

    alerts: tuple[Notification, ...]
    keys: tuple[str, ...]
    still_firing: int = 0
    console_url: str = ""
    title: str = ""
    body: str = ""

    @classmethod
    def of(cls, alerts: Iterable[tuple[Notification, str]], *, still_firing: int = 0, console_url: str = "") -> Self:
        """Return the digest of alerts, each with its key, in any order."""
        ordered = sorted(alerts, key=_importance)
        return cls(
            alerts=tuple(alert for alert, _ in ordered),
            keys=tuple(key for _, key in ordered),
            still_firing=still_firing,
            console_url=console_url,
        )

    @property
    def key(self) -> str:
        """Return the idempotency key: 32 hex digits, the same for the same transitions."""
        return hashlib.sha256("\n".join(["digest", *sorted(self.keys)]).encode()).hexdigest()[:32]

    @property
    def status(self) -> Status:
        """Return ``resolved`` when every alert in it is over."""
        return "firing" if any(alert.status == "firing" for alert in self.alerts) else "resolved"

    @property
    def severity(self) -> Severity:
        """Return the highest severity of those that fire, or of all when none does."""
        counted = [alert for alert in self.alerts if alert.status == self.status]
        return max((alert.severity for alert in counted), key=lambda severity: severity.rank)

    @property
    def counts(self) -> Mapping[str, int]:
        """Return how many alerts fire by severity, highest first, and how many are ``resolved``; none is 0."""
        found = Counter(alert.severity for alert in self.alerts if alert.status == "firing")
        counts = {item.value: found[item] for item in sorted(found, key=lambda item: -item.rank)}
        resolved = sum(alert.status == "resolved" for alert in self.alerts)
        return {**counts, **({"resolved": resolved} if resolved else {})}

    @property
    def top(self) -> tuple[Notification, ...]:
        """Return the alerts that a message shows one by one."""
        return self.alerts[:TOP]

    @property
    def service(self) -> str:
        """Return the service that all alerts are of; empty if they are of several."""
        return _common({alert.service for alert in self.alerts})

    @property
    def rule(self) -> str:
        """Return the rule that all alerts are of; empty if they are of several."""
        return _common({alert.rule for alert in self.alerts})

    @property
    def labels(self) -> Mapping[str, str]:
        """Return the labels that all alerts have alike."""
        first, *others = self.alerts
        return {
            name: value
            for name, value in sorted(first.labels.items())
            if all(alert.labels.get(name) == value for alert in others)
        }

    def to_body(self) -> dict[str, object]:
        """Return the webhook's body, version 1, ready for JSON: ``alerts`` instead of ``alert``, each with its key.

        At most ``MOST_IN_BODY`` of them, the most important ones; ``counts`` has all, and ``left_out`` the others.
        """
        shown = list(zip(self.alerts, self.keys, strict=True))[:MOST_IN_BODY]
        return {
            "version": BODY_VERSION,
            "key": self.key,
            "status": self.status,
            "severity": self.severity.value,
            "counts": dict(self.counts),
            "still_firing": self.still_firing,
            "left_out": len(self.alerts) - len(shown),
            "console_url": self.console_url,
            **({"message": {"title": self.title, "body": self.body}} if self.title or self.body else {}),
            "alerts": [
                {"key": key, "status": alert.status, "reason": alert.reason, **alert.to_alert()} for alert, key in shown
            ],
        }


def _importance(alert: tuple[Notification, str]) -> tuple[bool, int, int, str]:
    notification, key = alert
    return notification.status != "firing", -notification.severity.rank, -notification.changed_at_ms, key


def _common(values: set[str]) -> str:
    return values.pop() if len(values) == 1 else ""


@runtime_checkable
class DigestChannel(Protocol):
    """A channel that can put several alerts into one message. Others get each alert by itself."""

    def send_digest(self, digest: Digest, *, key: str, timeout_s: float) -> Outcome:
        """Send ``digest``; the rest is as in ``Channel.send``. The same key means the same alerts."""
        ...
