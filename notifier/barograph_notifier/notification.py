"""The message about one transition of an alert, and its JSON form for webhooks."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Self
from urllib.parse import urlencode

from barograph_core.alerts.record import (
    AlertState,
    Contributor,
    Severity,
    alertname_of,
    contributors_to_plain,
    episode_key,
)
from barograph_core.alerts.transition import Transition

BODY_VERSION: Final = 1
Status = Literal["firing", "resolved"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One message to send.

    Attributes:
        status: The alert's state after the transition.
        reason: The cause, when it is not the condition itself: ``reminder``, ``resolved_by_hand``, ``no_traffic``.
        missing: Instances that were missing when it ended with reason ``recovered_partly``.
        summary: The rule's text, or a plain sentence where that is empty.
        started_at_ms: Event time at which the breach began; the same for a whole episode, and for all of them while the
            alert flaps.
        changed_at_ms: Wall time of the transition.
        actor: The person behind it, or empty.
        first_ref: The channel's own reference (``Sent.ref``) for the first message about this episode, so that this
            one can stand in its thread; empty for the first message.
        console_url: The alert on the console's page; empty when the notifier does not know the console's address.
        annotations: Of a pushed alert: what the other program says of it.
        source_url: Of a pushed alert: where the other program shows it.
        title: What the channel's own template makes of it; empty for the plain title.
        body: The same for the text below, several lines and in the channel's markup; empty for the plain text.
        flag: ``acknowledged`` or ``unacknowledged`` when that alone has changed while the alert fires, by ``actor``:
            only for a channel that ``shows`` it. Else empty.
        note: What the person said about it.
        after: What was done to the service just before it began, ``deploy api 2.15, 2 min 5 s before, by ci``; else
            empty.
        until_ms: Wall time at which the acknowledgement ends by itself; ``None`` when it does not.
    """

    status: Status
    reason: str
    alert_id: str
    rule: str
    severity: Severity
    service: str
    labels: Mapping[str, str]
    value: float | None
    threshold: float | None
    summary: str
    started_at_ms: int
    changed_at_ms: int
    contributors: tuple[Contributor, ...]
    runbook: str
    actor: str
    missing: tuple[str, ...] = ()
    first_ref: str = ""
    console_url: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict[str, str])
    source_url: str = ""
    title: str = ""
    body: str = ""
    flag: str = ""
    note: str = ""
    until_ms: int | None = None
    after: str = ""

    @property
    def episode(self) -> str:
        """Return the key of the alert's episode; see ``episode_key``."""
        return episode_key(self.alert_id, self.started_at_ms)

    @classmethod
    def of_transition(cls, transition: Transition, *, first_ref: str = "", console: str = "") -> Self:
        """Return the notification of a transition to ``firing`` or ``resolved``; ``console`` is the console's URL."""
        status: Status = "firing" if transition.after is AlertState.FIRING else "resolved"
        is_flag = transition.is_only_flag
        return cls(
            status=status,
            reason=transition.reason,
            alert_id=transition.alert_id,
            rule=transition.rule,
            severity=transition.severity,
            service=transition.service,
            labels=dict(transition.labels),
            value=transition.value,
            threshold=transition.threshold,
            summary=transition.summary or f"{alertname_of(transition.rule)} on {transition.service}",
            started_at_ms=transition.told_episode_ms,
            changed_at_ms=transition.at_ms,
            contributors=transition.contributors,
            runbook=transition.runbook,
            actor=transition.actor,
            missing=transition.missing,
            first_ref=first_ref,
            console_url=_console_url(console, transition),
            flag=transition.flag if is_flag else "",
            note=transition.note if is_flag else "",
            until_ms=transition.until_ms if is_flag else None,
            annotations=dict(transition.annotations),
            source_url=transition.source_url,
        )

    def to_body(self, key: str) -> dict[str, object]:
        """Return the webhook's body, version 1, ready for JSON."""
        return {
            "version": BODY_VERSION,
            "key": key,
            "status": self.status,
            "reason": self.reason,
            "alert": self.to_alert(),
            **({"message": {"title": self.title, "body": self.body}} if self.title or self.body else {}),
            **({"flag": self.flag, "note": self.note, "until_ms": self.until_ms} if self.flag else {}),
        }

    def to_alert(self) -> dict[str, object]:
        """Return the alert as the webhook's body has it."""
        return {
            "id": self.alert_id,
            "rule": self.rule,
            "severity": self.severity.value,
            "service": self.service,
            "labels": dict(self.labels),
            "value": self.value,
            "threshold": self.threshold,
            "summary": self.summary,
            "started_at_ms": self.started_at_ms,
            "changed_at_ms": self.changed_at_ms,
            "contributors": contributors_to_plain(self.contributors),
            "runbook": self.runbook,
            "actor": self.actor,
            "missing": list(self.missing),
            "console_url": self.console_url,
            **({"annotations": dict(self.annotations)} if self.annotations else {}),
            **({"source_url": self.source_url} if self.source_url else {}),
            **({"after": self.after} if self.after else {}),
        }


def _console_url(console: str, transition: Transition) -> str:
    if not console:
        return ""
    return f"{console.rstrip('/')}/?{urlencode({'service': transition.service, 'alert': transition.alert_id})}"


def idempotency_key(transition: str, channel: str) -> str:
    """Return the key of ``transition`` on ``channel``: 32 hex digits, the same at every attempt."""
    return hashlib.sha256(f"{channel}\n{transition}".encode()).hexdigest()[:32]
