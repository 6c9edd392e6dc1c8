"""The words alerter, notifier and console share: severity, state, what identifies an alert, its record."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from barograph_core.errors import MalformedEventError

MAX_CONTRIBUTORS: Final = 5


class Severity(StrEnum):
    """How bad an alert is. Compare with ``rank``, never as text."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Return 0 for info up to 3 for critical."""
        return tuple(Severity).index(self)


class AlertState(StrEnum):
    """States of an alert as in Prometheus. An alert without a record is inactive."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Contributor:
    """A part of the service that accounts for a breach.

    Attributes:
        labels: What the alert itself does not tell apart: ``{"route": "/predict"}``.
        of: What ``amount`` counts: ``errors``, ``count`` or ``duration_ms.sum``.
        amount: Its own amount in the window.
        share_ratio: ``amount`` by the amount of all, 0 to 1.
    """

    labels: Mapping[str, str]
    of: str
    amount: float
    share_ratio: float


def alert_id(rule: str, service: str, labels: Mapping[str, str]) -> str:
    """Return the identity of an alert, 16 hex digits: its rule, service and labels, never its value."""
    return _digest([rule, service, sorted(labels.items())], 16)


def transition_id(alert: str, episode_ms: int, after: AlertState, number: int) -> str:
    """Return the id of a transition, 32 hex digits.

    It never depends on the entry that caused it, so that a transition tried twice has one id: the
    notifier makes its idempotency key of it.

    Args:
        alert: What ``alert_id`` returned.
        episode_ms: When the breach began; tells the episodes of an alert apart.
        after: The state entered.
        number: 1 for the first transition of the episode, and so on.
    """
    return _digest([alert, episode_ms, after.value, number], 32)


def _digest(facts: object, digits: int) -> str:
    return hashlib.sha256(json_text(facts).encode()).hexdigest()[:digits]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRecord:
    """The state of one alert that is not inactive: a field ``alert:<alert_id>`` of ``state:<service>``.

    Attributes:
        state: ``pending`` or ``firing``; ``resolved`` only while ``is_muted``.
        severity: That of the rule at the last transition.
        cooldown_ms: That of the rule at the last transition.
        episode_ms: Event time at which the breach began; ``for`` counts from here.
        changed_at_ms: Wall time of the last transition.
        breached_to_ms: End of the newest window seen to breach. A clear verdict on an older window is stale.
        number: Transitions of this episode so far.
        fired_at_ms: Wall time at which it began to fire.
        clear_since_ms: Event time of the first clear verdict since the last breach; ``keep_firing_for``
            counts from here.
        no_data_since_ms: Event time since which the condition has lacked data.
        is_announced: Whether the notification of this firing was let through. ``False`` earns a reminder
            when the cooldown lapses.
        is_muted: Resolved by hand: nothing happens until a closed pane is clear.
        is_no_data: It fires because there is no data (``no_data = "alert"``).
        value: Left side of the comparison that decides, as last evaluated.
        threshold: Right side of it.
    """

    alert_id: str
    rule: str
    service: str
    labels: Mapping[str, str]
    severity: Severity
    state: AlertState
    episode_ms: int
    changed_at_ms: int
    breached_to_ms: int
    cooldown_ms: int = 0
    number: int = 0
    fired_at_ms: int | None = None
    clear_since_ms: int | None = None
    no_data_since_ms: int | None = None
    is_announced: bool = False
    is_muted: bool = False
    is_no_data: bool = False
    value: float | None = None
    threshold: float | None = None
    summary: str = ""
    runbook: str = ""
    contributors: tuple[Contributor, ...] = ()

    @property
    def is_active(self) -> bool:
        """Say whether people should see it in a list of alerts: pending or firing."""
        return self.state in (AlertState.PENDING, AlertState.FIRING)

    def to_json(self) -> str:
        """Return JSON text, deterministic: equal records give equal text."""
        document = {name: getattr(self, name) for name in _RECORD_FIELDS}
        document["labels"] = dict(self.labels)
        document["contributors"] = contributors_to_plain(self.contributors)
        return json_text(document)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what ``to_json`` wrote. Unknown keys are left out, so that a newer alerter can add some.

        Raises:
            MalformedEventError: It is not such a record.
        """
        try:
            document = json.loads(text)
            known = {name: document[name] for name in _RECORD_FIELDS if name in document}
            known["severity"] = Severity(known["severity"])
            known["state"] = AlertState(known["state"])
            known["labels"] = {str(name): str(value) for name, value in known["labels"].items()}
            known["contributors"] = contributors_from_plain(known.get("contributors", []))
            return cls(**known)
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise MalformedEventError(f"not an alert record: {exc}") from exc


_RECORD_FIELDS: Final = tuple(AlertRecord.__dataclass_fields__)


def contributors_to_plain(contributors: Sequence[Contributor]) -> list[dict[str, object]]:
    """Return contributors as plain dicts, ready for JSON."""
    return [
        {"labels": dict(c.labels), "of": c.of, "amount": c.amount, "share_ratio": c.share_ratio} for c in contributors
    ]


def contributors_from_plain(plain: Sequence[Mapping[str, Any]]) -> tuple[Contributor, ...]:
    """Read what ``contributors_to_plain`` made; more than ``MAX_CONTRIBUTORS`` are cut."""
    return tuple(
        Contributor(
            {str(name): str(value) for name, value in item["labels"].items()},
            str(item["of"]),
            float(item["amount"]),
            float(item["share_ratio"]),
        )
        for item in plain[:MAX_CONTRIBUTORS]
    )


def json_text(value: object) -> str:
    """Return ``value`` as JSON text, deterministic: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
