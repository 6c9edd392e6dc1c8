"""Notifications as the body of Alertmanager's webhooks, version 4, for receivers that were written for it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from barograph_core.alerts.record import alertname_of, is_pushed_rule
from barograph_core.text.timestamps import LATEST_MS
from barograph_notifier.digest import MOST_IN_BODY, Digest
from barograph_notifier.notification import Notification
from barograph_notifier.wording.words import body_of, title_of

Json = dict[str, object]

# Go's time of nothing: what has not ended.
_NEVER: Final = "0001-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class AlertmanagerForm:
    """Makes bodies.

    Attributes:
        receiver: The channel's name.
        group_by: The names that the channel groups by; ``None`` when each alert is a message, as with Alertmanager's
            ``group_by: ['...']``.
    """

    receiver: str
    group_by: Sequence[str] | None = None

    def body_of(self, notification: Notification, key: str) -> Json:  # noqa: ARG002  # as the other form
        """Return the body of one alert."""
        return self._body([notification], 0)

    def digest_body_of(self, digest: Digest) -> Json:
        """Return the body of several alerts: at most 1,000 of them, the most important first."""
        return self._body(digest.alerts[:MOST_IN_BODY], max(0, len(digest.alerts) - MOST_IN_BODY))

    def _body(self, alerts: Sequence[Notification], left_out: int) -> Json:
        labels = [labels_of(alert) for alert in alerts]
        group = labels[0] if self.group_by is None else self._group_labels(labels[0])
        pairs = ", ".join(f'{name}="{_quoted(value)}"' for name, value in sorted(group.items()))
        return {
            "version": "4",
            "groupKey": f"{{}}:{{{pairs}}}",
            "truncatedAlerts": left_out,
            "status": "firing" if any(alert.status == "firing" for alert in alerts) else "resolved",
            "receiver": self.receiver,
            "groupLabels": group,
            "commonLabels": _common(labels),
            "commonAnnotations": _common(_annotations_of(alert) for alert in alerts),
            "externalURL": alerts[0].console_url.partition("/?")[0],
            "alerts": [_alert(alert) for alert in alerts],
        }

    def _group_labels(self, labels: Mapping[str, str]) -> dict[str, str]:
        names = ("alertname" if name == "rule" else name for name in self.group_by or ())
        return {name: labels.get(name, "") for name in names}


def labels_of(notification: Notification) -> dict[str, str]:
    """Return the labels with those that Alertmanager's receivers look for: alertname, service and severity."""
    own = {"alertname": alertname_of(notification.rule), "service": notification.service}
    severity = {"severity": notification.severity.value}
    if is_pushed_rule(notification.rule):
        # The other program's own severity, where it has one.
        return {**severity, **notification.labels, **own}
    return {**notification.labels, **own, **severity}


def _annotations_of(notification: Notification) -> dict[str, str]:
    texts = {
        "summary": notification.summary,
        "title": title_of(notification) if notification.title else "",
        "description": "\n".join(body_of(notification)),
        "runbook_url": notification.runbook,
    }
    return {name: text for name, text in texts.items() if text} | dict(notification.annotations)


def _alert(notification: Notification) -> Json:
    is_over = notification.status == "resolved"
    return {
        "status": notification.status,
        "labels": labels_of(notification),
        "annotations": _annotations_of(notification),
        "startsAt": _moment(notification.started_at_ms),
        "endsAt": _moment(notification.changed_at_ms) if is_over else _NEVER,
        "generatorURL": notification.source_url or notification.console_url,
        "fingerprint": notification.alert_id,
    }


def _moment(ms: int) -> str:
    moment = datetime.fromtimestamp(min(max(ms, 0), LATEST_MS) // 1_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1_000:03d}Z"


def _common(several: Iterable[Mapping[str, str]]) -> dict[str, str]:
    first, *others = several
    return {name: value for name, value in first.items() if all(one.get(name) == value for one in others)}


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
