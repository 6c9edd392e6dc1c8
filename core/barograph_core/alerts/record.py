"""What an alert is: its severity, state, identity and record, shared by alerter, notifier and console."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, Self

from barograph_core.alerts import reason
from barograph_core.alerts.acknowledgement import Acknowledgement
from barograph_core.errors import MalformedEventError
from barograph_core.text.foreign_json import load_foreign_json

MAX_CONTRIBUTORS: Final = 5
# Begins the rule of an alert that another program pushes. No rule of our own has a name with a slash.
PUSHED_PREFIX: Final = "ext/"
# Each moment asks again for the ids of all that fire. Some MB.
_REMEMBERED_IDS: Final = 16_384


class Severity(StrEnum):
    """How bad an alert is. Compare with ``rank``, never as text."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Return 0 for info up to 3 for critical."""
        return _RANKS[self]


_RANKS: Final = {severity: rank for rank, severity in enumerate(Severity)}


class AlertState(StrEnum):
    """States of an alert as in Prometheus. An alert without a record is inactive."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Contributor:
    """Series of the service that account for a breach.

    Attributes:
        labels: Labels that the alert itself does not have: ``{"route": "/predict"}``.
        of: Name of the counted quantity: ``errors``, ``count`` or ``duration_ms.sum``.
        amount: Its own amount in the window.
        share_ratio: ``amount`` by the amount of all, 0 to 1.
    """

    labels: Mapping[str, str]
    of: str
    amount: float
    share_ratio: float


def alert_id(rule: str, service: str, labels: Mapping[str, str]) -> str:
    """Return the identity of an alert, 16 hex digits: its rule, service and labels, never its value."""
    return _alert_id(rule, service, tuple(sorted(labels.items())))


@lru_cache(_REMEMBERED_IDS)
def _alert_id(rule: str, service: str, labels: tuple[tuple[str, str], ...]) -> str:
    return _digest([rule, service, labels], 16)


def is_pushed_rule(rule: str) -> bool:
    """Say whether the alerts of this rule are pushed by another program, whose name for it stands after the prefix."""
    return rule.startswith(PUSHED_PREFIX)


def alertname_of(rule: str) -> str:
    """Return the name of a rule as Alertmanager's tools know it; of a pushed alert, the name that it was pushed by."""
    return rule.removeprefix(PUSHED_PREFIX)


def episode_key(alert: str, episode_ms: int) -> str:
    """Return the key of an alert's episode: 32 hex digits, the same in each message about it on each channel.

    Args:
        alert: The alert's id.
        episode_ms: End of the pane in which the breach began, different for each episode.
    """
    return hashlib.sha256(f"{alert}\n{episode_ms}".encode()).hexdigest()[:32]


