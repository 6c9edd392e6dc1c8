"""Which alerts share a message on a channel, and when such a group is due. Pure."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from barograph_core.alerts.record import AlertState, Severity
from barograph_core.alerts.transition import Transition

# What every alert has besides its labels. Not the severity: it may rise while the alert fires.
OWN_NAMES: Final = ("service", "rule")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """How a channel groups and repeats.

    Attributes:
        by: Names of labels, ``service`` or ``rule``: alerts with equal values share a message. Empty for all of the
            channel; ``None`` for a message for each alert.
        wait_ms: How long the first alert of a group waits for more.
        interval_ms: Shortest time between two messages about a group.
        repeat_ms: How long an alert of a severity fires before it is told again; none for a severity left out.
    """

    by: tuple[str, ...] | None = None
    wait_ms: int = 0
    interval_ms: int = 0
    repeat_ms: Mapping[Severity, int] = field(default_factory=dict[Severity, int])

    @property
    def is_plain(self) -> bool:
        """Say whether each alert is due by itself and never repeated."""
        return self.by is None and not self.repeat_ms

    def group_of(self, transition: Transition) -> str:
        """Return the name of the group: that of the alert, or of 17 characters, which no alert has."""
        if self.by is None:
            return transition.alert_id
        own = {"service": transition.service, "rule": transition.rule}
        return group_name({name: own.get(name) or transition.labels.get(name, "") for name in self.by})

    def pace_of(self, transition: Transition) -> tuple[int, int]:
        """Return wait and interval for ``transition``: a critical firing waits for neither."""
        if transition.after is AlertState.FIRING and transition.severity is Severity.CRITICAL:
            return 0, 0
        return self.wait_ms, self.interval_ms

    def repeat_of(self, transition: Transition) -> int | None:
        """Return in how many ms a firing that was delivered now is told again, ``None`` for never."""
        return self.repeat_ms.get(transition.severity)


PLAIN: Final = Grouping()


def group_name(values: Mapping[str, str]) -> str:
    """Return the name of the group of alerts with these values."""
    text = json.dumps(sorted(values.items()), ensure_ascii=False)
    return f"g{hashlib.sha256(text.encode()).hexdigest()[:16]}"
