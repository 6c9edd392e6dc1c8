"""People change alerts through the API: who, why, until when, and each request once."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from barograph_console.settings import ConsoleSettings
from barograph_core.alerts.record import AlertState
from tests.unit.console.access.test_access import ADMIN, READ, bearer, digest
from tests.unit.console.fakes import ALERT_ID, NOW_MS, Console, FakeAlerts, record

ALERT = f"/api/v1/alerts/{ALERT_ID}"


@pytest.fixture
def client() -> TestClient:
    """Return a client of a console without tokens that holds one firing alert."""
    return Console(alerts=FakeAlerts(held=[record()])).client()


@pytest.fixture
def token_client() -> TestClient:
    settings = ConsoleSettings(read_token_sha256=digest(READ), admin_token_sha256=digest(ADMIN))
    return Console(settings=settings, alerts=FakeAlerts(held=[record()])).client()


def post(client: TestClient, action: str, **body: Any) -> Any:
    return client.post(f"{ALERT}/{action}", json={"actor": "ada", **body})


def test_an_acknowledgement_names_who_why_and_until_when(client: TestClient) -> None:
    answer = post(client, "ack", until="4h", note="rolling back").json()
    assert answer["alert"]["ack"] == {
        "actor": "ada",
        "at_ms": NOW_MS,
        "until_ms": NOW_MS + 4 * 3_600_000,
        "note": "rolling back",
    }
    assert client.get("/api/v1/alerts").json()["alerts"][0]["ack"]["actor"] == "ada"


def test_an_acknowledgement_lasts_until_the_end_unless_told_otherwise(client: TestClient) -> None:
    assert post(client, "ack").json()["alert"]["ack"]["until_ms"] is None


def test_an_acknowledgement_can_be_taken_back(client: TestClient) -> None:
    post(client, "ack")
    assert post(client, "unack").json()["alert"]["ack"] is None
    assert (post(client, "unack").status_code, post(client, "unack").json()["code"]) == (409, "conflict")


def test_what_does_not_fire_cannot_be_acknowledged() -> None:
    client = Console(alerts=FakeAlerts(held=[record(state=AlertState.PENDING)])).client()
    answer = post(client, "ack")
    assert (answer.status_code, answer.json()["detail"]) == (409, f"alert '{ALERT_ID}' is pending, not firing")


@pytest.mark.parametrize("until", ["soon", "4", "0s", "366d", ""])
def test_a_time_that_cannot_be_meant_is_refused(client: TestClient, until: str) -> None:
    answer = post(client, "ack", until=until)
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "body.until")


def test_resolving_ends_an_alert_and_names_the_actor(client: TestClient) -> None:
    """After the call the alert is no longer active."""
    answer = post(client, "resolve", note="rolled back")
    assert (answer.status_code, answer.json()["alert"]["state"]) == (200, "resolved")
    assert client.get("/api/v1/alerts").json()["alerts"] == []


@pytest.mark.parametrize("action", ["ack", "unack", "resolve"])
def test_what_is_not_there_is_not_found(action: str) -> None:
    answer = post(Console().client(), action)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_alert")


@pytest.mark.parametrize("action", ["ack", "resolve"])
def test_who_comes_too_late_learns_that_it_is_over(client: TestClient, action: str) -> None:
    post(client, "resolve")
    answer = post(client, action)
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


@pytest.mark.parametrize("action", ["ack", "unack", "resolve"])
@pytest.mark.parametrize(
    "body",
    [{}, {"actor": ""}, {"actor": "x" * 129}, {"actor": "a", "force": True}, {"actor": "a", "note": "x" * 1_001}],
)
def test_a_body_without_a_proper_actor_and_note_is_refused(client: TestClient, action: str, body: object) -> None:
    assert client.post(f"{ALERT}/{action}", json=body).status_code == 422


def test_the_actor_is_the_name_of_the_token(token_client: TestClient) -> None:
    """Nobody can speak for somebody else."""
    answer = token_client.post(f"{ALERT}/ack", headers=bearer(ADMIN))
    assert answer.json()["alert"]["ack"]["actor"] == "admin"
    forged = token_client.post(f"{ALERT}/ack", headers=bearer(ADMIN), json={"actor": "mira"})
    assert (forged.status_code, forged.json()["errors"][0]["where"]) == (422, "body.actor")


@pytest.mark.parametrize("action", ["ack", "unack", "resolve"])
def test_who_may_only_read_changes_nothing(token_client: TestClient, action: str) -> None:
    assert token_client.post(f"{ALERT}/{action}", headers=bearer(READ)).status_code == 403


def test_a_request_that_is_sent_again_is_answered_again(client: TestClient) -> None:
    """The answer was lost on the way: the same key, the same entry."""
    sent = [
        client.post(f"{ALERT}/resolve", json={"actor": "ada"}, headers={"Idempotency-Key": "k1"}).json()
        for _ in range(2)
    ]
    assert sent[0] == sent[1]


def test_a_key_does_not_stand_for_two_requests(client: TestClient) -> None:
    answers = [
        client.post(f"{ALERT}/ack", json={"actor": "ada", "note": note}, headers={"Idempotency-Key": "k1"})
        for note in ("one", "two")
    ]
    assert [answer.status_code for answer in answers] == [200, 409]
    assert answers[1].json()["code"] == "key_reused"


@pytest.mark.parametrize("body", [b"{", b"\xff\x17", b"[]", b'"x"'])
def test_a_body_of_another_form_is_a_mistake_of_the_one_kind(client: TestClient, body: bytes) -> None:
    """Also where it is no text at all."""
    for path in (f"{ALERT}/ack", "/api/v1/silences"):
        answer = client.post(path, content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter"), path
