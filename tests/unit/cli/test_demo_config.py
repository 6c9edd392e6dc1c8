"""The demo's configuration."""

from dataclasses import replace
from pathlib import Path

from barograph_alerter.defaults import default_rules
from barograph_alerter.rule_parser import parse_rules
from barograph_cli.check import find_all_problems
from barograph_cli.demo.config import demo_config
from barograph_core.settings import parse_config

CONFIG = parse_config(demo_config("http://127.0.0.1:9/alerts"), Path("barograph.toml"))


def test_it_has_no_mistakes() -> None:
    assert find_all_problems(CONFIG, {}) == []


def test_its_one_rule_is_the_shipped_one_but_for_the_window() -> None:
    """The demo shows the rules that ship; only the wait for the recovery is cut."""
    (rule,) = parse_rules(CONFIG, [])
    shipped = next(shipped for shipped in default_rules() if shipped.name == rule.name)
    assert (rule.window_ms, shipped.window_ms) == (15_000, 300_000)
    assert replace(rule, window_ms=shipped.window_ms, summary=shipped.summary) == shipped
