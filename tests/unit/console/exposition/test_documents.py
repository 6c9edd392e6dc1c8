"""The dashboard and the rules in docs/ ask only for what `/metrics` exposes, in expressions that Prometheus takes."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from barograph_console.exposition import minute_samples, routes
from barograph_console.slos import samples as slo_samples
from barograph_core.pipeline import samples
from barograph_core.pipeline.samples import Family
from tests.unit.console.exposition.test_routes import promtool

DOCS = Path(__file__).parents[4] / "docs"
DASHBOARD, RULES = DOCS / "grafana-dashboard.json", DOCS / "prometheus-rules.yml"
METRIC = re.compile(r"\bbarograph_\w+")


def exposed() -> set[str]:
    """Return the name of every family."""
    names: set[str] = set()
    for module in (samples, minute_samples, slo_samples, routes):
        for value in vars(module).values():
            members = list(cast("dict[str, object]", value).values()) if isinstance(value, dict) else [value]
            names |= {member.name for member in members if isinstance(member, Family)}
    return names


def expressions(node: object) -> Iterator[str]:
    """Yield the expressions of the dashboard's panels and variables."""
    if isinstance(node, dict):
        for name, value in cast("dict[str, object]", node).items():
            if name in ("expr", "query") and isinstance(value, str) and "barograph_" in value:
                yield value
            else:
                yield from expressions(value)
    elif isinstance(node, list):
        for one in cast("list[object]", node):
            yield from expressions(one)


DASHBOARD_EXPRESSIONS = list(expressions(json.loads(DASHBOARD.read_text())))


def test_the_dashboard_shows_each_kind_of_figure() -> None:
    """A list that is empty would let the tests below pass for nothing."""
    used = set(METRIC.findall(" ".join(DASHBOARD_EXPRESSIONS)))
    assert {family.name for family in vars(minute_samples).values() if isinstance(family, Family)} <= used
    assert len(DASHBOARD_EXPRESSIONS) >= 15


def test_the_dashboard_asks_only_for_what_there_is() -> None:
    assert set(METRIC.findall(" ".join(DASHBOARD_EXPRESSIONS))) - exposed() == set()


def test_the_rules_ask_only_for_what_there_is() -> None:
    used = set(METRIC.findall(RULES.read_text()))
    assert len(used) >= 8
    assert used - exposed() == set()


def test_prometheus_takes_the_rules() -> None:
    done = subprocess.run([promtool(), "check", "rules", str(RULES)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    """Each as the rule it could be, with the variables filled in."""
    panels = [text for text in DASHBOARD_EXPRESSIONS if not text.startswith("label_values(")]
    rules = [
        {"record": f"panel:{number}", "expr": text.replace("$service", "ranker")} for number, text in enumerate(panels)
    ]
    path = tmp_path / "rules.yml"
    # JSON is YAML.
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = subprocess.run([promtool(), "check", "rules", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", [DASHBOARD, RULES])
def test_no_machine_is_named(path: Path) -> None:
    assert not re.search(r"https?://|localhost|\d+\.\d+\.\d+\.\d+", path.read_text())