def transition_id(alert: str, episode_ms: int, after: AlertState, number: int) -> str:
    """Return the id of a transition, 32 hex digits.

    It does not depend on the entry that caused it, so a transition that is tried twice has one id. The notifier
    derives its idempotency key from it.

    Args:
        alert: The alert's id.
        episode_ms: End of the pane in which the breach began, different for each episode.
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
        episode_ms: End of the pane in which the breach began; it names the episode.
        changed_at_ms: Wall time of the last transition.
        breached_to_ms: End of the window with which the breach began. A clear verdict on an older window is stale.
        judged_to_ms: End of the newest closed window that was judged, while a hold runs; what lies between it and the
            next one judged counts for no hold.
        unjudged_ms: Event time since ``episode_ms`` that no one judged.
        number: Entries of this episode so far: transitions, and changes of a flag.
        hold_ms: The rule's ``for`` when it began; a longer one counts from the next episode on. ``None``: not known.
        begun_ms: Event time of the verdict from which ``for`` counts; ``None`` for ``episode_ms``.
        fired_at_ms: Wall time at which it began to fire.
        clear_since_ms: Event time of the first clear verdict since the last breach; ``keep_firing_for``
            counts from here. It moves on with the time in which data or an instance was missing.
        seen_clear_since_ms: Likewise, but it stands while an instance is missing: what was seen was clear.
        late_ms: How late the events came that made it fire, 0 when in time. The recovery lasts longer by as much.
        no_data_since_ms: Event time since which the condition has lacked data.
        is_announced: Whether the notification of this firing was sent to channels. If not, a reminder follows
            when the cooldown lapses.
        is_muted: Whether it was resolved by hand; it then stays quiet until a closed pane is clear.
        is_no_data: It fires because there is no data (``no_data = "alert"``).
        level_since_ms: For each level of the rule that holds: the event time of the verdict from which its hold counts.
        levels_judged_ms: As ``judged_to_ms``, while the hold of a level runs.
        lack: Why the condition lacks data now: a reason of ``reason.py``; empty while it does not.
        value: Left side of the comparison that decides, as last evaluated.
        threshold: Right side of it.
        ack: Who has taken it on while it fires; ``None``: no one.
        is_flapping: Whether it fires and resolves again and again, so that channels get updates only.
        incident_ms: The episode with which it began to flap, as which channels know this one too; ``None``: they know
            it as itself.
        ends_ms: Of a pushed alert: wall time at which it ends unless it is pushed again. ``None``: one of our rules.
        annotations: Of a pushed alert: what the other program says of it.
        source_url: Of a pushed alert: where the other program shows it; empty when it does not say so.
        inhibited_by: Ids of the alerts because of which channels hold it back. Not part of what is stored: who shows
            alerts has it filled in (``ServiceState.shown``).
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
    hold_ms: int | None = None
    begun_ms: int | None = None
    fired_at_ms: int | None = None
    judged_to_ms: int | None = None
    unjudged_ms: int = 0
    clear_since_ms: int | None = None
    seen_clear_since_ms: int | None = None
    late_ms: int = 0
    no_data_since_ms: int | None = None
    is_announced: bool = False
    is_muted: bool = False
    is_no_data: bool = False
    level_since_ms: Mapping[Severity, int] = field(default_factory=dict[Severity, int])
    levels_judged_ms: int | None = None
    lack: str = ""
    value: float | None = None
    threshold: float | None = None
    summary: str = ""
    runbook: str = ""
    contributors: tuple[Contributor, ...] = ()
    ack: Acknowledgement | None = None
    is_flapping: bool = False
    incident_ms: int | None = None
    ends_ms: int | None = None
    annotations: Mapping[str, str] = field(default_factory=dict[str, str])
    source_url: str = ""
    inhibited_by: tuple[str, ...] = ()

    @property
    def told_episode_ms(self) -> int:
        """Return the episode as which channels know this one."""
        return self.episode_ms if self.incident_ms is None else self.incident_ms

    @property
    def is_pushed(self) -> bool:
        """Say whether another program decides when it fires."""
        return self.ends_ms is not None

    @property
    def reason(self) -> str:
        """Return why it is in its state where the condition alone does not say it; empty where it does."""
        if self.is_muted:
            return reason.RESOLVED_BY_HAND
        return self.lack or (reason.NO_DATA if self.is_no_data else reason.LATE if self.late_ms else "")

    @property
    def is_active(self) -> bool:
        """Say whether it is pending or firing, and so belongs in a list of alerts."""
        return self.state in (AlertState.PENDING, AlertState.FIRING)

    def to_json(self) -> str:
        """Return JSON text, deterministic: equal records give equal text."""
        document = {name: getattr(self, name) for name in _RECORD_FIELDS}
        for name, default in _LATER_FIELDS.items():
            if document[name] == default:
                del document[name]
        document["labels"] = dict(self.labels)
        if self.annotations:
            document["annotations"] = dict(self.annotations)
        document["contributors"] = contributors_to_plain(self.contributors)
        if self.ack is not None:
            document["ack"] = self.ack.to_plain()
        return json_text(document)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read the text of ``to_json``. Unknown keys are ignored, so that a newer version can add some.

        Raises:
            MalformedEventError: It is not such a record.
        """
        try:
            document = load_foreign_json(text)
            known = {name: document[name] for name in _RECORD_FIELDS if name in document}
            known["severity"] = Severity(known["severity"])
            known["state"] = AlertState(known["state"])
            levels = known.get("level_since_ms", {})
            known["level_since_ms"] = {Severity(name): int(since_ms) for name, since_ms in levels.items()}
            known["labels"] = {str(name): str(value) for name, value in known["labels"].items()}
            known["annotations"] = {str(name): str(text) for name, text in known.get("annotations", {}).items()}
            known["contributors"] = contributors_from_plain(known.get("contributors", []))
            if known.get("ack") is not None:
                known["ack"] = Acknowledgement.from_plain(known["ack"])
            return cls(**known)
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise MalformedEventError(f"not an alert record: {exc}") from exc


_RECORD_FIELDS: Final = tuple(name for name in AlertRecord.__dataclass_fields__ if name != "inhibited_by")
# Fields that earlier versions do not have, with their defaults, which are not written.
_LATER_FIELDS: Final[dict[str, object]] = {
    "judged_to_ms": None,
    "unjudged_ms": 0,
    "seen_clear_since_ms": None,
    "late_ms": 0,
    "hold_ms": None,
    "ack": None,
    "level_since_ms": {},
    "levels_judged_ms": None,
    "lack": "",
    "is_flapping": False,
    "incident_ms": None,
    "ends_ms": None,
    "annotations": {},
    "source_url": "",
}


def contributors_to_plain(contributors: Sequence[Contributor]) -> list[dict[str, object]]:
    """Return contributors as plain dicts, ready for JSON."""
    return [
        {"labels": dict(c.labels), "of": c.of, "amount": c.amount, "share_ratio": c.share_ratio} for c in contributors
    ]


def contributors_from_plain(plain: Sequence[Mapping[str, Any]]) -> tuple[Contributor, ...]:
    """Read the result of ``contributors_to_plain``, at most ``MAX_CONTRIBUTORS`` of it."""
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
