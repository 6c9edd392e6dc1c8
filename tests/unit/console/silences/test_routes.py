"""People mute alerts through the API, see what that mutes, and end it."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from barograph_console.settings import ConsoleSettings
from tests.unit.console.access.test_access import ADMIN, READ, bearer, digest
from tests.unit.console.example_console import example_console
from tests.unit.console.fakes import ALERT_ID, NOW_MS, Console, FakeAlerts, record

SILENCES = "/api/v1/silences"
HOUR = 3_600_000
MATCHERS = [{"name": "alertname", "value": record().rule}]


@pytest.fixture
def console() -> Console:
    return Console(alerts=FakeAlerts(held=[record()]))


@pytest.fixture
def client(console: Console) -> TestClient:
    return console.client()


def body(**changes: Any) -> dict[str, Any]:
    return {"matchers": MATCHERS, "lasts": "2h", "comment": "deploy", "actor": "ada", **changes}


def add(client: TestClient, **changes: Any) -> Any:
    answer = client.post(SILENCES, json=body(**changes))
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_silence_is_added_and_stands_at_the_alerts_it_mutes(client: TestClient) -> None:
    added = add(client)
    assert (added["state"], added["starts_at_ms"], added["ends_at_ms"]) == ("active", NOW_MS, NOW_MS + 2 * HOUR)
    assert (added["actor"], added["comment"], added["hits"]) == ("ada", "deploy", 0)
    assert client.get(SILENCES).json()["silences"] == [added]
    assert client.get("/api/v1/alerts").json()["alerts"][0]["silenced_by"] == [added["id"]]
    assert client.get(f"/api/v1/alerts/{ALERT_ID}").json()["silenced_by"] == [added["id"]]


def test_a_preview_says_what_would_be_muted(client: TestClient) -> None:
    assert client.post(f"{SILENCES}/preview", json={"matchers": MATCHERS}).json() == {"alerts": 1, "ids": [ALERT_ID]}
    other = [{"name": "route", "value": "/x.*", "isRegex": True}]
    assert client.post(f"{SILENCES}/preview", json={"matchers": other}).json() == {"alerts": 0, "ids": []}
    assert client.get(SILENCES).json()["silences"] == []


def test_a_later_start_is_pending(client: TestClient) -> None:
    added = add(client, starts_at_ms=NOW_MS + HOUR)
    assert (added["state"], added["ends_at_ms"]) == ("pending", NOW_MS + 3 * HOUR)
    assert client.get("/api/v1/alerts").json()["alerts"][0]["silenced_by"] == []


def test_the_same_matchers_and_start_keep_the_id(client: TestClient) -> None:
    added = add(client)
    longer = client.put(
        f"{SILENCES}/{added['id']}", json=body(starts_at_ms=added["starts_at_ms"], lasts="5h", comment="longer")
    ).json()
    assert (longer["id"], longer["ends_at_ms"], longer["comment"]) == (added["id"], NOW_MS + 5 * HOUR, "longer")


def test_other_matchers_make_another_silence_and_end_this_one(client: TestClient) -> None:
    added = add(client)
    other = client.put(
        f"{SILENCES}/{added['id']}",
        json=body(starts_at_ms=added["starts_at_ms"], matchers=[{"name": "route", "value": "/x"}]),
    ).json()
    assert other["id"] != added["id"]
    assert [one["id"] for one in client.get(SILENCES).json()["silences"]] == [other["id"]]
    ended = client.get(SILENCES, params={"ended": True}).json()["silences"][1]
    assert (ended["id"], ended["state"], ended["ended_by"]) == (added["id"], "expired", "ada")


def test_a_silence_is_ended_once(client: TestClient) -> None:
    added = add(client)
    path = f"{SILENCES}/{added['id']}"
    ended = client.delete(path, params={"actor": "bob", "note": "done"}).json()
    assert (ended["state"], ended["ends_at_ms"], ended["ended_by"]) == ("expired", NOW_MS, "bob")
    again = client.delete(path, params={"actor": "bob"})
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


def test_a_request_to_end_a_silence_whose_answer_was_lost_can_be_sent_again(client: TestClient) -> None:
    """Under the same key it has the same answer; under another one the silence is over already."""
    added = add(client)
    path, asked = f"{SILENCES}/{added['id']}", {"actor": "bob", "note": "done"}
    first = client.delete(path, params=asked, headers={"Idempotency-Key": "k1"})
    again = client.delete(path, params=asked, headers={"Idempotency-Key": "k1"})
    assert (again.status_code, again.json()) == (200, first.json())
    other = client.delete(path, params=asked, headers={"Idempotency-Key": "k2"})
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    reused = client.delete(path, params={**asked, "note": "other"}, headers={"Idempotency-Key": "k1"})
    assert (reused.status_code, reused.json()["code"]) == (409, "key_reused")


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"matchers": [{"name": "route", "value": ".*", "isRegex": True}]}, "body.matchers"),
        ({"matchers": [{"name": "service", "value": ".+", "isRegex": True}]}, "body.matchers"),
        ({"matchers": [{"name": "route", "value": "(", "isRegex": True}]}, "body.matchers.0"),
        ({"matchers": []}, "body.matchers"),
        ({"matchers": [{"name": "route", "value": "x"}] * 21}, "body.matchers"),
        ({"lasts": "soon"}, "body.lasts"),
        ({"lasts": "0s"}, "body.ends_at_ms"),
        ({"ends_at_ms": NOW_MS + 5}, "body.lasts"),
        ({"lasts": "", "ends_at_ms": NOW_MS}, "body.ends_at_ms"),
        ({"lasts": ""}, "body.ends_at_ms"),
        ({"comment": "x" * 1_001}, "body.comment"),
        ({"actor": ""}, "body.actor"),
        ({"id": "x"}, "body.id"),
    ],
)
def test_what_cannot_be_meant_names_its_place(client: TestClient, changes: dict[str, Any], where: str) -> None:
    answer = client.post(SILENCES, json=body(**changes))
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, where)
    assert client.get(SILENCES).json()["silences"] == []


def test_an_unknown_silence_is_not_found(client: TestClient) -> None:
    answers = [
        client.delete(f"{SILENCES}/nope", params={"actor": "ada"}),
        client.put(f"{SILENCES}/nope", json=body()),
    ]
    assert [(one.status_code, one.json()["code"]) for one in answers] == [(404, "unknown_silence")] * 2


def test_a_request_that_is_sent_again_adds_one_silence(client: TestClient) -> None:
    headers = {"Idempotency-Key": "k1"}
    first, again = (client.post(SILENCES, json=body(), headers=headers).json() for _ in range(2))
    assert first == again
    assert len(client.get(SILENCES).json()["silences"]) == 1
    reused = client.post(SILENCES, json=body(comment="other"), headers=headers)
    assert (reused.status_code, reused.json()["code"]) == (409, "key_reused")


def test_only_admins_mute_and_the_token_says_who_did() -> None:
    settings = ConsoleSettings(read_token_sha256=digest(READ), admin_token_sha256=digest(ADMIN))
    client = Console(settings=settings, alerts=FakeAlerts(held=[record()])).client()
    nameless = body()
    del nameless["actor"]
    added = client.post(SILENCES, json=nameless, headers=bearer(ADMIN)).json()
    assert added["actor"] == "admin"
    assert client.get(SILENCES, headers=bearer(READ)).status_code == 200
    path = f"{SILENCES}/{added['id']}"
    refused = [
        client.post(SILENCES, json=nameless, headers=bearer(READ)),
        client.post(f"{SILENCES}/preview", json={"matchers": MATCHERS}, headers=bearer(READ)),
        client.put(path, json=nameless, headers=bearer(READ)),
        client.delete(path, headers=bearer(READ)),
    ]
    assert [one.status_code for one in refused] == [403] * 4
    assert client.delete(path, params={"actor": "mira"}, headers=bearer(ADMIN)).status_code == 422


def test_the_overview_shows_silences_that_may_mute_its_alerts() -> None:
    """Not those of other services, nor those that are over."""
    console = example_console()
    client = console.client()
    add(client, matchers=[{"name": "service", "value": "shop"}])
    own = add(client, matchers=[{"name": "service", "value": "rank.*", "isRegex": True}])
    over = add(client)
    client.delete(f"{SILENCES}/{over['id']}", params={"actor": "ada"})
    shown = client.get("/api/v1/overview", params={"service": "ranker"}).json()["silences"]
    assert {one["id"] for one in shown} == {own["id"], "5f0c2a5e-7f0b-4a51-9d0c-1d2f6f1e9a77"}
