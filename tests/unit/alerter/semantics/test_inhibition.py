"""Inhibition as Alertmanager has it: which alert holds back which, by source, target and what must be equal."""

from typing import Final

import pytest

from barograph_notifier.muting.inhibition import FiringAlert, inhibitor_of
from tests.unit.notifier.muting.test_inhibition import rule_of

Labels = dict[str, str]
# Labels of the alert that is asked about, those of another that fires, and whether that one holds it back.
EQUAL: Final[list[tuple[str, Labels, Labels, bool]]] = [
    ('["e"]', {"e": "1"}, {"e": "1"}, True),
    ('["e"]', {"e": "1"}, {"e": "2"}, False),
    ('["e"]', {"e": "1"}, {}, False),
    ('["e"]', {}, {"e": "1"}, False),
    ('["e"]', {}, {}, True),
    ('["e"]', {"e": ""}, {}, True),
    ('["e"]', {"e": "1", "x": "1"}, {"e": "1", "x": "2"}, True),
    ('["e", "f"]', {"e": "1", "f": "1"}, {"e": "1", "f": "1"}, True),
    ('["e", "f"]', {"e": "1", "f": "1"}, {"e": "1", "f": "2"}, False),
    ('["e", "f"]', {"e": "1"}, {"e": "1"}, True),
    ('["e", "f"]', {"e": "1", "f": "1"}, {"e": "1"}, False),
    ("[]", {}, {}, True),
    ("[]", {"e": "1"}, {"e": "2"}, True),
    ("[]", {"e": "1"}, {}, True),
    ('["service"]', {"e": "1"}, {"e": "2"}, True),
    ('["*"]', {"e": "1"}, {"e": "1"}, False),
]
SIDES: Final[list[tuple[Labels, Labels, bool]]] = [
    ({"t": "1", "e": "1"}, {"s": "1", "e": "1"}, True),
    ({"t": "1", "e": "1"}, {"s": "1", "e": "2"}, False),
    ({"t": "1", "e": "1"}, {"s": "2", "e": "1"}, False),
    ({"t": "1", "e": "1"}, {"e": "1"}, False),
    ({"t": "2", "e": "1"}, {"s": "1", "e": "1"}, False),
    ({"e": "1"}, {"s": "1", "e": "1"}, False),
    ({"s": "1", "e": "1"}, {"s": "1", "e": "1"}, False),
    # On both sides: held back by what is a source only, not by what is on both sides too.
    ({"s": "1", "t": "1", "e": "1"}, {"s": "1", "e": "1"}, True),
    ({"s": "1", "t": "1", "e": "1"}, {"s": "1", "t": "1", "e": "1", "x": "1"}, False),
    ({"t": "1", "e": "1"}, {"s": "1", "t": "1", "e": "1"}, True),
    ({"s": "1", "t": "1"}, {"s": "1", "t": "1", "x": "1"}, False),
    ({"s": "1", "t": "1"}, {"s": "1"}, True),
    ({"s": "1", "t": "1", "e": "1"}, {"t": "1", "e": "1"}, False),
]
MATCHED: Final[list[tuple[str, str, Labels, Labels, bool]]] = [
    ('{ job = "~a.*" }', '{ job = "b" }', {"job": "b"}, {"job": "abc"}, True),
    ('{ job = "~a" }', '{ job = "b" }', {"job": "b"}, {"job": "abc"}, False),
    ('{ job = "a*" }', '{ job = "b" }', {"job": "b"}, {"job": "abc"}, True),
    ('{ job = ["a", "c"] }', '{ job = "b" }', {"job": "b"}, {"job": "c"}, True),
    ('{ job = "!b" }', '{ job = "b" }', {"job": "b"}, {"job": "c"}, True),
    ('{ job = "!b" }', '{ job = "b" }', {"job": "b"}, {}, True),
    ('{ job = "!~a.*" }', '{ job = "b" }', {"job": "b"}, {"job": "abc"}, False),
    ('{ pool = "" }', '{ pool = "!" }', {"pool": "x"}, {}, True),
    ('{ pool = "" }', '{ pool = "!" }', {"pool": "x"}, {"pool": "y"}, False),
    ('{ pool = "" }', '{ pool = "!" }', {}, {}, False),
    ('{ severity = "critical" }', '{ severity = "!critical" }', {"severity": "info"}, {"severity": "critical"}, True),
    (
        '{ severity = "critical" }',
        '{ severity = "!critical" }',
        {"severity": "critical"},
        {"severity": "critical"},
        False,
    ),
    ('{ alertname = "down" }', '{ alertname = "slow" }', {"alertname": "slow"}, {"alertname": "down"}, True),
    ('{ job = "a", zone = "1" }', '{ job = "b" }', {"job": "b"}, {"job": "a", "zone": "1"}, True),
    ('{ job = "a", zone = "1" }', '{ job = "b" }', {"job": "b"}, {"job": "a"}, False),
    ('{ job = "a" }', '{ job = "b", zone = "" }', {"job": "b"}, {"job": "a"}, True),
    ('{ job = "a" }', '{ job = "b", zone = "" }', {"job": "b", "zone": "1"}, {"job": "a"}, False),
]


