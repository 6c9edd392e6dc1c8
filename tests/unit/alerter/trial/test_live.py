"""What rules find among the series there are."""

from dataclasses import replace
from pathlib import Path

import pytest

from barograph_alerter.rules.defaults import effective_rules
from barograph_alerter.rules.rule import Rule
from barograph_alerter.trial.live import Found, find
from barograph_alerter.trial.recording import Recorded, Recording, Region
from barograph_alerter.trial.sweep import SweepError, threshold_of
from barograph_core.errors import Problem
from barograph_core.panes.pane import Pane
from barograph_core.settings.config_file import parse_config
from tests.unit.alerter.build import NOW, requests, rule_of

BEGIN = NOW - NOW % 60_000
PANES = [
    Recorded(BEGIN, 1_000, Pane.merge([requests(ok=5, route="/a"), requests(ok=1, errors=9, route="/predict")])),
    Recorded(BEGIN - 600_000, 1_000, requests(ok=5, route="/old")),
]
RECORDING = Recording("shop", reversed(PANES), [Region(1_000, BEGIN - 900_000, BEGIN + 5_000)])
NO_SERIES = "no series with route"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"by": '["route"]'}, (1, 2, 1, 0, "")),
        ({}, (1, 1, 1, 0, "")),
        ({"where": '{ route = "/a" }'}, (1, 1, 0, 0, "")),
        (
            {"where": '{ route = "/predct" }'},
            (1, 0, 0, 0, f"{NO_SERIES} \"/predct\"; did you mean '/predict'?"),
        ),
        (
            {"where": '{ route = "~/p.*x" }'},
            (1, 0, 0, 0, f'{NO_SERIES} "~/p.*x"; known are /a, /old, /predict'),
        ),
        ({"where": '{ route = "/old" }'}, (1, 0, 0, 0, "no event in its window")),
        ({"services": '["other"]'}, (0, 0, 0, 0, "no service there is one of its services")),
        ({"for_": '"5m"'}, (1, 1, 1, 0, "")),
    ],
)
def test_a_rule_finds_its_series_or_a_reason_why_not(
    keys: dict[str, str], expected: tuple[int, int, int, int, str]
) -> None:
    """A misspelt value would look like calm."""
    found = find(rule_of("errors > 3", window='"1m"', **keys), [RECORDING])
    assert (found.services, found.label_sets, found.breaches, found.without_data, found.note) == expected


def slo_rule(keys: str) -> Rule:
    problems: list[Problem] = []
    text = f'[[slo]]\nname = "o"\nservice = "shop"\ngood = "errors == 0"\nobjective = 0.9\n{keys}'
    (rule,) = effective_rules(parse_config(text, Path("b.toml")), problems, with_defaults=False)
    assert problems == []
    return rule


def test_an_objective_is_judged_now_and_not_at_its_next_moment() -> None:
    """It is judged every ten seconds, and the newest pane ends in between."""
    pair = 'windows = [{ burn_rate = 2, long = "2m", short = "1m" }]\nmin_events = 5\n'
    rule = slo_rule(pair)
    assert RECORDING.regions[0].to_ms % 10_000
    found = find(replace(rule, every_ms=10_000), [RECORDING])
    assert (found.label_sets, found.breaches, found.without_data) == (1, 1, 0)


def test_an_objective_has_no_threshold_to_sweep() -> None:
    """Its windows are what one tries."""
    with pytest.raises(SweepError, match="is made of an objective: try other 'windows'"):
        threshold_of(slo_rule('windows = [{ burn_rate = 2, long = "2m", short = "1m" }]\n'))


def test_a_kind_without_events_is_named() -> None:
    found = find(rule_of("absolute_error.avg > 3", on="model"), [RECORDING])
    assert found == Found("r", 1, 0, 0, 0, "no model event within the last hour")
