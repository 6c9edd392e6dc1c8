"""Routes choose by severity, service, rule and labels; the first that matches ends the search."""

import pytest

from barograph_core.alerts import Severity
from barograph_notifier.routing import Route, channels_of
from tests.unit.notifier.samples import transition


@pytest.mark.parametrize(
    ("route", "is_match"),
    [
        (Route(channels=("c",)), True),
        (Route(channels=("c",), min_severity=Severity.ERROR), True),
        (Route(channels=("c",), min_severity=Severity.CRITICAL), False),
        (Route(channels=("c",), services=("other", "rank*")), True),
        (Route(channels=("c",), services=("other",)), False),
        (Route(channels=("c",), rules=("high-*",)), True),
        (Route(channels=("c",), rules=("HIGH-*",)), False),
        (Route(channels=("c",), labels={"route": "/predict"}), True),
        (Route(channels=("c",), labels={"route": "/predict", "method": "GET"}), False),
        (Route(channels=("c",), labels={"method": ""}), True),
        (Route(channels=("c",), services=("ranker",), rules=("nope",)), False),
    ],
)
def test_a_route_matches_when_all_its_conditions_do(route: Route, *, is_match: bool) -> None:
    """What is not given matches everything; a label the alert lacks is empty text."""
    assert route.matches(transition()) is is_match


def test_the_first_match_ends_the_search() -> None:
    """Later routes are for what no earlier one wanted."""
    routes = [Route(channels=("a",)), Route(channels=("b",))]
    assert channels_of(routes, transition()) == {"a"}


def test_a_route_may_hand_on() -> None:
    """``continue = true`` looks further, and a route that does not match changes nothing."""
    routes = [
        Route(channels=("a",), continues=True),
        Route(channels=("never",), services=("other",)),
        Route(channels=("b", "c"), continues=True),
        Route(channels=("a",)),
        Route(channels=("late",)),
    ]
    assert channels_of(routes, transition()) == {"a", "b", "c"}


def test_an_alert_that_no_route_wants_goes_nowhere() -> None:
    assert channels_of([Route(channels=("a",), rules=("other",))], transition()) == frozenset()
