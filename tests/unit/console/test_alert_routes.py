import pytest
from fastapi.testclient import TestClient

from barograph_console.ports import AlertEntry
from barograph_core.alerts import AlertState, Severity
from barograph_core.stream import EntryId
from barograph_core.transitions import Transition, transition_of
from tests.unit.console.fakes import ALERT_ID, NOW_MS, Console, FakeAlerts, record


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
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_parameter")


def test_the_summary_counts_by_severity_and_over_a_day() -> None:
    """Active by severity now; fired within 24 h from the stream."""
    old = AlertEntry(EntryId(NOW_MS - 86_400_001, 0), fired())
    alerts = FakeAlerts(held=[record()], entries=[*entries(3), old])
    answer = Console(alerts=alerts).client().get("/api/v1/alerts/summary").json()
    assert (answer["active"], answer["firing"], answer["fired_24h"]) == (1, 1, 3)
    assert answer["firing_by_severity"] == {"info": 0, "warning": 0, "error": 1, "critical": 0}


def test_resolving_ends_an_alert_and_names_the_actor() -> None:
    """After the call the alert is no longer active."""
    console = Console(alerts=FakeAlerts(held=[record()]))
    client = console.client()
    answer = client.post(f"/api/v1/alerts/{ALERT_ID}/resolve", json={"actor": "ada"})
    assert (answer.status_code, answer.json()["alert"]["state"]) == (200, "resolved")
    assert client.get("/api/v1/alerts").json()["alerts"] == []


def test_resolving_what_is_not_there_is_not_found() -> None:
    answer = Console().client().post(f"/api/v1/alerts/{ALERT_ID}/resolve", json={"actor": "ada"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_alert")


def test_resolving_twice_is_a_conflict() -> None:
    """The second of two people learns that the alert is over."""
    client = Console(alerts=FakeAlerts(held=[record()])).client()
    client.post(f"/api/v1/alerts/{ALERT_ID}/resolve", json={"actor": "ada"})
    answer = client.post(f"/api/v1/alerts/{ALERT_ID}/resolve", json={"actor": "bob"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")


@pytest.mark.parametrize("body", [{}, {"actor": ""}, {"actor": "x" * 129}, {"actor": "a", "force": True}, []])
def test_a_resolve_without_a_proper_actor_is_refused(client: TestClient, body: object) -> None:
    answer = client.post(f"/api/v1/alerts/{ALERT_ID}/resolve", json=body)
    assert answer.status_code == 422
