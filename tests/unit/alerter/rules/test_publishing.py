"""What is published of a rule: its texts, and the bounds that its conditions set."""

import pytest

from barograph_alerter.rules.defaults import default_rules
from barograph_alerter.rules.publishing import published_rules
from barograph_core.alerts.published_rules import Bound, PublishedRules
from barograph_core.alerts.record import Severity
from barograph_core.matching.matcher import Matcher
from tests.unit.alerter.build import rule_of


def bounds(when: str, on: str = "request") -> list[tuple[str, str, float, str, bool]]:
    (rule,) = published_rules([rule_of(when, on)], 1).rules
    return [(one.quantity, one.operator, one.threshold, one.unit, one.is_leading) for one in rule.fires]


def test_the_rules_that_ship_survive_the_way_over_the_server() -> None:
    """All of what the console shows of them."""
    published = published_rules(default_rules(), 5)
    assert PublishedRules.from_json(published.to_json()) == published
    rule = published.find("high-error-rate")
    assert rule is not None
    assert (rule.on, rule.window_ms, rule.severity) == ("request", 10_000, Severity.CRITICAL)
    assert rule.fires == (Bound("error_rate", ">", 0.05, "ratio", is_leading=True), Bound("count", ">=", 20.0))
    assert rule.clears == (Bound("error_rate", "<", 0.03, "ratio", is_leading=True),)
    assert (rule.when, rule.resolve_when) == ("error_rate > 0.05 and count >= 20", "error_rate < 0.03")
    memory = published.find("high-memory")
    assert memory is not None
    assert (memory.by, memory.where, memory.leading) == (
        ("instance",),
        {"scope": "process"},
        Bound("memory_mb.avg", ">", 1_000.0, "mb", is_leading=True),
    )


def test_every_key_of_a_rule_is_published() -> None:
    """Under the name that it has in the configuration."""
    keys = {
        "services": '["shop-*"]',
        "by": '["route"]',
        "where": '{ method = "POST", region = "!~eu-.*" }',
        "window": '"30s"',
    }
    keys |= {"for_": '"5s"', "keep_firing_for": '"7s"', "cooldown": '"1m"', "no_data": '"alert"'}
    keys |= {"expect": '"seen"', "expect_for": '"2h"', "stale_after": '"3d"', "no_data_for": '"9s"'}
    keys |= {"fire_on": '"closed"', "late": '"ignore"', "labels": '{ team = "ml" }'}
    keys |= {"severity": '"error"', "summary": '"{{ errors }} failed"', "runbook": '"https://example.org"'}
    (rule,) = published_rules([rule_of("errors > 3", resolve_when='"errors < 1"', **keys)], 1).rules
    assert (rule.services, rule.by, rule.where) == (("shop-*",), ("route",), {"method": "POST"})
    assert rule.where_patterns == {"region": Matcher.parse("!~eu-.*")}
    assert (rule.window_ms, rule.for_ms, rule.keep_firing_for_ms, rule.cooldown_ms) == (30_000, 5_000, 7_000, 60_000)
    assert (rule.expect, rule.expect_for_ms, rule.stale_after_ms, rule.no_data_for_ms, rule.fire_on, rule.labels) == (
        "seen",
        7_200_000,
        259_200_000,
        9_000,
        "closed",
        {"team": "ml"},
    )
    assert rule.late == "ignore"
    assert (rule.no_data, rule.severity, rule.summary, rule.runbook) == (
        "alert",
        Severity.ERROR,
        "{{ errors }} failed",
        "https://example.org",
    )


@pytest.mark.parametrize(
    ("when", "on", "expected"),
    [
        ("500 < duration_ms.p95", "request", [("duration_ms.p95", ">", 500.0, "ms", True)]),
        ("count > 3", "request", [("count", ">", 3.0, "", True)]),
        ("rate <= -1", "request", [("rate", "<=", -1.0, "per_s", True)]),
        ("status[503] >= 2", "request", [("status[503]", ">=", 2.0, "", True)]),
        ("duration_ms.count > 2", "request", [("duration_ms.count", ">", 2.0, "", True)]),
        ("cpu_percent.max > 90", "system", [("cpu_percent.max", ">", 90.0, "percent", True)]),
        ("disk_read_mb_per_s.avg > 9", "system", [("disk_read_mb_per_s.avg", ">", 9.0, "mb_per_s", True)]),
        (
            "error_rate > 0.1 or duration_ms.p99 > 900",
            "request",
            [("error_rate", ">", 0.1, "ratio", True), ("duration_ms.p99", ">", 900.0, "ms", False)],
        ),
    ],
)
def test_a_comparison_with_a_constant_is_a_bound(
    when: str, on: str, expected: list[tuple[str, str, float, str, bool]]
) -> None:
    """The quantity on the left, whichever side the rule has it on."""
    assert bounds(when, on) == expected


@pytest.mark.parametrize("when", ["not error_rate < 0.1", "errors / count > 0.1", "errors > count", "2 * errors > 9"])
def test_what_is_no_bound_of_a_quantity_is_left_out(when: str) -> None:
    """A line in a chart would be wrong: within a ``not`` it means the opposite."""
    assert bounds(when) == []


def test_matchers_survive_publishing() -> None:
    """Consoles read them as they stand in the configuration."""
    written = {"route": '["/a", "/b*"]', "method": '"!GET"', "région": '"~eu-.*"', "tier": '""'}
    where = "{ " + ", ".join(f'"{name}" = {value}' for name, value in written.items()) + " }"
    published = published_rules([rule_of(where=where)], 1)
    (rule,) = PublishedRules.from_json(published.to_json()).rules
    assert rule == published.rules[0]
    assert rule.where == {"tier": ""}
    assert {name: matcher.source for name, matcher in rule.where_patterns.items()} == {
        "route": ["/a", "/b*"],
        "method": "!GET",
        "région": "~eu-.*",
    }
