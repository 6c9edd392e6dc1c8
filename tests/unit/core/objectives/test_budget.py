"""Burn rates, what is left of a budget, and when it is gone: figures as people reckon them."""

import pytest

from barograph_core.events.kinds import KINDS
from barograph_core.objectives.budget import Objective, budget_text
from barograph_core.objectives.event_test import EventTest, Passed

DAY_MS = 86_400_000
ERRORS = EventTest.parse("errors == 0", KINDS["request"])
MONTH = Objective(ERRORS, 0.999, 30 * DAY_MS)


@pytest.mark.parametrize(("target", "allowed"), [(0.999, 0.001), (0.9995, 0.0005), (0.99, 0.01), (0.95, 0.05)])
def test_the_allowed_share_is_exact_in_decimals(target: float, allowed: float) -> None:
    """1 - 0.999 is 0.001 for people, and not 0.0010000000000000009."""
    assert Objective(ERRORS, target, DAY_MS).allowed == allowed
    assert MONTH.bad_share(14.4) == 0.0144
    assert MONTH.highest_burn_rate == 1000.0


def test_a_burn_rate_is_the_bad_share_by_what_is_allowed() -> None:
    """144 bad ones of 10,000 burn at 14.4; without events nothing burns."""
    assert MONTH.burn_rate(Passed(9_856, 10_000)) == pytest.approx(14.4)
    assert MONTH.burn_rate(Passed()) is None
    assert MONTH.left(Passed()) == 1.0
    assert MONTH.left(Passed(9_996, 10_000)) == pytest.approx(0.6)
    assert MONTH.left(Passed(9_970, 10_000)) == pytest.approx(-2.0)


@pytest.mark.parametrize(
    ("left", "burn_rate", "hours"),
    [(1.0, 14.4, 50.0), (0.5, 14.4, 25.0), (1.0, 1.0, None), (0.5, 1.0, 360.0), (0.9, 0.0, None), (0.9, None, None)],
)
def test_the_rest_lasts_as_long_as_it_takes_to_burn(left: float, burn_rate: float | None, hours: float | None) -> None:
    """A whole budget of 30 days at 14.4 lasts 50 hours, as in the workbook; longer than the period is no end."""
    lasts_ms = MONTH.exhausted_in_ms(left, burn_rate)
    assert lasts_ms == (None if hours is None else hours * 3_600_000)
    assert MONTH.exhausted_in_ms(0.0, burn_rate) == MONTH.exhausted_in_ms(-1.0, burn_rate) == 0


@pytest.mark.parametrize(
    ("left", "burn_rate", "text"),
    [
        (1.0, 14.1, "100 % of the budget for 30 days is left, gone in 2 d 3 h at this rate"),
        (0.643, 2.0, "64.3 % of the budget for 30 days is left, gone in 9 d 15 h at this rate"),
        (0.643, 0.2, "64.3 % of the budget for 30 days is left, enough for as long again at this rate"),
        (0.0, 3.0, "the budget for 30 days is spent"),
        (-0.12, 3.0, "the budget for 30 days is spent and 12 % over"),
        (-23.5, 3.0, "the budget for 30 days is spent and 2350 % over"),
        (None, 3.0, "what is left of the budget for 30 days is not known"),
    ],
)
def test_an_alert_says_in_words_what_is_left(left: float | None, burn_rate: float, text: str) -> None:
    """Who is paged need not reckon."""
    assert budget_text(MONTH, left, burn_rate) == text


def test_a_short_period_is_named_as_it_is_written() -> None:
    """Days as a number of them, anything else as a duration."""
    assert "for 1 day is" in budget_text(Objective(ERRORS, 0.9, DAY_MS), 0.5, 0.1)
    assert "for 6h is" in budget_text(Objective(ERRORS, 0.9, DAY_MS // 4), 0.5, 0.1)
