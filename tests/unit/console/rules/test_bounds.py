"""Where rules set bounds: on which charts, on which measures of processes, and in the words about an alert."""

from dataclasses import replace
from typing import Any

import pytest

from barograph_console.rows.requests import Endpoint
from barograph_console.rules.bounds import Threshold, system_limits, thresholds_of
from barograph_core.alerts.published_rules import Bound, PublishedRule
from barograph_core.alerts.record import Severity

ERRORS = PublishedRule(
    name="errors",
    on="request",
    severity=Severity.ERROR,
    window_ms=10_000,
    when="count >= 20 and error_rate > 0.05",
    fires=(Bound("count", ">=", 20.0), Bound("error_rate", ">", 0.05, "ratio", is_leading=True)),
)
PREDICT = Endpoint("POST", "/predict")


def of(quantity: str, threshold: float, operator: str = ">", **facts: Any) -> PublishedRule:
    bound = Bound(quantity, operator, threshold, is_leading=True)
    return replace(ERRORS, fires=(bound,), **facts)


def test_a_rule_of_the_whole_service_is_a_line_without_its_guard() -> None:
    """Twenty requests in ten seconds are no bound that anybody wants to see."""
    assert thresholds_of([ERRORS], None) == [Threshold("error_ratio", 0.05, "errors", is_above=True)]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (of("duration_ms.p95", 500.0), [("p95_ms", 500.0, True)]),
        (of("count", 5.0, "<"), [("requests", 30.0, False)]),
        (of("rate", 2.0), [("requests", 120.0, True)]),
        (of("duration_ms.avg", 5.0), []),
        (of("error_rate", 0.0, "=="), []),
        (of("count", 5.0, on="model"), []),
    ],
)
def test_a_bound_is_shown_in_the_unit_of_its_chart(rule: PublishedRule, expected: list[object]) -> None:
    """Requests are drawn by the minute, whatever the window."""
    assert [(one.figure, one.value, one.is_above) for one in thresholds_of([rule], None)] == expected


@pytest.mark.parametrize(
    ("facts", "on_service", "on_endpoint"),
    [
        ({}, 1, 0),
        ({"by": ("route",)}, 0, 1),
        ({"by": ("route", "method")}, 0, 1),
        ({"where": {"route": "/predict"}}, 0, 1),
        ({"where": {"route": "/other"}}, 0, 0),
        ({"by": ("route", "version")}, 0, 0),
    ],
)
def test_a_rule_is_a_line_where_its_alerts_are_about_what_is_drawn(
    facts: dict[str, Any], on_service: int, on_endpoint: int
) -> None:
    """A bound on each route is none on all of them together."""
    rule = of("error_rate", 0.05, **facts)
    assert len(thresholds_of([rule], None)) == on_service
    assert len(thresholds_of([rule], PREDICT)) == on_endpoint


def test_processes_and_hosts_have_the_lowest_limit_of_their_scope() -> None:
    """A rule without a scope is about both; one of a single instance, or for values that fall, sets none."""
    rules = [
        of("memory_mb.avg", 1_000.0, on="system", where={"scope": "process"}),
        of("memory_mb.max", 900.0, on="system", where={"scope": "process"}),
        of("cpu_percent.avg", 80.0, on="system"),
        of("cpu_percent.avg", 5.0, "<", on="system"),
        of("threads.avg", 9.0, on="system", where={"instance": "api-1"}),
        of("memory_mb.avg", 1.0),
    ]
    assert system_limits(rules) == {"process": {"memory_mb": 900.0, "cpu_percent": 80.0}, "host": {"cpu_percent": 80.0}}
