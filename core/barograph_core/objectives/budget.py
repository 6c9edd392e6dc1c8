"""The budget of an objective: how fast it burns, what is left of it, and when it is gone.

An objective of 0.999 over 30 days allows one event of a thousand to be bad: that is its budget. A burn rate of 1
spends it in exactly the period, one of 14.4 in 50 hours (Beyer et al., The Site Reliability Workbook, chapter 5).
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from barograph_core.objectives.event_test import EventTest, Passed
from barograph_core.text.ages import format_age
from barograph_core.text.durations import format_duration

_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Objective:
    """Which share of the events of a period is to be good.

    Attributes:
        good: The test that good events pass.
        target: The share, more than 0 and less than 1.
        period_ms: The period, which ends now: it slides.
    """

    good: EventTest
    target: float
    period_ms: int

    @property
    def allowed(self) -> float:
        """Return the share of events that may be bad; exact in decimals, as people count: 0.001 of 0.999."""
        return float(1 - Decimal(repr(self.target)))

    @property
    def highest_burn_rate(self) -> float:
        """Return the burn rate when all events are bad."""
        return float(1 / (1 - Decimal(repr(self.target))))

    def bad_share(self, burn_rate: float) -> float:
        """Return the share of bad events at which the budget burns at ``burn_rate``."""
        return float(Decimal(repr(burn_rate)) * (1 - Decimal(repr(self.target))))

    def burn_rate(self, counted: Passed) -> float | None:
        """Return how many times faster the budget burns than the period allows; ``None`` without events."""
        if not counted.total:
            return None
        return (counted.total - counted.passed) / counted.total / self.allowed

    def left(self, counted: Passed) -> float:
        """Return the share of the budget that is left: 1 when nothing is spent, below 0 when more than all is.

        Args:
            counted: The events of the period. Of none, nothing is spent.
        """
        return 1 - (self.burn_rate(counted) or 0.0)

    def exhausted_in_ms(self, left: float, burn_rate: float | None) -> int | None:
        """Return how long the rest of the budget lasts at ``burn_rate``: 0 when it is spent.

        Nothing of what is spent is taken to leave the sliding period meanwhile, and as many events to come as lately.
        ``None`` when it lasts for the period or longer.
        """
        if left <= 0:
            return 0
        if not burn_rate:
            return None
        lasts_ms = round(left * self.period_ms / burn_rate)
        return lasts_ms if lasts_ms < self.period_ms else None


def budget_text(objective: Objective, left: float | None, burn_rate: float | None) -> str:
    """Return what is left of the budget, and for how long, to follow a colon.

    Args:
        objective: Whose budget.
        left: The share of it that is left; ``None``: not known.
        burn_rate: How fast it burns; ``None``: it does not.
    """
    period = period_text(objective.period_ms)
    if left is None:
        return f"what is left of the budget for {period} is not known"
    lasts_ms = objective.exhausted_in_ms(left, burn_rate)
    if lasts_ms == 0:
        over = f" and {percent_text(-left)} over" if left <= -0.005 else ""
        return f"the budget for {period} is spent{over}"
    rest = f"{percent_text(left)} of the budget for {period} is left"
    if lasts_ms is None:
        return f"{rest}, enough for as long again at this rate"
    return f"{rest}, gone in {format_age(lasts_ms)} at this rate"


def percent_text(share: float) -> str:
    """Return ``64.3 %``."""
    return f"{share * 100:.3g} %" if abs(share) < 10 else f"{share * 100:.0f} %"


def period_text(period_ms: int) -> str:
    """Return ``30 days``, ``1 day`` or ``6h``."""
    if period_ms % _DAY_MS:
        return format_duration(period_ms)
    days = period_ms // _DAY_MS
    return "1 day" if days == 1 else f"{days} days"
