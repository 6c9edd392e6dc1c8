"""How each objective of a service stands: its budget over the period, and the burn rates of its windows."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from barograph_core.alerts.published_rules import PublishedRule, PublishedSlo, PublishedWindows
from barograph_core.events.kinds import KINDS
from barograph_core.objectives.budget import Objective
from barograph_core.objectives.event_test import EventTest, EventTestError, Passed
from barograph_core.objectives.ledger import ChangedPanes, Counted, Ledger, Reach, StoreNow, reach_of

log = logging.getLogger(__name__)
# Points of the line that shows how a budget was spent.
_POINTS: Final = 60
_NONE: Final = Passed()


@dataclass(frozen=True, slots=True)
class BurnStatus:
    """A pair of windows as they are now.

    Attributes:
        pair: What it alerts at.
        long_step_ms: Step of the panes that most of the long window is read from.
        short_step_ms: The same of the short one.
        long_rate: How fast the long window burns; ``None`` without events.
        short_rate: The same of the short one.
        short_events: Number of events in the short one.
        min_events: In the short window at least, to alert.
    """

    pair: PublishedWindows
    long_step_ms: int
    short_step_ms: int
    long_rate: float | None
    short_rate: float | None
    short_events: int
    min_events: int

    @property
    def is_burning(self) -> bool:
        """Say whether both windows burn so fast that the pair alerts."""
        rates = (self.long_rate, self.short_rate)
        is_fast = all(rate is not None and rate > self.pair.burn_rate for rate in rates)
        return is_fast and self.short_events >= self.min_events


@dataclass(frozen=True, slots=True)
class SloStatus:
    """An objective of one service, or of one label set of it.

    Attributes:
        rule: The rule that alerts on it.
        labels: Values of the labels in ``by``.
        spent: The events of the period.
        left: Share of the budget that is left; below 0 where more than all is spent.
        burn_rate: Of the shortest long window; ``None`` without events.
        exhausted_in_ms: How long the rest lasts at this rate; ``None``: for the period or longer.
        covered_from_ms: When the first event was that is counted; ``None`` when none is.
        covered_ms: How much of the period lies after it.
        step_ms: Step of the panes that most of the period is read from.
        end_ms: End of the period: how far the service is closed.
        burn_down: What was left after each of ``points`` equal parts of the period, oldest first; ``None`` before the
            first event.
    """

    rule: PublishedRule
    service: str
    labels: Mapping[str, str]
    objective: Objective
    spent: Passed
    left: float
    burn_rate: float | None
    exhausted_in_ms: int | None
    covered_from_ms: int | None
    covered_ms: int
    step_ms: int
    end_ms: int
    windows: tuple[BurnStatus, ...]
    burn_down: tuple[float | None, ...]


class ServiceObjectives:
    """The objectives of one service, counted as its panes close. For one thread at a time."""

    def __init__(self, service: str, rules: Sequence[PublishedRule]) -> None:
        """Begin to count.

        Args:
            service: Its name.
            rules: Those that watch it; the ones that were made of objectives count.
        """
        self.rules = tuple(rules)
        self._objectives = {rule.name: found for rule in rules if (found := _objective_of(rule)) is not None}
        own = [rule for rule in rules if rule.name in self._objectives]
        self._ledger = Ledger(
            service,
            {
                rule.name: Counted(
                    self._objectives[rule.name].good, rule.on, rule.by, {**rule.where, **rule.where_patterns}
                )
                for rule in own
            },
        )

    def read(self, source: ChangedPanes, store: StoreNow) -> list[SloStatus]:
        """Return how each objective stands, in the order of the rules, then of the labels.

        Raises:
            StreamUnavailableError: The server is gone.
        """
        reaches: dict[int, Reach] = {}
        for slo in self._slos():
            spans = [slo.period_ms, *(span for pair in slo.windows for span in (pair.long_ms, pair.short_ms))]
            reaches |= {span: reach_of(store, span) for span in spans if span not in reaches}
        self._ledger.read(source, [run for reach in reaches.values() for run in reach.runs])
        return [
            status
            for rule in self.rules
            if rule.slo is not None and rule.name in self._objectives
            for status in self._statuses(rule, rule.slo, reaches, store.closed_ms)
        ]

    def _slos(self) -> list[PublishedSlo]:
        return [rule.slo for rule in self.rules if rule.slo is not None and rule.name in self._objectives]

    def _statuses(
        self, rule: PublishedRule, slo: PublishedSlo, reaches: Mapping[int, Reach], end_ms: int
    ) -> list[SloStatus]:
        spans = {slo.period_ms, *(span for pair in slo.windows for span in (pair.long_ms, pair.short_ms))}
        totals = {span: self._ledger.total(rule.name, reaches[span].runs) for span in spans}
        sets = sorted({labels for counts in totals.values() for labels in counts})
        if not sets and not rule.by:
            sets = [()]
        first_ms = self._ledger.first_ms(rule.name, reaches[slo.period_ms].runs)
        lines = self._ledger.lines(rule.name, reaches[slo.period_ms].runs, end_ms - slo.period_ms, end_ms, _POINTS)
        objective = self._objectives[rule.name]
        return [
            self._status(rule, slo, objective, labels, totals, reaches, first_ms, end_ms, lines.get(labels, ()))
            for labels in sets
        ]

    def _status(
        self,
        rule: PublishedRule,
        slo: PublishedSlo,
        objective: Objective,
        labels: tuple[str, ...],
        totals: Mapping[int, Mapping[tuple[str, ...], Passed]],
        reaches: Mapping[int, Reach],
        first_ms: int | None,
        end_ms: int,
        line: Sequence[Passed | None],
    ) -> SloStatus:
        def rate(span_ms: int) -> float | None:
            return objective.burn_rate(totals[span_ms].get(labels, _NONE))

        spent = totals[slo.period_ms].get(labels, _NONE)
        left = objective.left(spent)
        burn_rate = rate(min(pair.long_ms for pair in slo.windows)) if slo.windows else None
        return SloStatus(
            rule=rule,
            service=self._ledger.service,
            labels=dict(zip(rule.by, labels, strict=True)),
            objective=objective,
            spent=spent,
            left=left,
            burn_rate=burn_rate,
            exhausted_in_ms=objective.exhausted_in_ms(left, burn_rate),
            covered_from_ms=first_ms,
            covered_ms=0 if first_ms is None else min(slo.period_ms, end_ms - first_ms),
            step_ms=reaches[slo.period_ms].step_ms,
            end_ms=end_ms,
            windows=tuple(
                BurnStatus(
                    pair,
                    reaches[pair.long_ms].step_ms,
                    reaches[pair.short_ms].step_ms,
                    rate(pair.long_ms),
                    rate(pair.short_ms),
                    totals[pair.short_ms].get(labels, _NONE).total,
                    slo.min_events,
                )
                for pair in slo.windows
            ),
            burn_down=_burn_down(objective, spent, line),
        )


def _objective_of(rule: PublishedRule) -> Objective | None:
    """Return the objective of a rule; ``None`` if it has none, or a test that only a newer version knows."""
    if rule.slo is None or rule.on not in KINDS:
        return None
    try:
        good = EventTest.parse(rule.slo.good, KINDS[rule.on])
    except EventTestError as error:
        log.warning("slo.unreadable", extra={"slo": rule.name, "reason": str(error)})
        return None
    return Objective(good, rule.slo.objective, rule.slo.period_ms)


def _burn_down(objective: Objective, spent: Passed, line: Sequence[Passed | None]) -> tuple[float | None, ...]:
    """Return what was left of the budget of all events of the period after each part of it."""
    budget = spent.total * objective.allowed
    return tuple(
        None if so_far is None or not budget else 1 - (so_far.total - so_far.passed) / budget for so_far in line
    )
