"""What is told to people about one transition of an alert, and its JSON form for webhooks."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, Self

from barograph_core.alerts import AlertState, Contributor, Severity, contributors_to_plain
from barograph_core.transitions import Transition

BODY_VERSION: Final = 1
Status = Literal["firing", "resolved"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One message to send.

    Attributes:
        status: What the alert is now.
        reason: Why, when it is not plain: ``reminder``, ``resolved_by_hand``, ``no_data``.
        summary: The rule's text, or a plain sentence where that is empty.
        started_at_ms: Event time at which the breach began; the same for all of an episode.
        changed_at_ms: Wall time of the transition.
        actor: The person behind it, or empty.
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

    @classmethod
    def of_transition(cls, transition: Transition) -> Self:
        """Return the notification of a transition to ``firing`` or ``resolved``."""
        status: Status = "firing" if transition.after is AlertState.FIRING else "resolved"
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
            summary=transition.summary or f"{transition.rule} on {transition.service}",
            started_at_ms=transition.episode_ms,
            changed_at_ms=transition.at_ms,
            contributors=transition.contributors,
            runbook=transition.runbook,
            actor=transition.actor,
        )

    def to_body(self, key: str) -> dict[str, object]:
        """Return the webhook's body, version 1, ready for JSON."""
        return {
            "version": BODY_VERSION,
            "key": key,
            "status": self.status,
            "reason": self.reason,
            "alert": {
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
            },
        }


def idempotency_key(transition: str, channel: str) -> str:
    """Return the key under which ``channel`` hears of ``transition``: 32 hex digits, the same at every attempt."""
    return hashlib.sha256(f"{channel}\n{transition}".encode()).hexdigest()[:32]
