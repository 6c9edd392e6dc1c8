"""What ``/rules``, overviews and alerts say of the rules that are published."""

from dataclasses import replace
from typing import Any

import pytest

from barograph_core.alerts.published_rules import Bound, PublishedRule, PublishedRules
from barograph_core.alerts.record import AlertState, Severity
from tests.unit.console.fakes import ALERT_ID, NOW_MS, Console, FakeAlerts, FakePanes, FakeRules, record

RULE = PublishedRule(
    name="high-error-rate",
    on="request",
    severity=Severity.CRITICAL,
    window_ms=10_000,
    when="error_rate > 0.05",
    resolve_when="error_rate < 0.03",
    fires=(Bound("error_rate", ">", 0.05, "ratio", is_leading=True),),
    clears=(Bound("error_rate", "<", 0.03, "ratio", is_leading=True),),
)
SHOPS = replace(RULE, name="shops", services=("shop-*",))


def console(*rules: PublishedRule) -> Console:
    held = [record(), record(alert_id="f" * 16, state=AlertState.PENDING), record(alert_id="e" * 16, rule="gone")]
    return Console(
        panes=FakePanes(closed={"ranker": NOW_MS, "shop-eu": NOW_MS}),
        alerts=FakeAlerts(held=held),
        rules=FakeRules(PublishedRules.of(rules, NOW_MS - 5)),
    )


def get(path: str, of: Console) -> Any:
    answer = of.client().get(f"/api/v1/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_rules_of_a_service_come_with_the_number_of_their_alerts() -> None:
    """A rule about other services is not among them."""
    found = get("rules?service=ranker", console(RULE, SHOPS))
    assert (found["published_at_ms"], found["unreadable"], len(found["digest"])) == (NOW_MS - 5, 0, 64)
    (row,) = found["rules"]
    assert (row["name"], row["firing"], row["pending"], row["window_ms"]) == ("high-error-rate", 1, 1, 10_000)
    assert (row["when"], row["resolve_when"]) == ("error_rate > 0.05", "error_rate < 0.03")
    assert row["fires"] == [{"quantity": "error_rate", "operator": ">", "threshold": 0.05, "unit": "ratio"}]
    assert row["clears"] == [{"quantity": "error_rate", "operator": "<", "threshold": 0.03, "unit": "ratio"}]


def test_all_rules_are_listed_without_a_service() -> None:
    """In the order of the configuration."""
    assert [row["name"] for row in get("rules", console(RULE, SHOPS))["rules"]] == ["high-error-rate", "shops"]


def test_no_rule_is_told_from_not_knowing_any() -> None:
    """An alerter of an earlier version publishes none, and may watch all the same."""
    nothing = console(SHOPS)
    assert get("rules?service=ranker", nothing)["rules"] == []
    assert get("overview?service=ranker", nothing)["rules"] == 0
    unknown = replace(nothing, rules=FakeRules())
    assert get("rules?service=ranker", unknown)["published_at_ms"] is None
    assert get("overview?service=ranker", unknown)["rules"] is None


def test_rules_of_an_unknown_service_are_404() -> None:
    """As on every route."""
    answer = console(RULE).client().get("/api/v1/rules?service=rankr")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_service")


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "__proto__", "\u202egnp", "a" * 65_536])
def test_a_hostile_name_is_sent_as_text(name: str) -> None:
    """The page shows it as text; here it only has to arrive."""
    of = console(replace(RULE, name=name))
    assert [row["name"] for row in get("rules?service=ranker", of)["rules"]] == [name]
    assert [one["rule"] for one in get("overview?service=ranker", of)["thresholds"]] == [name]


def test_an_overview_has_what_rules_say() -> None:
    """How many watch the service, the lines of its charts, and why its alerts fire."""
    found = get("overview?service=ranker", console(RULE, SHOPS))
    assert found["rules"] == 1
    assert found["thresholds"] == [{"figure": "error_ratio", "value": 0.05, "rule": RULE.name, "is_above": True}]
    (firing,) = [one for one in found["alerts"] if one["id"] == ALERT_ID]
    assert firing["unit"] == "ratio"
    assert firing["why"].startswith("error_rate 0.25 > 0.05 over 10")


def test_an_alert_of_a_rule_that_is_gone_has_no_reason() -> None:
    """Better none than that of another rule."""
    (gone,) = [one for one in get("alerts?service=ranker", console(RULE))["alerts"] if one["rule"] == "gone"]
    assert (gone["unit"], gone["why"]) == ("", "")


def test_an_alert_without_data_is_not_explained_by_its_condition() -> None:
    """It fires because nothing came, whatever the value was before."""
    of = console(RULE)
    of.alerts.held = [record(is_no_data=True)]
    assert get("alerts?service=ranker", of)["alerts"][0]["why"] == ""


def test_an_alert_in_full_says_when_it_clears() -> None:
    """Its condition with the value, the recovery, and the window of both; nothing of a rule that is gone."""
    why = get(f"alerts/{ALERT_ID}", console(RULE))["why"]
    assert why["text"].startswith("error_rate 0.25 > 0.05 over 10")
    assert (why["resolves"], why["window_ms"]) == ("error_rate < 0.03", 10_000)
    assert get(f"alerts/{ALERT_ID}", console(SHOPS))["why"] is None
