"""The entries of the alerts stream about one alert: one for each transition, and for each change of a flag."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self

from barograph_core.alerts.record import (
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
from barograph_core.text.foreign_json import load_foreign_json

Flag = Literal["acknowledged", "unacknowledged", "flapping", "flapping_ended"]
# Limit of the instances that one entry names.
MAX_MISSING: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One entry of the alerts stream.

    A change of a flag leaves the state as it is, so that readers which do not know the flag take it for a transition
    from a state to itself.

    Attributes:
        transition: Its id, 32 hex digits (``transition_id``).
        before: Field ``from``.
        after: Field ``to``. Firing to firing with reason ``reminder`` repeats an unannounced firing.
        at_ms: Wall time.
        episode_ms: Event time at which the breach began.
        notify: Whether channels may send it. ``None`` before the server has decided by the quiet channels.
        reason: Why channels may not send it (``cooldown``, ``pending``), or the cause where the condition alone does
            not say it (``reason.py``); else empty. The server adds ``reminder``.
        actor: The person who caused it, or empty.
        cooldown_ms: How long a channel's first delivery of a firing mutes the next firing of this alert there.
        muted: Channels that may not send it, because their own cooldown runs.
        missing: Instances that were missing when it ended with reason ``recovered_partly``, at most ``MAX_MISSING``.
        flag: What a person or the alerter has changed besides the state: one of ``Flag``, or one that a newer version
            knows; empty when nothing.
        note: What the person says about it.
        until_ms: Wall time at which the flag ends by itself; ``None`` when it does not.
        via: The tool in which the person changed the flag, ``slack`` or ``pagerduty``, which knows of it already; empty
            for barograph itself.
        incident_ms: The episode with which the alert began to flap, as which channels know this one too; ``None``: they
            know it as itself.
        annotations: Of a pushed alert: what the other program says of it.
        source_url: Of a pushed alert: where the other program shows it.
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
    muted: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    flag: str = ""
    note: str = ""
    until_ms: int | None = None
    via: str = ""
    incident_ms: int | None = None
    annotations: Mapping[str, str] = field(default_factory=dict[str, str])
    source_url: str = ""

    @property
    def told_episode_ms(self) -> int:
        """Return the episode as which channels know this one."""
        return self.episode_ms if self.incident_ms is None else self.incident_ms

    @property
    def is_only_flag(self) -> bool:
        """Say whether nothing but a flag changes, and no one is told."""
        return bool(self.flag) and self.before is self.after and not self.notify

    @property
    def quiet_tag(self) -> str:
        """Return what the quiet channels keep of it: ``error:300000:1700000000000``."""
        return f"{self.severity.value}:{self.cooldown_ms}:{self.episode_ms}"

    def to_fields(self) -> list[str]:
        """Return names and values in turn, in the order of the alerts stream.

        ``notify`` is left out while it is ``None``, and so is an empty ``reason``: the server appends them.
        """
        fields: list[str] = []
        for name, value in self._texts().items():
            if self.notify is None and (name in ("notify", "muted") or (name == "reason" and not value)):
                continue
            if name in _LATER_FIELDS and not value:
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
            "muted": ",".join(self.muted),
            "missing": ",".join(self.missing),
            "flag": self.flag,
            "note": self.note,
            "until_ms": "" if self.until_ms is None else str(self.until_ms),
            "via": self.via,
            "incident_ms": "" if self.incident_ms is None else str(self.incident_ms),
            "annotations": json_text(dict(self.annotations)) if self.annotations else "",
            "source_url": self.source_url,
        }

    @classmethod
    def from_fields(cls, fields: Mapping[bytes, bytes]) -> Self:
        """Read an entry of the alerts stream.

        Raises:
            MalformedEventError: A field is missing or unreadable; it names the field.
        """
        return cls.from_texts(decoded_fields(fields))

    @classmethod
    def from_texts(cls, texts: Mapping[str, str]) -> Self:
        """Read an entry of the alerts stream whose names and values are texts already.

        Raises:
            MalformedEventError: As ``from_fields``.
        """
        name = ""
        known: dict[str, Any] = {}
        try:
            for name, attribute, read in _READ_FIELDS:
                known[attribute] = texts[name] if read is None else read(texts[name])
            name = "cooldown_ms"
            known[name] = int(texts.get(name, "0"))
            for name, read in _LATER_FIELDS.items():
                if text := texts.get(name):
                    known[name] = read(text)
        except KeyError as exc:
            raise MalformedEventError(f"alert entry lacks field {name!r}", _encoded(texts)) from exc
        except (ValueError, TypeError, AttributeError) as exc:
            raise MalformedEventError(f"alert entry: field {name!r} is {texts[name]!r}", _encoded(texts)) from exc
        return cls(**known)


def decoded_fields(fields: Mapping[bytes, bytes]) -> dict[str, str]:
    """Return names and values of an entry as texts; what is no UTF-8 is replaced."""
    return {name.decode("utf-8", "replace"): value.decode("utf-8", "replace") for name, value in fields.items()}


def is_about_alert(fields: Mapping[bytes, bytes]) -> bool:
    """Say whether an entry of the alerts stream is a ``Transition``.

    The others have a ``kind``, such as ``silence``; a reader passes over those that it does not know.
    """
    return b"kind" not in fields


def _encoded(texts: Mapping[str, str]) -> dict[bytes, bytes]:
    return {name.encode(errors="replace"): value.encode(errors="replace") for name, value in texts.items()}


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
    return {str(name): str(value) for name, value in load_foreign_json(text).items()}


def _texts(text: str) -> dict[str, str]:
    return _labels(text) if text else {}


def _contributors(text: str) -> tuple[Contributor, ...]:
    return () if text == "[]" else contributors_from_plain(load_foreign_json(text))


def _yes_or_no(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError(text)
    return text == "1"


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def _whole(text: str) -> int | None:
    return int(text) if text else None


# Fields that earlier versions do not write, and this one only where they say something.
_LATER_FIELDS: Final[dict[str, Any]] = {
    "muted": _names,
    "missing": _names,
    "flag": str,
    "note": str,
    "until_ms": _whole,
    "via": str,
    "incident_ms": _whole,
    "annotations": _texts,
    "source_url": str,
}
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
    "notify": ("notify", _yes_or_no),
    "reason": ("reason", str),
    "actor": ("actor", str),
}


# The same in the order of reading, ``None`` for a text that is taken as it is: every alert passes here.
_READ_FIELDS: Final = [
    (name, attribute, None if read is str else read) for name, (attribute, read) in _TRANSITION_FIELDS.items()
]


def transition_of(
    record: AlertRecord,
    *,
    before: AlertState,
    at_ms: int,
    notify: bool | None,
    reason: str = "",
    actor: str = "",
    flag: str = "",
    note: str = "",
    until_ms: int | None = None,
    via: str = "",
) -> Transition:
    """Return the entry for the change from ``before`` to the state of ``record``, whose number includes it."""
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
        flag=flag,
        note=note,
        until_ms=until_ms,
        via=via,
        incident_ms=record.incident_ms,
        annotations=record.annotations,
        source_url=record.source_url,
    )