def firing(alert_id: str, labels: Labels) -> FiringAlert:
    own = {"rule": "r", "alertname": "r", "service": "shop", "severity": "error"}
    return FiringAlert(alert_id, {**own, **labels}, labels)


@pytest.mark.parametrize(("equal", "target", "source", "expected"), EQUAL)
def test_what_must_be_equal(equal: str, target: Labels, source: Labels, expected: bool) -> None:
    """A label that both lack is equal, and an empty one is as one that is lacking; no names are always equal."""
    rules = rule_of(f'source = {{ s = "1" }}\ntarget = {{ t = "1" }}\nequal = {equal}')
    cause = firing("a", {"s": "1", **source})
    found = inhibitor_of(firing("b", {"t": "1", **target}), rules, [cause])
    assert (found == cause) is expected


@pytest.mark.parametrize(("target", "source", "expected"), SIDES)
def test_which_side_an_alert_is_on(target: Labels, source: Labels, expected: bool) -> None:
    rules = rule_of('source = { s = "1" }\ntarget = { t = "1" }\nequal = ["e"]')
    found = inhibitor_of(firing("a", target), rules, [firing("a", target), firing("b", source)])
    assert (found is not None) is expected


@pytest.mark.parametrize(("source", "target", "asked", "other", "expected"), MATCHED)
def test_which_alerts_are_meant(source: str, target: str, asked: Labels, other: Labels, expected: bool) -> None:
    rules = rule_of(f"source = {source}\ntarget = {target}")
    found = inhibitor_of(firing("a", asked), rules, [firing("a", asked), firing("b", other)])
    assert (found is not None) is expected


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"t": "1", "e": "1"}, True),
        ({"t2": "1", "e": "1"}, True),
        ({"t": "1", "t2": "1", "e": "1"}, True),
        ({"t": "1", "e": "0"}, False),
        ({"t2": "1", "e": "0"}, False),
        ({"t": "1", "s2": "1", "e": "1"}, True),
        ({"s": "1", "s2": "1", "e": "1"}, False),
    ],
)
def test_any_of_several_inhibitions_holds_back(labels: Labels, expected: bool) -> None:
    rules = (
        *rule_of('source = { s = "1" }\ntarget = { t = "1" }\nequal = ["e"]'),
        *rule_of('source = { s2 = "1" }\ntarget = { t2 = "1" }\nequal = ["e"]'),
    )
    causes = [firing("x", {"s": "1", "e": "1"}), firing("y", {"s2": "1", "e": "1"})]
    for order in (causes, causes[::-1]):
        assert (inhibitor_of(firing("a", labels), rules, order) is not None) is expected
