"""Rules as values, read from the ``[[rule]]`` tables of the configuration file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final, Literal, get_args

from barograph_alerter.conditions import Condition
from barograph_alerter.expression import Quantity, Row
from barograph_alerter.templates import SummaryTemplate
from barograph_core.alerts import Severity
from barograph_core.events import Kind

NoData = Literal["keep", "resolve", "alert"]
FireOn = Literal["auto", "closed", "provisional"]
NO_DATA: Final[tuple[NoData, ...]] = get_args(NoData)
FIRE_ON: Final[tuple[FireOn, ...]] = get_args(FireOn)


class _NoEvents:
    """The row of a series without events."""

    def number(self, quantity: Quantity) -> float | None:
        is_count = quantity.statistic == "count" or (not quantity.statistic and quantity.name != "error_rate")
        return 0.0 if is_count else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What to look at, when to alert and how to speak of it.

    Attributes:
        on: The kind of events.
        by: Label names; one alert for each set of their values. Empty: one for the whole service.
        where: Only series with these label values.
        window_ms: Span of event time the condition looks at.
        when: The breach.
        resolve_when: The recovery, where it is more than the end of the breach.
        for_ms: How long the breach must have lasted; reached means fired.
        keep_firing_for_ms: How long recovery must have lasted.
        cooldown_ms: How long a delivered notification mutes the next firing of the same alert.
        no_data: What to do when the condition has lacked data for ``no_data_for_ms``.
        fire_on: Whether panes that are still open may make it fire. ``auto``: where more events cannot
            take the breach back.
        services: Patterns of service names (``shop-*``); empty means every service.
    """

    name: str
    on: Kind
    by: tuple[str, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict[str, str])
    window_ms: int
    when: Condition
    resolve_when: Condition | None = None
    for_ms: int = 0
    keep_firing_for_ms: int = 0
    cooldown_ms: int = 300_000
    severity: Severity = Severity.WARNING
    no_data: NoData = "keep"
    no_data_for_ms: int = 300_000
    fire_on: FireOn = "auto"
    summary: SummaryTemplate
    runbook: str = ""
    services: tuple[str, ...] = ()

    @property
    def is_provisional(self) -> bool:
        """Say whether panes that are still open may make it fire."""
        return self.fire_on == "provisional" or (self.fire_on == "auto" and self.when.can_only_become_true)

    @property
    def speaks_of_silence(self) -> bool:
        """Say whether a service without events can be in breach of it."""
        breach = self.breach_in(_NoEvents())
        return breach is True or (breach is None and self.no_data == "alert")

    def breach_in(self, row: Row) -> bool | None:
        """Say whether ``when`` holds; ``None`` for want of data.

        Where the lack of data is to alert, a guard such as ``count >= 20`` does not make a plain no of it.
        """
        truth = self.when.holds(row)
        if truth is False and self.no_data == "alert" and self.when.value_and_threshold(row)[0] is None:
            return None
        return truth

    def applies_to(self, service: str) -> bool:
        return not self.services or any(fnmatchcase(service, pattern) for pattern in self.services)
