from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from barograph_console.store.ports import AlertEntry
from barograph_core.alerts.published_rules import PublishedLevel, PublishedRule, PublishedRules
from barograph_core.alerts.record import AlertState, Severity
from barograph_core.alerts.transition import Transition, transition_of
from barograph_core.server.replies import EntryId
from tests.unit.console.fakes import NOW_MS, Console, FakeAlerts, FakeRules, record


@pytest.fixture(scope="module")
def client() -> TestClient:
    return Console(alerts=FakeAlerts(held=[record()])).client()


def fired(**changes: object) -> Transition:
    return transition_of(record(**changes), before=AlertState.PENDING, at_ms=NOW_MS, notify=True)


def entries(count: int) -> list[AlertEntry]:
    return [AlertEntry(EntryId(NOW_MS - 1_000 * number, 0), fired()) for number in range(count)]


def test_active_alerts_come_worst_first() -> None:
    """Firing before pending, then by severity; what was resolved by hand is not active."""
    alerts = FakeAlerts(
        held=[
            record(alert_id="1" * 16, state=AlertState.PENDING, severity=Severity.CRITICAL),
            record(alert_id="2" * 16, severity=Severity.WARNING),
            record(alert_id="3" * 16, severity=Severity.CRITICAL),
            record(alert_id="4" * 16, state=AlertState.RESOLVED, is_muted=True),
        ]
    )
    answer = Console(alerts=alerts).client().get("/api/v1/alerts").json()
    assert [alert["id"][0] for alert in answer["alerts"]] == ["3", "2", "1"]
    assert (answer["alerts"][0]["state"], answer["alerts"][0]["value"]) == ("firing", 0.25)


def test_history_is_read_page_by_page() -> None:
    """`next_before` leads through the whole history, newest first, and ends."""
    client = Console(alerts=FakeAlerts(entries=entries(5))).client()
    seen: list[str] = []
    before: str | None = ""
    while before is not None:
        page = client.get("/api/v1/alerts/history", params={"limit": 2, "before": before}).json()
        seen += [entry["entry_id"] for entry in page["entries"]]
        before = page["next_before"]
    assert seen == [f"{NOW_MS - 1_000 * number}-0" for number in range(5)]


def test_history_names_states_as_the_stream_does() -> None:
    """`from` and `to`, as in the alerts stream."""
    answer = Console(alerts=FakeAlerts(entries=entries(1))).client().get("/api/v1/alerts/history").json()
    entry = answer["entries"][0]
    assert (entry["from"], entry["to"], entry["notify"]) == ("pending", "firing", True)


@pytest.mark.parametrize("before", ["x", "1-2-3", "-1", "٣", "9" * 50, "9" * 30, f"1-{2**64}"])
def test_what_is_no_entry_id_is_refused(client: TestClient, before: str) -> None:
    answer = client.get("/api/v1/alerts/history", params={"before": before})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")


def test_the_summary_counts_by_severity_and_over_a_day() -> None:
    """Active by severity now; fired within 24 h from the stream."""
    old = AlertEntry(EntryId(NOW_MS - 86_400_001, 0), fired())
    alerts = FakeAlerts(held=[record()], entries=[*entries(3), old])
    answer = Console(alerts=alerts).client().get("/api/v1/alerts/summary").json()
    assert (answer["active"], answer["firing"], answer["fired_24h"]) == (1, 1, 3)
    assert answer["firing_by_severity"] == {"info": 0, "warning": 0, "error": 1, "critical": 0}


def test_an_alert_says_why_where_its_condition_does_not() -> None:
    """A field, not only words in the summary."""
    alerts = FakeAlerts(
        held=[
            record(alert_id="1" * 16, is_no_data=True, lack="producers_dead"),
            record(alert_id="2" * 16, late_ms=4_000),
            record(alert_id="3" * 16),
        ]
    )
    answer = Console(alerts=alerts).client().get("/api/v1/alerts").json()
    assert {alert["id"][0]: alert["reason"] for alert in answer["alerts"]} == {
        "1": "producers_dead",
        "2": "late",
        "3": "",
    }


def test_the_history_names_what_was_missing() -> None:
    """Of an end that only what was seen calls for."""
    ended = replace(fired(), after=AlertState.RESOLVED, reason="recovered_partly", missing=("api-1:7:00ff",))
    console = Console(alerts=FakeAlerts(entries=[AlertEntry(EntryId(NOW_MS, 0), ended)]))
    (entry,) = console.client().get("/api/v1/alerts/history").json()["entries"]
    assert (entry["reason"], entry["missing"]) == ("recovered_partly", ["api-1:7:00ff"])


@pytest.mark.parametrize(
    ("held", "since_ms", "for_ms"),
    [
        ({"begun_ms": NOW_MS - 12_000, "unjudged_ms": 2_000}, NOW_MS - 10_000, 30_000),
        ({"begun_ms": NOW_MS - 12_000, "hold_ms": 20_000}, NOW_MS - 12_000, 20_000),
        ({"is_no_data": True, "no_data_since_ms": NOW_MS - 5_000}, NOW_MS - 5_000, 300_000),
    ],
)
def test_a_pending_alert_says_how_long_it_is_held(held: dict[str, object], since_ms: int, for_ms: int) -> None:
    """12 s of 30 s; time that nobody judged counts for nothing."""
    rule = PublishedRule(
        name="high-error-rate",
        on="request",
        severity=Severity.ERROR,
        window_ms=10_000,
        when="error_rate > 0.05",
        for_ms=30_000,
        no_data_for_ms=300_000,
    )
    rules = FakeRules(PublishedRules.of([rule], NOW_MS))
    console = Console(alerts=FakeAlerts(held=[record(state=AlertState.PENDING, **held)]), rules=rules)
    (alert,) = console.client().get("/api/v1/alerts").json()["alerts"]
    assert (alert["pending_since_ms"], alert["for_ms"]) == (since_ms, for_ms)


def test_of_a_rule_with_levels_the_one_that_is_due_next_counts() -> None:
    levels = (
        PublishedLevel(Severity.WARNING, "errors > 1", 300_000),
        PublishedLevel(Severity.ERROR, "errors > 9", 60_000),
        PublishedLevel(Severity.CRITICAL, "errors > 99", 0),
    )
    rule = PublishedRule(
        name="high-error-rate",
        on="request",
        severity=Severity.WARNING,
        window_ms=10_000,
        when="errors > 1",
        levels=levels,
    )
    since = {Severity.WARNING: NOW_MS - 20_000, Severity.ERROR: NOW_MS - 10_000}
    held = [record(state=AlertState.PENDING, level_since_ms=since)]
    console = Console(alerts=FakeAlerts(held=held), rules=FakeRules(PublishedRules.of([rule], NOW_MS)))
    (alert,) = console.client().get("/api/v1/alerts").json()["alerts"]
    assert (alert["pending_since_ms"], alert["for_ms"]) == (NOW_MS - 10_000, 60_000)


def test_a_firing_alert_is_held_no_more(client: TestClient) -> None:
    (alert,) = client.get("/api/v1/alerts").json()["alerts"]
    assert (alert["pending_since_ms"], alert["for_ms"]) == (None, None)


def test_an_alert_says_which_one_holds_it_back() -> None:
    """And whether it flaps."""
    held = record(inhibited_by=("2" * 16,), is_flapping=True)
    (alert,) = Console(alerts=FakeAlerts(held=[held])).client().get("/api/v1/alerts").json()["alerts"]
    assert (alert["inhibited_by"], alert["is_flapping"]) == (["2" * 16], True)
