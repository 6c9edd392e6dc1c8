"""The demo's configuration."""

from dataclasses import replace
from pathlib import Path

from barograph_alerter.rules.defaults import default_rules, effective_rules
from barograph_alerter.rules.reading import parse_rules
from barograph_cli.demo.config import SERVICE, demo_config
from barograph_cli.manage.check import find_all_problems
from barograph_core.settings.config_file import parse_config

CONFIG = parse_config(demo_config("http://127.0.0.1:9/alerts"), Path("barograph.toml"))


def test_it_has_no_mistakes() -> None:
    assert find_all_problems(CONFIG, {}) == []


def test_it_shows_objectives_of_its_service() -> None:
    """Errors and durations, within what its panes keep."""
    slos = [rule for rule in effective_rules(CONFIG, [], with_defaults=False) if rule.slo is not None]
    assert [(rule.name, str(rule.slo.objective.good)) for rule in slos if rule.slo] == [
        ("availability", "errors == 0"),
        ("speed", "duration_ms < 500"),
    ]
    assert all(rule.applies_to(SERVICE) for rule in slos)


def test_its_one_rule_is_the_shipped_one_but_for_its_periods() -> None:
    """The demo shows the rules that ship; only the wait for the recovery is cut."""
    (rule,) = parse_rules(CONFIG, [])
    shipped = next(shipped for shipped in default_rules() if shipped.name == rule.name)
    assert (rule.window_ms, shipped.window_ms) == (10_000, 300_000)
    assert (rule.no_data_for_ms, shipped.no_data_for_ms) == (3_000, 300_000)
    rule = replace(rule, window_ms=shipped.window_ms, no_data_for_ms=shipped.no_data_for_ms)
    assert replace(rule, summary=shipped.summary) == shipped
