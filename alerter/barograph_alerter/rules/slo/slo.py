"""An objective with the windows over which the burning of its budget alerts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

from barograph_alerter.conditions.row import Look
from barograph_core.alerts.record import Severity
from barograph_core.objectives.budget import Objective, budget_text, period_text
from barograph_core.objectives.ledger import kept_span_ms
from barograph_core.panes.summary import SeriesSummary
from barograph_core.steps import Step

_HOUR_MS: Final = 3_600_000
_MINUTE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class BurnWindows:
    """A pair of windows that alert together: the long one says that it matters, the short one that it goes on.

    Attributes:
        burn_rate: Both must burn faster than this.
    """

    severity: Severity
    burn_rate: float
    long_ms: int
    short_ms: int


def default_windows(page: Severity, ticket: Severity) -> tuple[BurnWindows, ...]:
    """Return the pairs of the Site Reliability Workbook, chapter 5: of 30 days' budget they take 2, 5 and 10 %."""
    return (
        BurnWindows(page, 14.4, _HOUR_MS, 5 * _MINUTE_MS),
        BurnWindows(page, 6.0, 6 * _HOUR_MS, 30 * _MINUTE_MS),
        BurnWindows(ticket, 1.0, 72 * _HOUR_MS, 6 * _HOUR_MS),
    )


@dataclass(frozen=True, slots=True)
class Slo:
    """What a rule that was made of an objective knows of it.

    Attributes:
        windows: The pairs that alert.
        min_events: In a short window at least, for its pair to alert.
        kept_ms: How much of the period panes are kept for.
    """

    objective: Objective
    windows: tuple[BurnWindows, ...]
    min_events: int
    kept_ms: int

    @property
    def look(self) -> Look:
        """Return the window whose events have spent the budget."""
        return Look(self.kept_ms)

    def within(self, steps: Sequence[Step]) -> Self:
        """Return it with the part of its period that is kept."""
        return replace(self, kept_ms=kept_span_ms(self.objective.period_ms, steps))

    def facts(self, spent: SeriesSummary | None, bad_share: float | None) -> dict[str, object]:
        """Return names and values for a summary.

        Args:
            spent: The events of the period; ``None`` where they are not known.
            bad_share: Share of bad events in the window that alerts.
        """
        objective = self.objective
        burn_rate = None if bad_share is None else bad_share / objective.allowed
        left = None if spent is None else objective.left(objective.good.count(spent))
        return {
            **self._constants,
            "burn_rate": burn_rate,
            "budget_left": left,
            "budget": budget_text(objective, left, burn_rate),
        }

    def sample_facts(self) -> dict[str, object]:
        """Return the names of a summary with values that it may have."""
        return {**self._constants, "burn_rate": 14.4, "budget_left": 0.5, "budget": "50 % of the budget is left"}

    @property
    def _constants(self) -> Mapping[str, object]:
        objective = self.objective
        return {
            "good": str(objective.good),
            "objective": objective.target,
            "period": period_text(objective.period_ms),
        }
