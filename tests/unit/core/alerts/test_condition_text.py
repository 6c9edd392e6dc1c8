"""Conditions as people read them, with their values."""

from dataclasses import replace

import pytest

from barograph_core.alerts.condition_text import condition_text, leading_value, recovery_text
from barograph_core.alerts.published_rules import PublishedSlo, PublishedWindows
from barograph_core.alerts.record import Severity
from tests.unit.console.rules.test_bounds import ERRORS, of


@pytest.mark.parametrize(
    ("when", "quantity", "expected"),
    [
        ("count >= 20 and error_rate > 0.05", "error_rate", "count >= 20 and error_rate 0.131 > 0.05 over 10s"),
        ("500 < duration_ms.p95", "duration_ms.p95", "500 < duration_ms.p95 0.131 over 10s"),
        (
            "duration_ms.p99 > 1 or duration_ms.p9 > 1",
            "duration_ms.p9",
            "duration_ms.p99 > 1 or duration_ms.p9 0.131 > 1 over 10s",
        ),
        ("status[503] > 1", "status[503]", "status[503] 0.131 > 1 over 10s"),
        (r"a\1 > 1", "error_rate", r"a\1 > 1 over 10s"),
    ],
)
def test_a_condition_is_told_with_its_value(when: str, quantity: str, expected: str) -> None:
    """Right behind what it is the value of."""
    rule = replace(of(quantity, 1.0), when=when)
    assert condition_text(rule, {quantity: 0.131}).replace("10 s", "10s") == expected


def test_without_a_value_the_condition_is_told_as_it_is() -> None:
    """Data may be missing, and what is compared may be composed."""
    assert condition_text(ERRORS, {}).startswith("count >= 20 and error_rate > 0.05 over 10")
    assert condition_text(ERRORS, leading_value(replace(ERRORS, fires=()), 7.0)) == condition_text(ERRORS, {})


def test_an_objective_is_told_as_a_burn_rate() -> None:
    """Nobody reads six comparisons of two windows each; the alert's value is the share of bad events."""
    windows = (
        PublishedWindows(Severity.CRITICAL, 14.4, 3_600_000, 300_000),
        PublishedWindows(Severity.WARNING, 1.0, 259_200_000, 21_600_000),
    )
    rule = replace(ERRORS, fires=(), slo=PublishedSlo("errors == 0", 0.999, 2_592_000_000, 20, windows))
    limits = "> 14.4 over 1h and 5m, or > 1 over 3d and 6h"
    assert condition_text(rule, {}) == f"burn rate of what 'errors == 0' allows {limits}"
    told = condition_text(rule, leading_value(rule, 0.0152))
    assert told == f"burn rate 15.2 of what 'errors == 0' allows {limits}"
    assert recovery_text(rule) == "no pair of windows burns so fast any more"
    assert recovery_text(replace(ERRORS, resolve_when="count < 3")) == "count < 3"


def test_every_value_of_a_condition_is_told() -> None:
    """Each once, at its first mention; a whole number of thousands has no exponent."""
    rule = replace(ERRORS, when="error_rate > 0.05 and count >= 20 or count > 50 and duration_ms.count > 1")
    values = {"count": 11_734.0, "error_rate": 0.1314, "duration_ms.count": 7.0}
    assert condition_text(rule, values).startswith(
        "error_rate 0.131 > 0.05 and count 11734 >= 20 or count > 50 and duration_ms.count 7 > 1 over 10"
    )
