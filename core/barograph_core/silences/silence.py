"""What a silence is: which alerts it mutes, from when to when, who asks for it and why. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

from barograph_core.alerts.record import AlertRecord, Severity, alertname_of, is_pushed_rule, json_text
from barograph_core.alerts.transition import Transition
from barograph_core.errors import MalformedEventError
from barograph_core.matching.label_matcher import LabelMatcher, match_every
from barograph_core.matching.matcher import MatcherError
from barograph_core.text.foreign_json import load_foreign_json

SilenceState = Literal["pending", "active", "expired"]
EndReason = Literal["expired", "resolved", "by_hand", "replaced"]
RULE_LABEL: Final = "alertname"
MOST_MATCHERS: Final = 20
MAX_COMMENT: Final = 1_000
# A matcher that takes all of these on a label that every alert has narrows nothing.
_NAMES: Final = ("a", "Z9", "-._", "zz top", "é")
_ALWAYS_THERE: Final = {
    RULE_LABEL: _NAMES,
    "rule": _NAMES,
    "service": _NAMES,
    "severity": tuple(severity.value for severity in Severity),
}


class SilenceError(ValueError):
    """A silence cannot be meant so.

    Attributes:
        where: The part that is wrong: ``matchers``, ``ends``, ``comment``, ``actor``.
    """

    def __init__(self, where: str, message: str) -> None:
        self.where = where
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Mutes the alerts that all of its matchers mean. Times are wall time.

    Attributes:
        silence_id: A UUID.
        starts_ms: Its begin.
        ends_ms: Its end; ``None``: until nothing that it mutes is pending or firing.
        actor: Who asks for it.
        comment: Why.
        changed_ms: When it was written last.
        ended_ms: When it ended; ``None`` before that is written.
        end_reason: Why it ended; empty before.
        ended_by: Who ended it; empty when it ended by itself.
    """

    silence_id: str
    matchers: tuple[LabelMatcher, ...]
    starts_ms: int
    ends_ms: int | None
    actor: str
    comment: str
    changed_ms: int
    ended_ms: int | None = None
    end_reason: EndReason | Literal[""] = ""
    ended_by: str = ""

    def state_at(self, now_ms: int) -> SilenceState:
        if self.ended_ms is not None or (self.ends_ms is not None and self.ends_ms <= now_ms):
            return "expired"
        return "pending" if now_ms < self.starts_ms else "active"

    def mutes(self, labels: Mapping[str, str]) -> bool:
        """Say whether it means the alert with these labels (``labels_of``), whatever the time."""
        return match_every(self.matchers, labels)

    def to_json(self) -> str:
        """Return JSON text, deterministic: equal silences give equal text."""
        document: dict[str, object] = {name: getattr(self, name) for name in _FIELDS}
        document["matchers"] = matchers_to_plain(self.matchers)
        return json_text(document)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read the text of ``to_json``. Unknown keys are ignored, so that a newer version can add some.

        Raises:
            MalformedEventError: It is no silence.
        """
        try:
            document = load_foreign_json(text)
            known = {name: document[name] for name in _FIELDS if name in document}
            known["matchers"] = matchers_from_plain(known["matchers"])
            for name in ("starts_ms", "ends_ms", "changed_ms", "ended_ms"):
                known[name] = None if known.get(name) is None else int(known[name])
            return cls(**known)
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise MalformedEventError(f"not a silence: {exc}") from exc


_FIELDS: Final = tuple(Silence.__dataclass_fields__)


def matchers_to_plain(matchers: Sequence[LabelMatcher]) -> list[dict[str, object]]:
    """Return matchers as Alertmanager writes them, ready for JSON."""
    return [
        {"name": one.name, "value": one.value, "isRegex": one.is_regex, "isEqual": one.is_equal} for one in matchers
    ]


def matchers_from_plain(plain: Sequence[Mapping[str, Any]]) -> tuple[LabelMatcher, ...]:
    """Read the result of ``matchers_to_plain``.

    Raises:
        ValueError: A regular expression is none.
        KeyError: Something is missing.
    """
    return tuple(
        LabelMatcher(
            str(one["name"]), str(one["value"]), bool(one.get("isRegex", False)), bool(one.get("isEqual", True))
        )
        for one in plain
    )


def labels_of(alert: AlertRecord | Transition) -> dict[str, str]:
    """Return what matchers see of an alert: its labels, and rule, service and severity under names of their own."""
    own = {RULE_LABEL: alertname_of(alert.rule), "service": alert.service}
    severity = {"severity": alert.severity.value}
    if is_pushed_rule(alert.rule):
        # Another program may have severities of its own, and its tools name them in silences.
        return {"rule": alert.rule, **severity, **alert.labels, **own}
    return {"rule": alert.rule, **alert.labels, **own, **severity}


def parse_matchers(texts: Sequence[str]) -> tuple[LabelMatcher, ...]:
    """Read matchers as people write them: ``route=/predict``, ``alertname=~"high-.*"``.

    Raises:
        SilenceError: One cannot be read.
    """
    try:
        return tuple(LabelMatcher.parse(text) for text in texts)
    except MatcherError as error:
        raise SilenceError("matchers", str(error)) from error


def check_silence(silence: Silence, now_ms: int) -> None:
    """Refuse a silence that cannot be meant.

    Raises:
        SilenceError: It says what is wrong.
    """
    if not 0 < len(silence.matchers) <= MOST_MATCHERS:
        raise SilenceError("matchers", f"has 1 to {MOST_MATCHERS} matchers")
    if not any(map(_narrows, silence.matchers)):
        raise SilenceError(
            "matchers", "would mute every alert: give at least one that a label must match, such as service=ranker"
        )
    if silence.ends_ms is not None and silence.ends_ms <= max(silence.starts_ms, now_ms):
        raise SilenceError("ends", "lies in the past, or not after the start")
    if len(silence.comment) > MAX_COMMENT:
        raise SilenceError("comment", f"has at most {MAX_COMMENT:,} characters")
    if not silence.actor:
        raise SilenceError("actor", "say who asks for it")


def _narrows(matcher: LabelMatcher) -> bool:
    """Say whether some alert is certainly not meant, as far as that can be told."""
    if matcher.matches({}):
        return False
    probes = _ALWAYS_THERE.get(matcher.name)
    return probes is None or not all(matcher.matches({matcher.name: probe}) for probe in probes)
