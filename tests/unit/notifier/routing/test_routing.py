"""Routes choose by severity, service, rule, label and time; the first that matches ends the search."""

from dataclasses import replace
from pathlib import Path

import pytest

from barograph_alerter.rules.defaults import pipeline_rules
from barograph_core.alerts.record import Severity
from barograph_core.alerts.transition import Transition
from barograph_core.errors import Problem
from barograph_core.settings.config_file import parse_config
from barograph_core.text.timestamps import iso_ms
from barograph_notifier.routing.failing import CHANNEL_LABEL, DELIVERY_FAILING
from barograph_notifier.routing.reading import parse_routes
from barograph_notifier.routing.routing import Routing
from tests.unit.notifier.samples import transition

_CHANNELS = "".join(f'[[channel]]\nname = "{name}"\ntype = "console"\n' for name in ("a", "b", "c", "d"))
_TIMES = """
[[times]]
name = "office"
days = ["mon:fri"]
from = "09:00"
to = "17:00"
[[times]]
name = "night"
from = "22:00"
to = "06:00"
[[times]]
name = "always"
"""
_NOON, _EVENING, _MIDNIGHT = (iso_ms(f"2026-03-04T{hour}:00:00Z") for hour in ("12", "20", "23"))


def read(text: str) -> tuple[Routing, list[str]]:
    problems: list[Problem] = []
    routing = parse_routes(parse_config(f"{text}\n{_CHANNELS}{_TIMES}", Path("barograph.toml")), problems)
    return routing, [str(problem) for problem in problems]


def routing_of(text: str) -> Routing:
    routing, problems = read(text)
    assert problems == []
    return routing


def channels(text: str, alert: Transition | None = None, at_ms: int = _NOON) -> str:
    """Return the names of the channels that may send at once."""
    due = routing_of(text).channels_of(alert or transition(), at_ms)
    return "".join(sorted(name for name, from_ms in due.items() if from_ms == at_ms))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", ""),
        ('min_severity = "error"', ""),
        ('min_severity = "critical"', "severity error is below critical"),
        ('services = ["other", "rank*"]', ""),
        ('services = "!rank*"', 'service "ranker" is not not "rank*"'),
        ('services = ["other", "x"]', 'service "ranker" is not "other" or "x"'),
        ('rules = "~high-.*"', ""),
        ('rules = "HIGH-*"', 'rule "high-error-rate" is not "HIGH-*"'),
        ('labels = { route = "/predict" }', ""),
        ('labels = { route = "/predict", method = "GET" }', 'label method = "" is not "GET"'),
        ('labels = { method = "" }', ""),
        ('labels = { method = "!~GET|POST" }', ""),
    ],
)
def test_a_route_says_why_it_does_not_take_an_alert(line: str, reason: str) -> None:
    """What is not given matches everything; a label that the alert lacks is empty text."""
    (trial,) = routing_of(f'[[route]]\nchannels = ["a"]\n{line}\n').trials(transition(), _NOON)
    assert (trial.verdict, trial.reason) == ("does not match" if reason else "takes", reason)


def test_the_first_match_ends_the_search_unless_it_continues() -> None:
    """Later routes are for what no earlier one wanted."""
    assert channels('[[route]]\nchannels = ["a"]\n[[route]]\nchannels = ["b"]') == "a"
    handed_on = """
[[route]]
channels = ["a"]
continue = true
[[route]]
services = "other"
channels = ["d"]
[[route]]
channels = ["b"]
[[route]]
channels = ["c"]
"""
    assert channels(handed_on) == "ab"
    trials = routing_of(handed_on).trials(transition(), _NOON)
    assert [(trial.route.number, trial.verdict) for trial in trials] == [
        (1, "takes"),
        (2, "does not match"),
        (3, "takes"),
        (4, "not tried"),
    ]
    assert trials[3].reason == "route 3 takes it"


_TREE = """
[[route]]
name = "ml"
services = "rank*"
channels = ["a"]
[[route]]
under = "ml"
name = "paged"
min_severity = "error"
channels = ["b"]
[[route]]
under = "paged"
rules = "high-*"
channels = ["c"]
[[route]]
channels = ["d"]
"""


@pytest.mark.parametrize(
    ("severity", "service", "rule", "taken"),
    [
        (Severity.INFO, "ranker", "high-error-rate", "a"),
        (Severity.ERROR, "ranker", "slow", "b"),
        (Severity.ERROR, "ranker", "high-error-rate", "c"),
        (Severity.ERROR, "other", "high-error-rate", "d"),
    ],
)
def test_a_route_under_another_takes_a_part_of_what_that_would(
    severity: Severity, service: str, rule: str, taken: str
) -> None:
    """It is tried before, wherever it stands in the file, and takes nothing else."""
    assert channels(_TREE, transition(severity=severity, service=service, rule=rule)) == taken


def test_a_refinement_without_channels_has_those_of_its_route() -> None:
    """So that it can say when they are held back."""
    text = (
        '[[route]]\nname = "ml"\nchannels = ["a"]\n[[route]]\nunder = "ml"\nmin_severity = "error"\nmute = ["night"]\n'
    )
    due = routing_of(text).channels_of(transition(), _MIDNIGHT)
    assert due == {"a": iso_ms("2026-03-05T06:00:00Z")}


