"""Inhibition: an alert that fires holds back others that it explains. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from barograph_core.alerts.record import Severity
from barograph_core.matching.matcher import Matcher, match_all

# In ``equal``: all labels of the alerts.
ALL_LABELS: Final = "*"


@dataclass(frozen=True, slots=True)
class FiringAlert:
    """An alert that fires, as matchers see it.

    Attributes:
        names: Its labels, and ``alertname``, ``rule``, ``service`` and ``severity``.
        labels: Its labels alone.
    """

    alert_id: str
    names: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Inhibition:
    """One ``[[inhibit]]``: while an alert that ``source`` means fires, those that ``target`` means are held back.

    Attributes:
        source: Matchers by name.
        target: Matchers by name.
        equal: Names whose values must be equal in both; ``*`` stands for all labels. A label that both lack is equal.
    """

    source: Mapping[str, Matcher]
    target: Mapping[str, Matcher]
    equal: tuple[str, ...] = ()

    @property
    def is_within_service(self) -> bool:
        """Say whether only alerts of the target's own service can hold it back."""
        return "service" in self.equal

    def means_source(self, alert: FiringAlert) -> bool:
        return match_all(self.source, alert.names)

    def means_target(self, alert: FiringAlert) -> bool:
        return match_all(self.target, alert.names)

    def are_equal(self, one: FiringAlert, other: FiringAlert) -> bool:
        """Say whether both have the same value of each name that counts."""
        return all(
            one.labels == other.labels if name == ALL_LABELS else one.names.get(name, "") == other.names.get(name, "")
            for name in self.equal
        )


# A critical alert explains what is less severe about the same labels of the same service.
DEFAULT_INHIBITIONS: Final = (
    Inhibition(
        source={"severity": Matcher.parse(Severity.CRITICAL.value)},
        target={"severity": Matcher.parse(f"!{Severity.CRITICAL.value}")},
        equal=("service", ALL_LABELS),
    ),
)


def inhibitor_of(
    target: FiringAlert, inhibitions: Sequence[Inhibition], firing: Iterable[FiringAlert]
) -> FiringAlert | None:
    """Return the alert that holds ``target`` back, ``None`` if none does.

    As in Alertmanager, an alert that is on both sides of a rule is held back by none that is on both sides too: neither
    by itself, nor two by each other.
    """
    asked = [one for one in inhibitions if one.means_target(target)]
    if not asked:
        return None
    are_both = [one.means_source(target) for one in asked]
    for alert in firing:
        if alert.alert_id == target.alert_id:
            continue
        for one, is_both in zip(asked, are_both, strict=True):
            if one.means_source(alert) and one.are_equal(alert, target) and not (is_both and one.means_target(alert)):
                return alert
    return None
