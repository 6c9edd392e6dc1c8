"""The rules as they are published: the document reads back, and what a reader does not know costs only itself."""

import json
from typing import Any

import pytest

from barograph_core.alerts.published_rules import Bound, PublishedRule, PublishedRules
from barograph_core.alerts.record import Severity
from barograph_core.errors import MalformedEventError

RULE = PublishedRule(
    name="high-error-rate",
    on="request",
    by=("route",),
    where={"method": "POST"},
    services=("shop-*",),
    severity=Severity.CRITICAL,
    window_ms=10_000,
    when="error_rate > 0.05 and count >= 20",
    resolve_when="error_rate < 0.03",
    for_ms=1_000,
    keep_firing_for_ms=5_000,
    cooldown_ms=300_000,
    no_data="alert",
    summary="{{ error_rate | percent }} fehlerhaft",
    runbook="https://example.org/errors",
    fires=(Bound("error_rate", ">", 0.05, "ratio", is_leading=True), Bound("count", ">=", 20.0)),
    clears=(Bound("error_rate", "<", 0.03, "ratio", is_leading=True),),
)
PLAIN = PublishedRule(name="plain", on="custom", severity=Severity.INFO, window_ms=60_000, when="count > 1")


def document(*rules: Any, **facts: Any) -> str:
    return json.dumps({"schema": 1, "digest": "d", "at_ms": 1, "rules": list(rules), **facts})


def test_a_document_reads_back_as_it_was() -> None:
    """Every field, also those with their default."""
    published = PublishedRules.of([RULE, PLAIN], 1_700_000_000_000)
    assert PublishedRules.from_json(published.to_json()) == published


def test_the_document_names_its_form_and_the_hash_is_of_the_rules_alone() -> None:
    """A later start with the same rules has the same hash."""
    first, later = PublishedRules.of([RULE], 1), PublishedRules.of([RULE], 2)
    assert json.loads(first.to_json())["schema"] == 1
    assert len(first.digest) == 64
    assert first.digest == later.digest
    assert first.digest != PublishedRules.of([PLAIN], 1).digest


def test_unknown_fields_are_ignored_at_every_depth() -> None:
    """As a newer alerter may write them."""
    plain = RULE.to_plain() | {"epoch": 7, "fires": [{**bound, "span_ms": 1} for bound in RULE.to_plain()["fires"]]}
    found = PublishedRules.from_json(document(plain, schema=2, epochs=[1]))
    assert found.rules == (RULE,)
    assert found.unreadable == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"severity": "apocalyptic"},
        {"window_ms": 0},
        {"window_ms": 10**30},
        {"window_ms": "soon"},
        {"where": ["a"]},
        {"fires": [{"quantity": "count", "operator": ">"}]},
        {"fires": [{"quantity": "count", "operator": ">", "threshold": float("nan")}]},
        {"fires": [{"quantity": "count", "operator": ">", "threshold": 10**400}]},
    ],
)
def test_a_rule_that_cannot_be_read_costs_no_other(wrong: dict[str, Any]) -> None:
    """It is counted, so that nobody takes the list for whole."""
    found = PublishedRules.from_json(document({**RULE.to_plain(), **wrong}, PLAIN.to_plain()))
    assert [rule.name for rule in found.rules] == ["plain"]
    assert found.unreadable == 1


@pytest.mark.parametrize("rule", [None, 7, "x", [], {}])
def test_something_else_than_a_rule_is_counted(rule: object) -> None:
    """Whatever JSON can hold."""
    assert PublishedRules.from_json(document(rule)).unreadable == 1


@pytest.mark.parametrize(
    "text", ["", "[]", "7", "null", "{}", '{"rules":[]}', '{"rules":7,"at_ms":1,"digest":""}', "[" * 100_000, b"\xff"]
)
def test_something_else_than_a_document_is_refused(text: str | bytes) -> None:
    """With the error that all malformed texts raise."""
    with pytest.raises(MalformedEventError):
        PublishedRules.from_json(text)


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "__proto__", "\u202egnp", "a" * 65_536, "\ud800"])
def test_a_hostile_name_is_a_name(name: str) -> None:
    """It is data that can be sent on as UTF-8."""
    (rule,) = PublishedRules.from_json(document({**PLAIN.to_plain(), "name": name})).rules
    assert rule.name == name.encode(errors="replace").decode()
    assert json.loads(PublishedRules.of([rule], 1).to_json())["rules"][0]["name"] == rule.name


def test_patterns_of_services_decide_what_a_rule_watches() -> None:
    """No pattern is every service."""
    published = PublishedRules.of([RULE, PLAIN], 1)
    assert [rule.name for rule in published.watching("shop-eu")] == ["high-error-rate", "plain"]
    assert [rule.name for rule in published.watching("ranker")] == ["plain"]


def test_a_guard_is_told_from_what_decides() -> None:
    """``count >= 20`` asks how much data there is, unless it is all that is asked."""
    assert [bound.is_guard for bound in RULE.fires] == [False, True]
    assert not Bound("count", ">", 100.0, is_leading=True).is_guard
