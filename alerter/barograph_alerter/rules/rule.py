"""Rules as values, read from the ``[[rule]]`` tables of the configuration file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Final, Literal, get_args

from barograph_alerter.conditions.condition import Condition
from barograph_alerter.conditions.row import Look, Row, RowOfWindows, SeriesRow, Sibling
from barograph_alerter.conditions.screen import Screen
from barograph_alerter.rules.slo.slo import Slo
from barograph_alerter.rules.summary import SummaryTemplate
from barograph_core.alerts.flapping.flaps import DEFAULT_FLAPPING, Flapping
from barograph_core.alerts.record import Severity
from barograph_core.alerts.scope import is_about
from barograph_core.events.kinds import Kind
from barograph_core.matching.matcher import Matcher

NoData = Literal["keep", "resolve", "alert"]
Expect = Literal["", "seen", "listed"]
Late = Literal["fire", "ignore"]
LATE: Final[tuple[Late, ...]] = get_args(Late)
FireOn = Literal["auto", "closed", "provisional"]
NO_DATA: Final[tuple[NoData, ...]] = get_args(NoData)
FIRE_ON: Final[tuple[FireOn, ...]] = get_args(FireOn)


def fixed_values(where: Mapping[str, str | Matcher]) -> dict[str, str]:
    """Return the labels of which ``where`` leaves one value; the empty one is the absence of a label."""
    return {name: value for name, value in where.items() if isinstance(value, str) and value}


# Name of the alerts about alerts that a rule's limit refused; no rule may have it.
RULE_OVERFLOW: Final = "rule_overflow"


@dataclass(frozen=True, slots=True)
class Level:
    """One of several severities of a rule.

    Attributes:
        when: Condition of this severity.
        for_ms: How long it must have held; reached means due.
    """

    severity: Severity
    when: Condition
    for_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What to look at, when to alert and how to describe it.

    Attributes:
        on: The kind of events.
        by: Label names; one alert for each set of their values. Empty: one for the whole service.
        where: Only series with these label values, or with values that the matcher means.
        window_ms: Span of event time the condition looks at.
        when: Condition of the breach.
        resolve_when: Condition of the recovery; ``None``: the breach has ended.
        for_ms: How long the breach must have lasted; reached means fired.
        keep_firing_for_ms: How long recovery must have lasted.
        cooldown_ms: How long a delivered notification mutes the next firing of the same alert.
        levels: The severities that its alerts move between, ascending; empty: they have ``severity``. With levels,
            ``when`` is that any of them holds, and ``severity`` is that of the lowest.
        max_alerts: Limit of its alerts on one service; 0: none. Those that there are stay.
        flapping: When its alerts count as flapping; ``None``: never.
        no_data: Reaction to data that has been missing for ``no_data_for_ms``.
        stale_after_ms: How long the data of a label set must have been missing until its alert ends; 0: never.
        fire_on: Whether panes that are still open may make it fire. ``auto``: where what may
            still come cannot take the breach back.
        services: Names of services (``shop-*``); ``None`` means every service but the pipeline's own.
        unsigned: The measures of its kind that are never negative.
        labels: Stand on its alerts in addition, for routes: ``{team = "ml"}``.
        late: Whether moments that were judged already fire when late events revise their panes.
        expect: Which label sets are expected, and judged without data too: ``seen``: those that had data within
            ``expect_for_ms``; ``listed``: those of ``listed``.
        listed: Values of label sets, in the order of ``by``.
        every_ms: It is judged at the moments that are multiples of this; 0: at all.
        slo: The objective that it was made of.
        new_series_delay_ms: How long after its first data within ``expect_for_ms`` a label set may begin to alert.
        windows: Those that its conditions look at, first the one whose series are judged. Built once, because every
            evaluation asks for them.
        siblings: The other series that its conditions ask for.
        screen: Of ``when``: which rows can be in breach.
        looks: Every window that it looks at: those, the ones that show which label sets are expected and new, and the
            period of its objective.
    """

    name: str
    on: Kind
    by: tuple[str, ...] = ()
    where: Mapping[str, str | Matcher] = field(default_factory=dict[str, str | Matcher])
    window_ms: int
    when: Condition
    resolve_when: Condition | None = None
    for_ms: int = 0
    keep_firing_for_ms: int = 0
    cooldown_ms: int = 300_000
    severity: Severity = Severity.WARNING
    levels: tuple[Level, ...] = ()
    max_alerts: int = 0
    flapping: Flapping | None = DEFAULT_FLAPPING
    no_data: NoData = "keep"
    no_data_for_ms: int = 300_000
    stale_after_ms: int = 86_400_000
    fire_on: FireOn = "auto"
    summary: SummaryTemplate
    runbook: str = ""
    services: Matcher | None = None
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    late: Late = "fire"
    expect: Expect = ""
    expect_for_ms: int = 3_600_000
    listed: tuple[tuple[str, ...], ...] = ()
    new_series_delay_ms: int = 0
    every_ms: int = 0
    slo: Slo | None = None
    windows: tuple[Look, ...] = field(init=False)
    siblings: tuple[Sibling, ...] = field(init=False)
    looks: tuple[Look, ...] = field(init=False)
    unsigned: frozenset[str] = field(init=False)
    screen: Screen = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        window = Look(self.window_ms)
        conditions = [self.when] if self.resolve_when is None else [self.when, self.resolve_when]
        further = frozenset(chain.from_iterable(one.looks() for one in conditions)) - {window}
        object.__setattr__(self, "windows", (window, *sorted(further)))
        siblings = frozenset(chain.from_iterable(one.siblings() for one in conditions))
        object.__setattr__(self, "siblings", tuple(sorted(siblings)))
        spent = None if self.slo is None else self.slo.look
        shows = [look for look in (self.expected, self.established, spent) if look is not None]
        object.__setattr__(self, "looks", (*self.windows, *shows))
        unsigned = frozenset(measure.name for measure in self.on.measures if not measure.is_signed)
        object.__setattr__(self, "unsigned", unsigned)
        object.__setattr__(self, "screen", Screen([self.when.truth]))

    @property
    def fixed_labels(self) -> Mapping[str, str]:
        """Return the labels that all its alerts have: its own, and those of which ``where`` leaves one value."""
        return {**self.labels, **fixed_values(self.where)}

    @property
    def highest_severity(self) -> Severity:
        """Return the most severe that its alerts can be."""
        return self.levels[-1].severity if self.levels else self.severity

    def condition_of(self, severity: Severity) -> Condition:
        """Return the condition that an alert of this severity is about."""
        return next((level.when for level in self.levels if level.severity is severity), self.when)

    @property
    def expected(self) -> Look | None:
        """Return the window in which a label set must have had data to be expected; ``None``: none is."""
        return Look(self.expect_for_ms) if self.expect == "seen" and self.by else None

    @property
    def established(self) -> Look | None:
        """Return the window in which a label set must have had data to be no new one; ``None``: none is new."""
        return Look(self.expect_for_ms, self.new_series_delay_ms) if self.new_series_delay_ms else None

    @property
    def is_provisional(self) -> bool:
        """Say whether panes that are still open may make it fire."""
        return self.fire_on != "closed"

    @property
    def fires_on_silence(self) -> bool:
        """Say whether a service without events can be in breach of it."""
        return self.no_data == "alert" or self.breach_in(self.empty_row()) is True

    @property
    def looks_elsewhere(self) -> bool:
        """Say whether its conditions ask for more than the judged series in the rule's own window."""
        return len(self.windows) > 1 or bool(self.siblings)

    def empty_row(self) -> SeriesRow:
        """Return the row of a series that has no events in any window."""
        own = SeriesRow.empty(self.window_ms)
        if not self.looks_elsewhere:
            return own
        rows = {look: SeriesRow.empty(look.span_ms) for look in self.windows[1:]}
        return RowOfWindows(own, rows, dict.fromkeys(self.siblings, own))

    def breach_in(self, row: Row) -> bool | None:
        """Say whether ``when`` holds; ``None`` if data is missing.

        With ``no_data = "alert"``, a guard such as ``count >= 20`` that fails does not hide that data is missing.
        """
        truth = self.when.truth.value(row)
        if truth is False and self.no_data == "alert" and self.when.value_and_threshold(row)[0] is None:
            return None
        return truth

    def applies_to(self, service: str) -> bool:
        return is_about(service, self.services, self.where)
