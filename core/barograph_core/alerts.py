"""The words alerter, notifier and console share: severity, state, the record of an alert, its transitions."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, Self

from barograph_core.errors import MalformedEventError

MAX_CONTRIBUTORS: Final = 5
REASON_REMINDER: Final = "reminder"
REASON_BY_HAND: Final = "resolved_by_hand"


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
    return hashlib.sha256(_to_json(facts).encode()).hexdigest()[:digits]


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
        return _to_json(document)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One entry of the alerts stream.

    Attributes:
        transition: Its id, 32 hex digits (``transition_id``).
        before: Field ``from``.
        after: Field ``to``. Firing to firing with reason ``reminder`` repeats an unannounced firing.
        at_ms: Wall time.
        episode_ms: Event time at which the breach began.
        notify: Whether channels may send it. ``None`` before the server has decided by the cooldown key.
        reason: Why nothing may be sent (``cooldown``), or what moved the alert: ``reminder``, ``no_data``,
            ``resolved_by_hand``, ``rule_removed``; else empty.
        actor: The person behind it, or empty.
        cooldown_ms: How long the first delivery of a firing mutes the next firing of this alert.
    """

    transition: str
    alert_id: str
    rule: str
    severity: Severity
    service: str
    labels: Mapping[str, str]
    before: AlertState
    after: AlertState
    at_ms: int
    episode_ms: int
    value: float | None = None
    threshold: float | None = None
    summary: str = ""
    runbook: str = ""
    contributors: tuple[Contributor, ...] = ()
    notify: bool | None = None
    reason: str = ""
    actor: str = ""
    cooldown_ms: int = 0

    @property
    def cooldown_tag(self) -> str:
        """Return what the cooldown key holds of it: ``error:300000``."""
        return f"{self.severity.value}:{self.cooldown_ms}"

    @property
    def is_reminder(self) -> bool:
        return self.before is self.after is AlertState.FIRING

    def to_fields(self) -> list[str]:
        """Return names and values in turn, in the order of the alerts stream.

        ``notify`` and ``reason`` are left out while ``notify`` is ``None``: the server appends them.
        """
        fields: list[str] = []
        for name, value in self._texts().items():
            if self.notify is None and name in ("notify", "reason"):
                continue
            fields += (name, value)
        return fields

    def _texts(self) -> dict[str, str]:
        return {
            "transition": self.transition,
            "alert_id": self.alert_id,
            "rule": self.rule,
            "severity": self.severity.value,
            "service": self.service,
            "labels": _to_json(dict(self.labels)),
            "from": self.before.value,
            "to": self.after.value,
            "at_ms": str(self.at_ms),
            "episode_ms": str(self.episode_ms),
            "value": number_to_text(self.value),
            "threshold": number_to_text(self.threshold),
            "summary": self.summary,
            "runbook": self.runbook,
            "contributors": _to_json(contributors_to_plain(self.contributors)),
            "notify": "1" if self.notify else "0",
            "reason": self.reason,
            "actor": self.actor,
            "cooldown_ms": str(self.cooldown_ms),
        }

    @classmethod
    def from_fields(cls, fields: Mapping[bytes, bytes]) -> Self:
        """Read an entry of the alerts stream.

        Raises:
            MalformedEventError: A field is missing or unreadable; it names the field.
        """
        texts = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in fields.items()}
        name = ""
        known: dict[str, Any] = {}
        try:
            for name, (attribute, read) in _TRANSITION_FIELDS.items():
                known[attribute] = read(texts[name])
            name = "cooldown_ms"
            known[name] = int(texts.get(name, "0"))
        except KeyError as exc:
            raise MalformedEventError(f"alert entry lacks field {name!r}", fields) from exc
        except (ValueError, TypeError, AttributeError) as exc:
            raise MalformedEventError(f"alert entry: field {name!r} is {texts[name]!r}", fields) from exc
        return cls(**known)


def number_to_text(value: float | None) -> str:
    """Return the shortest text that reads back as ``value``; empty when there is none."""
    return "" if value is None else repr(float(value))


def _number(text: str) -> float | None:
    if not text:
        return None
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _labels(text: str) -> dict[str, str]:
    return {str(name): str(value) for name, value in json.loads(text).items()}


def _contributors(text: str) -> tuple[Contributor, ...]:
    return contributors_from_plain(json.loads(text))


def _flag(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError(text)
    return text == "1"


_TRANSITION_FIELDS: Final[dict[str, tuple[str, Any]]] = {
    "transition": ("transition", str),
    "alert_id": ("alert_id", str),
    "rule": ("rule", str),
    "severity": ("severity", Severity),
    "service": ("service", str),
    "labels": ("labels", _labels),
    "from": ("before", AlertState),
    "to": ("after", AlertState),
    "at_ms": ("at_ms", int),
    "episode_ms": ("episode_ms", int),
    "value": ("value", _number),
    "threshold": ("threshold", _number),
    "summary": ("summary", str),
    "runbook": ("runbook", str),
    "contributors": ("contributors", _contributors),
    "notify": ("notify", _flag),
    "reason": ("reason", str),
    "actor": ("actor", str),
}


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


def resolve_by_hand(record: AlertRecord, actor: str, now_ms: int) -> tuple[AlertRecord | None, Transition]:
    """End the episode because a person says so, and mute the alert until one closed pane is clear.

    Write both with one ``baro_transition_1`` of cooldown mode ``clear``: what comes after the mute is
    news, whatever was sent before.

    Args:
        record: A pending or firing alert.
        actor: Who resolves it.
        now_ms: Wall time.

    Returns:
        The record to keep (muted), and the entry; channels may send it if the alert was firing.

    Raises:
        ValueError: The alert is neither pending nor firing.
    """
    if not record.is_active:
        raise ValueError(f"alert {record.alert_id!r} is {record.state.value}, not pending or firing")
    muted = replace(
        record,
        state=AlertState.RESOLVED,
        number=record.number + 1,
        changed_at_ms=now_ms,
        is_muted=True,
        clear_since_ms=None,
        no_data_since_ms=None,
    )
    was_firing = record.state is AlertState.FIRING
    return muted, transition_of(
        muted, before=record.state, at_ms=now_ms, notify=was_firing, reason=REASON_BY_HAND, actor=actor
    )


def transition_of(
    record: AlertRecord,
    *,
    before: AlertState,
    at_ms: int,
    notify: bool | None,
    reason: str = "",
    actor: str = "",
) -> Transition:
    """Return the entry that says ``record`` has just left ``before``; its number is counted already."""
    return Transition(
        transition=transition_id(record.alert_id, record.episode_ms, record.state, record.number),
        alert_id=record.alert_id,
        rule=record.rule,
        severity=record.severity,
        service=record.service,
        labels=record.labels,
        before=before,
        after=record.state,
        at_ms=at_ms,
        episode_ms=record.episode_ms,
        value=record.value,
        threshold=record.threshold,
        summary=record.summary,
        runbook=record.runbook,
        contributors=record.contributors,
        notify=notify,
        reason=reason,
        actor=actor,
        cooldown_ms=record.cooldown_ms,
    )


def _to_json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
