"""Which alerts hold back which others."""

from pathlib import Path

import pytest

from barograph_core.errors import Problem
from barograph_core.settings.config_file import parse_config
from barograph_notifier.muting.inhibition import DEFAULT_INHIBITIONS, FiringAlert, Inhibition, inhibitor_of
from barograph_notifier.muting.reading import parse_inhibitions


def alert(
    alert_id: str, severity: str = "warning", service: str = "ranker", rule: str = "slow", **labels: str
) -> FiringAlert:
    names = {"rule": rule, **labels, "alertname": rule, "service": service, "severity": severity}
    return FiringAlert(alert_id, names, labels)


def parse(text: str) -> tuple[tuple[Inhibition, ...], list[str]]:
    problems: list[Problem] = []
    found = parse_inhibitions(parse_config(text, Path("barograph.toml")), problems)
    return found, [str(problem) for problem in problems]


def rule_of(text: str) -> tuple[Inhibition, ...]:
    found, problems = parse(f"[[inhibit]]\n{text}")
    assert problems == []
    return found


def test_by_default_a_critical_alert_holds_back_what_is_less_severe_about_the_same() -> None:
    cause = alert("c", "critical", rule="down", route="/a")
    for severity in ("info", "warning", "error"):
        assert inhibitor_of(alert("t", severity, route="/a"), DEFAULT_INHIBITIONS, [cause]) == cause


@pytest.mark.parametrize(
    "target",
    [
        alert("t", "critical", route="/a"),
        alert("t", route="/b"),
        alert("t"),
        alert("t", route="/a", team="ml"),
        alert("t", service="shop", route="/a"),
    ],
    ids=["severity", "other label", "no label", "more labels", "service"],
)
def test_it_holds_nothing_else_back(target: FiringAlert) -> None:
    assert inhibitor_of(target, DEFAULT_INHIBITIONS, [alert("c", "critical", route="/a")]) is None


def test_what_must_be_equal_is_asked_by_name() -> None:
    """A label that both lack is equal; one that a single one has is not."""
    rules = rule_of('source = { rule = "down" }\ntarget = { rule = "slow" }\nequal = ["service", "region"]')
    down = alert("c", rule="down", region="eu", host="a")
    assert inhibitor_of(alert("t", region="eu", host="b"), rules, [down]) == down
    assert inhibitor_of(alert("t", region="us"), rules, [down]) is None
    assert inhibitor_of(alert("t"), rules, [down]) is None
    bare = alert("c", rule="down")
    assert inhibitor_of(alert("t"), rules, [bare]) == bare


def test_without_equal_names_any_source_holds_back_any_target() -> None:
    """Also of another service."""
    rules = rule_of('source = { rule = "datacenter-down" }\ntarget = { severity = ["info", "warning"] }')
    cause = alert("c", rule="datacenter-down", service="infra")
    assert inhibitor_of(alert("t", service="shop"), rules, [cause]) == cause
    assert not rules[0].is_within_service


def test_no_alert_holds_itself_back() -> None:
    rules = rule_of('source = { rule = "slow" }\ntarget = { rule = "slow" }')
    assert inhibitor_of(alert("t"), rules, [alert("t")]) is None


def test_two_alerts_on_both_sides_do_not_hold_each_other_back() -> None:
    """Otherwise nobody would be told of either."""
    rules = rule_of('source = { rule = "~down|slow" }\ntarget = { rule = "~down|slow|late" }')
    both, other = alert("a", rule="down"), alert("b", rule="slow")
    assert inhibitor_of(both, rules, [other]) is None
    assert inhibitor_of(other, rules, [both]) is None
    assert inhibitor_of(alert("t", rule="late"), rules, [both]) == both


def test_an_alert_on_both_sides_is_held_back_by_one_that_is_a_source_only() -> None:
    rules = rule_of('source = { rule = "~down|slow" }\ntarget = { rule = "slow" }')
    down = alert("c", rule="down")
    assert inhibitor_of(alert("t", rule="slow"), rules, [down]) == down


def test_the_order_of_alerts_and_rules_does_not_matter() -> None:
    rules = rule_of('source = { rule = "down" }\ntarget = { rule = "slow" }') + DEFAULT_INHIBITIONS
    firing = [alert("x", "info"), alert("c", "critical", service="shop"), alert("d", rule="down", service="shop")]
    target = alert("t")
    for some_rules in (rules, rules[::-1]):
        for alerts in (firing, firing[::-1]):
            assert inhibitor_of(target, some_rules, alerts) == firing[2]


def test_a_configuration_without_inhibitions_has_the_default() -> None:
    assert parse("") == (DEFAULT_INHIBITIONS, [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('target = { rule = "a" }', "source"),
        ('source = { rule = "a" }', "target"),
        ('source = { rule = "~(" }\ntarget = { rule = "a" }', "rule '~(' is no regular expression"),
        ('source = { rule = "a" }\ntarget = { rule = "b" }\nequals = ["service"]', "did you mean 'equal'"),
        ('source = { rule = "a" }\ntarget = { rule = "b" }\nequal = "service"', "a list of texts"),
    ],
)
def test_every_mistake_is_named_with_its_line(text: str, expected: str) -> None:
    found, problems = parse(f"[[inhibit]]\n{text}")
    assert found == ()
    assert len(problems) == 1
    assert expected in problems[0]
    assert "barograph.toml:" in problems[0]
