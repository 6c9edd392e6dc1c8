"""Which channels hear of an alert."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from barograph_core.alerts import Severity
from barograph_core.transitions import Transition


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One ``[[route]]``. What is not given matches everything; services, rules and labels are shell patterns.

    Attributes:
        min_severity: Matches this and worse.
        services: Matches any of these; empty matches all.
        rules: Matches any of these; empty matches all.
        labels: Every one must match; a label the alert lacks counts as empty text.
        channels: Where to.
        continues: Whether later routes are looked at too.
    """

    min_severity: Severity = Severity.INFO
    services: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    channels: tuple[str, ...]
    continues: bool = False

    def matches(self, transition: Transition) -> bool:
        """Say whether the alert of ``transition`` goes this way."""
        return (
            transition.severity.rank >= self.min_severity.rank
            and _matches_any(transition.service, self.services)
            and _matches_any(transition.rule, self.rules)
            and all(fnmatchcase(transition.labels.get(name, ""), pattern) for name, pattern in self.labels.items())
        )


def _matches_any(text: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatchcase(text, pattern) for pattern in patterns)


def channels_of(routes: Sequence[Route], transition: Transition) -> frozenset[str]:
    """Return the channels of the first route that matches, and of those after it while each continues."""
    chosen: set[str] = set()
    for route in routes:
        if route.matches(transition):
            chosen.update(route.channels)
            if not route.continues:
                break
    return frozenset(chosen)