def test_otherwise_is_for_what_no_route_takes() -> None:
    """Wherever it stands in the file."""
    text = """
[[route]]
otherwise = true
channels = ["d"]
[[route]]
services = "other"
channels = ["a"]
continue = true
"""
    assert channels(text) == "d"
    assert channels(text, transition(service="other")) == "a"


def test_a_route_that_is_not_active_leaves_the_alert_to_the_next() -> None:
    text = '[[route]]\nactive = ["office"]\nchannels = ["a"]\n[[route]]\nchannels = ["b"]\n'
    assert (channels(text), channels(text, at_ms=_EVENING)) == ("a", "b")
    trials = routing_of(text).trials(transition(), _EVENING)
    assert (trials[0].verdict, trials[0].reason) == ("not now", "is active only in office")


def test_what_no_route_takes_now_waits_for_the_first_that_would() -> None:
    """An alert of the evening that still fires in the morning is told then, as it is routed then."""
    text = """
[[route]]
active = ["night"]
channels = ["a"]
[[route]]
name = "day"
active = ["office"]
channels = ["b"]
"""
    assert routing_of(text).channels_of(transition(), _EVENING) == {"a": iso_ms("2026-03-04T22:00:00Z")}
    assert routing_of('[[route]]\nservices="x"\nactive=["office"]\nchannels=["a"]').channels_of(transition(), 0) == {}


def test_times_of_a_route_and_of_the_one_that_it_refines_must_both_hold() -> None:
    text = """
[[route]]
name = "day"
active = ["office"]
channels = ["a"]
[[route]]
under = "day"
active = ["night"]
channels = ["b"]
"""
    assert channels(text) == "a"
    # Never both at once: the refinement waits for nothing, and its route for the morning.
    assert routing_of(text).channels_of(transition(), _MIDNIGHT) == {"a": iso_ms("2026-03-05T09:00:00Z")}


def test_a_muted_route_takes_the_alert_and_holds_it_back() -> None:
    """Its channels get it when the time is over; one that another route does not mute gets it at once."""
    text = '[[route]]\nmute = ["night"]\nchannels = ["a", "b"]\ncontinue = true\n[[route]]\nchannels = ["b"]\n'
    assert routing_of(text).channels_of(transition(), _MIDNIGHT) == {
        "a": iso_ms("2026-03-05T06:00:00Z"),
        "b": _MIDNIGHT,
    }
    assert routing_of('[[route]]\nmute = ["always"]\nchannels = ["a"]').channels_of(transition(), _NOON) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('under = "ml"\nchannels = ["a"]', "route[1].under: 'ml' is not the name of a route before this one"),
        ('channels = ["a"]\nactive = ["ofice"]', "'ofice' is not the name of a [[times]]; did you mean 'office'?"),
        ('channels = ["a"]\nmute = ["x"]', "'x' is not the name of a [[times]]; known are always, night, office"),
        (
            'name = "x"\notherwise = true\nchannels = ["a"]\n[[route]]\nunder = "x"\nchannels = ["a"]',
            "route[2].under: 'x' is for what no route takes; a route under it would never be tried",
        ),
        (
            'name = "x"\nchannels = ["a"]\n[[route]]\nunder = "x"\notherwise = true',
            "route[2].otherwise: is for what no route takes, and cannot stand with 'under'",
        ),
        ('name = "x"\nchannels = ["a"]\n[[route]]\nname = "x"\nchannels = ["a"]', "'x' names another route already"),
    ],
)
def test_a_mistake_is_named(text: str, words: str) -> None:
    _, problems = read(f"[[route]]\n{text}\n")
    assert len(problems) == 1
    assert words in problems[0]


def test_labels_are_those_of_the_alert() -> None:
    """Also those that the rule adds."""
    text = '[[route]]\nlabels = { team = "ml" }\nchannels = ["a"]\n[[route]]\nchannels = ["b"]\n'
    assert channels(text, replace(transition(), labels={"team": "ml"})) == "a"
    assert channels(text) == "b"


FAILING = replace(
    transition(), rule="delivery-failing", service="barograph", severity=Severity.ERROR, labels={"channel": "a"}
)


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ("", "bcd"),
        ('[[route]]\nchannels = ["a", "b"]\n', "b"),
        ('[[route]]\nchannels = ["a"]\n', "bcd"),
        ('[[route]]\nchannels = ["b"]\n', "b"),
        ('[[route]]\nmin_severity = "critical"\nchannels = ["a"]\n', ""),
    ],
)
def test_that_a_channel_fails_is_told_through_another(routes: str, expected: str) -> None:
    """Where routes choose only the one that fails, all others get it."""
    assert channels(routes, FAILING) == expected


def test_other_alerts_may_have_a_label_channel() -> None:
    """Also one of that name on another service, which a rule of somebody's own makes."""
    assert channels("", replace(FAILING, rule="other")) == "abcd"
    assert channels("", replace(FAILING, service="shop")) == "abcd"


def test_where_there_is_no_other_channel_the_one_that_fails_is_tried() -> None:
    """It may be back; the notifier's log has it in any case."""
    text = '[[channel]]\nname = "a"\ntype = "console"\n'
    routing = parse_routes(parse_config(text, Path("barograph.toml")), [])
    assert dict(routing.channels_of(FAILING, _NOON)) == {"a": _NOON}


def test_the_rule_that_ships_names_the_channel() -> None:
    """Routes know it by name and label."""
    (rule,) = (one for one in pipeline_rules() if one.name == DELIVERY_FAILING)
    assert rule.by == (CHANNEL_LABEL,)
