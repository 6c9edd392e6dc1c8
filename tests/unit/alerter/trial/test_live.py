"""What rules find among the series there are."""

import pytest

from barograph_alerter.trial.live import Found, find
from barograph_alerter.trial.recording import Recorded, Recording, Region
from barograph_core.panes.pane import Pane
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


def test_a_kind_without_events_is_named() -> None:
    found = find(rule_of("absolute_error.avg > 3", on="model"), [RECORDING])
    assert found == Found("r", 1, 0, 0, 0, "no model event within the last hour")
