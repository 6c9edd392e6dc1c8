from typing import Any

from barograph_console.rows.requests import Minute
from barograph_console.services.cards import Card, ServiceCard, alerts_by_service, in_order
from barograph_console.services.sparkline import STEP_MS
from barograph_core.alerts.published_rules import Bound, PublishedRule, PublishedRules
from barograph_core.alerts.record import AlertState, Severity
from tests.unit.console.fakes import NOW_MS, Console, FakeAlerts, FakePanes, FakeRules, panes_of, record, requests

ROWS = [
    (NOW_MS - 61_000, "/a", 200, 5.0),
    (NOW_MS - 2_000, "/a", 500, 7.0),
    (NOW_MS - 1_000, "/b", 200, 9.0),
]


def services(query: str = "", **changes: Any) -> list[dict[str, Any]]:
    panes = FakePanes(
        closed=changes.pop("closed", {"ranker": NOW_MS}),
        stored={step_ms: panes_of([requests(*ROWS)], step_ms) for step_ms in (1_000, 10_000, 60_000)},
    )
    answer = Console(panes=panes, **changes).client().get(f"/api/v1/services{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["services"]
    return found


def test_a_card_shows_the_last_minute_whatever_window_the_rates_are_over() -> None:
    (card,) = services("?window=120")
    assert (card["requests"], card["minute"]["requests"], card["minute"]["error_ratio"]) == (3, 2, 0.5)


def test_a_card_shows_the_worst_alert_and_how_many_fire() -> None:
    """Firing comes before pending, however severe."""
    held = [
        record(alert_id="a" * 16, state=AlertState.PENDING, severity=Severity.CRITICAL),
        record(alert_id="b" * 16, severity=Severity.WARNING),
        record(alert_id="c" * 16, severity=Severity.ERROR, summary="many errors"),
    ]
    (card,) = services(alerts=FakeAlerts(held=held))
    assert (card["worst_alert"]["id"], card["worst_alert"]["summary"], card["firing"]) == ("c" * 16, "many errors", 2)


def test_a_cards_alert_says_its_unit_and_why() -> None:
    """As lists of alerts do."""
    bound = Bound("error_rate", ">", 0.05, "ratio", is_leading=True)
    rule = PublishedRule(
        name="high-error-rate",
        on="request",
        severity=Severity.ERROR,
        window_ms=10_000,
        when="error_rate > 0.05",
        fires=(bound,),
    )
    (card,) = services(alerts=FakeAlerts(held=[record(value=0.25)]), rules=FakeRules(PublishedRules.of([rule], NOW_MS)))
    assert card["worst_alert"]["unit"] == "ratio"
    assert card["worst_alert"]["why"].startswith("error_rate 0.25 > 0.05 over 10")


def test_a_sparkline_has_an_entry_for_each_minute() -> None:
    """A minute of which nothing is known is null, and never zero; without being asked for, there is none."""
    (card,) = services("?spark=30")
    spark = card["spark"]
    assert (len(spark["requests"]), len(spark["errors"]), spark["step_ms"]) == (30, 30, STEP_MS)
    assert spark["from_ms"] + 30 * STEP_MS >= NOW_MS > spark["from_ms"] + 29 * STEP_MS
    assert sum(count or 0 for count in spark["requests"]) == 3
    assert sum(count or 0 for count in spark["errors"]) == 1
    assert spark["requests"][0] is None
    assert services()[0]["spark"] is None


def test_the_worst_comes_first_and_the_pipelines_own_last() -> None:
    closed = {"barograph": NOW_MS, "a": NOW_MS, "b": NOW_MS, "barograph.2": NOW_MS, "pending": NOW_MS}
    held = [
        record(service="b"),
        record(service="pending", alert_id="a" * 16, state=AlertState.PENDING, severity=Severity.CRITICAL),
        record(service="barograph", alert_id="b" * 16, severity=Severity.CRITICAL),
    ]
    cards = services(closed=closed, alerts=FakeAlerts(held=held))
    assert [card["service"] for card in cards] == ["b", "a", "pending", "barograph", "barograph.2"]
    assert [card["is_internal"] for card in cards] == [False, False, False, True, True]


def test_of_those_that_are_well_the_busiest_comes_first() -> None:
    def card(service: str, count: int) -> ServiceCard:
        minute = Minute(count, 60_000, 0, 0.0, None, None, None, None, 500.0, None)
        return ServiceCard(service, NOW_MS, False, minute, None, 0, 0, count, 1.0, 0.0, False, 0, 0, False, None)

    assert [one.service for one in in_order([card("a", 1), card("b", 9), card("c", 9)])] == ["b", "c", "a"]


def test_the_answer_has_all_that_a_live_card_has() -> None:
    """A page draws both with the same code."""
    (card,) = services()
    assert set(Card.__dataclass_fields__) < set(card)
    assert alerts_by_service([], None) == {}
