"""One route: which alerts it takes, at which times, and why it does not take one. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from barograph_core.alerts.record import Severity
from barograph_core.matching.matcher import Matcher
from barograph_notifier.routing.times import Times


class RoutedAlert(Protocol):
    """What routes look at. A transition of an alert has it."""

    @property
    def rule(self) -> str: ...
    @property
    def service(self) -> str: ...
    @property
    def severity(self) -> Severity: ...
    @property
    def labels(self) -> Mapping[str, str]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One ``[[route]]``. A key that is not given matches everything.

    Attributes:
        number: Its place in the file, from 1 on.
        name: By which others refine it; may be empty.
        under: The route that this one refines: it takes only what that one would.
        min_severity: Lowest severity that matches.
        services: Which services match.
        rules: Which rules match.
        labels: What matches by label, all of which must; a label that the alert lacks counts as empty text.
        channels: Names of the channels that get the alert.
        continues: Whether later routes are tried too.
        is_otherwise: Whether it is tried only for what no other route takes.
        active: Times of which one must hold; empty: always.
        mute: Times in which its channels are held back.
    """

    number: int = 1
    name: str = ""
    under: "Route | None" = None
    min_severity: Severity = Severity.INFO
    services: Matcher | None = None
    rules: Matcher | None = None
    labels: Mapping[str, Matcher] = field(default_factory=dict[str, Matcher])
    channels: tuple[str, ...]
    continues: bool = False
    is_otherwise: bool = False
    active: tuple[Times, ...] = ()
    mute: tuple[Times, ...] = ()

    def why_not(self, alert: RoutedAlert) -> str:
        """Return why the route does not take ``alert`` at any time; empty if it does."""
        if self.under and (reason := self.under.why_not(alert)):
            return f"is under {self.under.name!r}: {reason}"
        if alert.severity.rank < self.min_severity.rank:
            return f"severity {alert.severity.value} is below {self.min_severity.value}"
        if self.services and not self.services.matches(alert.service):
            return f'service "{alert.service}" is not {self.services}'
        if self.rules and not self.rules.matches(alert.rule):
            return f'rule "{alert.rule}" is not {self.rules}'
        for name, matcher in self.labels.items():
            value = alert.labels.get(name, "")
            if not matcher.matches(value):
                return f'label {name} = "{value}" is not {matcher}'
        return ""

    @property
    def active_chain(self) -> tuple[tuple[Times, ...], ...]:
        """Return the times of which one each must hold: its own, and those of the routes that it refines."""
        above = self.under.active_chain if self.under else ()
        return (*above, self.active) if self.active else above
