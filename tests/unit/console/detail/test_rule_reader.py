"""Why an alert fires, and the series of its rule: numbers out of the panes of the window that breached."""

from dataclasses import replace
from typing import Any

import pytest

from barograph_core.alerts.published_rules import Bound, PublishedRule, PublishedRules
from barograph_core.alerts.record import AlertState, Severity
from barograph_core.store.pane_store import StoredPane
from tests.batches import Event, decoded, panes_by_start, request
from tests.unit.console.detail.test_routes import PENDING
from tests.unit.console.fakes import ALERT_ID, NOW_MS, Console, FakeAlerts, FakePanes, FakeRules, record

RULE = PublishedRule(
    name="high-error-rate",
    on="request",
    severity=Severity.ERROR,
    by=("route",),
    window_ms=10_000,
    when="error_rate > 0.05 and count >= 3 and duration_ms.p95 > 1",
    resolve_when="error_rate < 0.03",
    fires=(
        Bound("error_rate", ">", 0.05, "ratio", is_leading=True),
        Bound("count", ">=", 3.0),
        Bound("duration_ms.p95", ">", 1.0, "ms"),
    ),
    clears=(Bound("error_rate", "<", 0.03, "ratio", is_leading=True),),
)
# In the window that breached four requests of the alert's route, one of which failed; another route does not count.
EVENTS = [
    *(request(NOW_MS - 15_000 + n, 8.0, "/predict") for n in range(3)),
    request(NOW_MS - 12_000, 8.0, "/predict", 500),
    *(request(NOW_MS - 15_000 + n, 8.0, "/other", 500) for n in range(9)),
    *(request(NOW_MS - 5_000 + n, 8.0, "/predict") for n in range(20)),
]
PREDICTIONS = [Event(("ctr", "8"), NOW_MS - 15_000, (8.0, 0.9, None, error, None)) for error in (10.0, 20.0)]


def detail(rule: PublishedRule = RULE, **changes: Any) -> dict[str, Any]:
    batches = [decoded("request", EVENTS), decoded("model", PREDICTIONS)]
    stored = {
        step_ms: [StoredPane(start, 0, 0, pane) for start, pane in panes_by_start(batches, step_ms).items()]
        for step_ms in (1_000, 10_000, 60_000)
    }
    facts = {
        "episode_ms": NOW_MS - 20_000,
        "breached_to_ms": NOW_MS - 10_000,
        "value": 0.2500000123,
        "is_announced": True,
    }
    held = record(**{**facts, **changes})
    quiet_ms = {ALERT_ID: NOW_MS + 240_000}
    console = Console(
        panes=FakePanes(stored=stored),
        alerts=FakeAlerts(held=[held], entries=[PENDING], quiet_ms=quiet_ms),
        rules=FakeRules(PublishedRules.of([rule], NOW_MS)),
    )
    answer = console.client().get(f"/api/v1/alerts/{ALERT_ID}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_why_has_every_value_of_the_condition() -> None:
    """Those of the newest window that breached: what came after it explains nothing."""
    why = detail()["why"]
    assert why["values"] == {"error_rate": 0.25, "count": 4.0, "duration_ms.p95": 8.0}
    assert why["text"].startswith("error_rate 0.25 > 0.05 and count 4 >= 3 and duration_ms.p95 8 > 1 over 10")


def test_a_quantity_that_the_console_does_not_know_has_no_value() -> None:
    """Rather than one of something that is called alike."""
    bounds = (*RULE.fires, Bound("baseline('1h').count", ">", 1.0), Bound("weather", ">", 1.0))
    assert set(detail(replace(RULE, fires=bounds))["why"]["values"]) == {"error_rate", "count", "duration_ms.p95"}


def test_the_series_of_a_rule_has_its_bounds() -> None:
    """At a step that shows the breach; nothing known is null."""
    series = detail()["series"]
    assert (series["figure"], series["unit"], series["step_ms"]) == ("error_rate", "ratio", 10_000)
    assert (series["fires_above"], series["clears_below"]) == (0.05, 0.03)
    assert (series["fires_below"], series["clears_above"]) == (None, None)
    assert series["from_ms"] + len(series["values"]) * 10_000 >= NOW_MS
    known = [value for value in series["values"] if value is not None]
    assert known == [0.25, 0.0]


@pytest.mark.parametrize(
    ("quantity", "on", "labels", "expected"),
    [
        ("count", "request", {"route": "/predict"}, [4, 20]),
        ("rate", "request", {"route": "/predict"}, [0.4, 2.0]),
        ("errors", "request", {"route": "/predict"}, [1, 0]),
        ("status[500]", "request", {}, [10]),
        ("duration_ms.p99_9", "request", {}, [8.0, 8.0]),
        ("duration_ms.count", "request", {}, [13, 20]),
        ("absolute_error.avg", "model", {"model": "ctr", "version": "8"}, [15.0]),
    ],
)
def test_each_quantity_has_a_series(quantity: str, on: str, labels: dict[str, str], expected: list[float]) -> None:
    bound = Bound(quantity, "<", 1.0, is_leading=True)
    rule = replace(RULE, on=on, fires=(bound,), clears=(Bound(quantity, ">", 2.0),))
    series = detail(rule, labels=labels)["series"]
    assert [value for value in series["values"] if value is not None] == expected
    assert (series["fires_below"], series["clears_above"], series["fires_above"]) == (1.0, 2.0, None)


@pytest.mark.parametrize(
    "rule",
    [
        replace(RULE, fires=()),
        replace(RULE, fires=(Bound("duration_ms.stddev", ">", 1.0, is_leading=True),)),
        replace(RULE, fires=(Bound("baseline('1h').count", ">", 1.0, is_leading=True),)),
        replace(RULE, on="weather"),
        replace(RULE, where={"no_such_label": "x"}, on="model"),
    ],
)
def test_what_has_no_series_is_said_so(rule: PublishedRule) -> None:
    """A composed condition, a statistic that is not stored, a kind or label of a newer version."""
    assert detail(rule)["series"] is None


def test_the_next_notification_is_known_where_the_cooldown_holds_one_back() -> None:
    """One that was sent is not sent again."""
    assert detail()["next_notification_ms"] is None
    assert detail(is_announced=False)["next_notification_ms"] == NOW_MS + 240_000
    assert detail(is_announced=False, state=AlertState.PENDING)["next_notification_ms"] is None


def test_an_alert_that_has_ended_shows_its_series_up_to_the_end() -> None:
    ended = detail(state=AlertState.RESOLVED, changed_at_ms=NOW_MS - 8_000, is_muted=True)
    assert ended["series"]["from_ms"] < NOW_MS - 20_000
    assert ended["next_notification_ms"] is None
