"""What rules and routes say of each other."""

from pathlib import Path

import pytest

from barograph_cli.manage.lint import lint_routes
from barograph_core.settings.config_file import parse_config

_BASE = """
[[channel]]
name = "hook"
type = "console"
[[times]]
name = "office"
[[times]]
name = "night"
[[rule]]
name = "errors"
on = "request"
by = ["route"]
when = "errors > 5"
labels = { team = "ml" }
"""


def lint(routes: str) -> list[str]:
    config = parse_config(routes + _BASE, Path("barograph.toml"))
    return [f"{problem.key}: {problem.message}" for problem in lint_routes(config)]


def route(lines: str) -> str:
    return f'[[route]]\n{lines}\nchannels = ["hook"]\n'


ALL = route("")
NAMED = route('name = "ml"\nlabels = { team = "ml" }')


@pytest.mark.parametrize(
    "routes",
    [
        ALL,
        route('active = ["office"]') + ALL,
        route('services = "a*"') + route('services = ["a", "b"]') + ALL,
        route('min_severity = "critical"') + ALL,
        route("continue = true") + ALL,
        route('labels = { route = "/x" }') + route('labels = { team = "ml" }') + ALL,
        route('labels = { route = "" }') + ALL,
        # Absent is what no alert has, and may be meant.
        route('labels = { region = "!eu" }') + ALL,
        NAMED + route('under = "ml"\nmin_severity = "critical"') + ALL,
        route('services = "a"') + route("otherwise = true"),
        route('active = ["office"]') + route('active = ["office", "night"]'),
    ],
)
def test_routes_that_can_be_meant_are_left_alone(routes: str) -> None:
    """No false alarm."""
    assert lint(routes) == []


@pytest.mark.parametrize(
    ("routes", "words"),
    [
        (ALL + route('services = "a"'), "route[2].channels: route[1] takes all of this first: put this one before it"),
        (route('services = "a*"') + route('services = "ab"') + ALL, "route[2].channels: route[1] takes all of this"),
        (route('rules = "~e.*"') + route('rules = "errors"') + ALL, "route[2].channels: route[1] takes all of this"),
        (
            route('active = ["office", "night"]') + route('active = ["night"]') + ALL,
            "route[2].channels: route[1] takes all of this first",
        ),
        (NAMED + route('under = "ml"') + ALL, "route[1].channels: route[2] takes all of this first: narrow that one"),
        (
            NAMED + route('under = "ml"\nservices = "a"') + route('under = "ml"\nservices = "a"') + ALL,
            "route[3].channels: route[2] takes all of this first",
        ),
        (route("continue = true") + route("otherwise = true"), "route[2].otherwise: route[1] takes all of this"),
        (route('rules = "!erors"'), "route[1].rules: there is no rule 'erors'; did you mean 'errors'?"),
        (
            route('labels = { taem = "ml" }') + ALL,
            "route[1].labels: the alerts of no rule have a label 'taem'; did you mean 'team'?",
        ),
        (route('min_severity = "critical"'), "rule[1].name: no route takes 'errors' (warning)"),
        (route('labels = { team = "~x.*" }'), "rule[1].name: no route takes 'errors' (warning)"),
    ],
)
def test_what_has_no_effect_is_named_with_the_mend(routes: str, words: str) -> None:
    (message,) = lint(routes)
    assert message.startswith(words)
