"""The entries of the alerts stream: what a transition tells, and the one that a person's word makes."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from barograph_core.alerts import (
    AlertRecord,
    AlertState,
    Contributor,
    Severity,
    contributors_from_plain,
    contributors_to_plain,
    json_text,
    transition_id,
)
from barograph_core.errors import MalformedEventError

REASON_BY_HAND: Final = "resolved_by_hand"
REASON_SERVICE_RETIRED: Final = "service_retired"


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
            "labels": json_text(dict(self.labels)),
            "from": self.before.value,
            "to": self.after.value,
            "at_ms": str(self.at_ms),
            "episode_ms": str(self.episode_ms),
            "value": _number_text(self.value),
            "threshold": _number_text(self.threshold),
            "summary": self.summary,
            "runbook": self.runbook,
            "contributors": json_text(contributors_to_plain(self.contributors)),
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


def _number_text(value: float | None) -> str:
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


def resolve_by_hand(record: AlertRecord, actor: str, now_ms: int) -> tuple[AlertRecord, Transition]:
    """End the episode because a person says so, and mute the alert until one closed pane is clear.

    Write both as one ``Change`` with cooldown ``clear``: what comes after the mute is news, whatever was sent
    before.

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
