"""What amtool and karma ask, and the answers that they expect."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient

from barograph_console.settings import ConsoleSettings
from barograph_core.access.token import digest_of
from barograph_core.alerts.record import AlertState
from tests.unit.console.fakes import ALERT_ID, NOW_MS, Console, record

API = "/api/v2"
HOUR_MS = 3_600_000
MATCHER = {"name": "alertname", "value": "high-error-rate", "isRegex": False, "isEqual": True}


def text(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1_000, UTC).isoformat().replace("+00:00", "Z")


def asked(**changes: Any) -> dict[str, Any]:
    begin_and_end = {"startsAt": text(NOW_MS), "endsAt": text(NOW_MS + HOUR_MS)}
    return {"matchers": [MATCHER], **begin_and_end, "createdBy": "mira", "comment": "looking", **changes}


@pytest.fixture
def console() -> Console:
    found = Console()
    found.panes.closed = {"ranker": NOW_MS}
    pending = replace(record(), alert_id="b" * 16, state=AlertState.PENDING)
    found.alerts.held = [record(), pending]
    return found


@pytest.fixture
def client(console: Console) -> TestClient:
    return console.client()


def added(client: TestClient, **changes: Any) -> str:
    answer = client.post(f"{API}/silences", json=asked(**changes))
    assert answer.status_code == 200, answer.text
    silence_id: str = answer.json()["silenceID"]
    return silence_id


def test_status_has_every_key_that_amtool_wants(client: TestClient) -> None:
    found = client.get(f"{API}/status").json()
    assert found["cluster"] == {"status": "disabled", "peers": []}
    assert found["versionInfo"]["version"] == "0.25.0"
    assert set(found["versionInfo"]) == {"version", "revision", "branch", "buildUser", "buildDate", "goVersion"}
    assert found["config"]["original"] == 'route:\n  receiver: "none"\nreceivers:\n- name: "none"\n'


def test_only_firing_alerts_are_listed_under_their_ids(client: TestClient) -> None:
    (found,) = client.get(f"{API}/alerts").json()
    assert found["fingerprint"] == ALERT_ID
    assert found["labels"] == {
        "alertname": "high-error-rate",
        "service": "ranker",
        "severity": "error",
        "route": "/predict",
    }
    assert found["annotations"]["value"] == "0.25"
    assert found["endsAt"] == text(NOW_MS + 300_000)
    assert found["status"] == {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []}
    assert found["generatorURL"].endswith(f"/?service=ranker&alert={ALERT_ID}")


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        (["alertname=high-error-rate"], 1),
        (['alertname="high-error-rate"', "service=~rank.*"], 1),
        (["service=~rank"], 0),
        (["route!=/predict"], 0),
        (["region="], 1),
    ],
)
def test_filters_are_those_of_alertmanager(client: TestClient, filters: list[str], count: int) -> None:
    assert len(client.get(f"{API}/alerts", params={"filter": filters}).json()) == count
    groups = client.get(f"{API}/alerts/groups", params={"filter": filters}).json()
    assert sum(len(group["alerts"]) for group in groups) == count


@pytest.mark.parametrize("parameters", [{"filter": "route=~("}, {"receiver": "("}, {"filter": "nonsense"}])
def test_what_cannot_be_read_is_a_400_with_a_string(client: TestClient, parameters: dict[str, str]) -> None:
    answer = client.get(f"{API}/alerts", params=parameters)
    assert answer.status_code == 400
    assert isinstance(answer.json(), str)


def test_a_silenced_alert_is_suppressed_by_its_silence(client: TestClient) -> None:
    silence_id = added(client)
    (found,) = client.get(f"{API}/alerts").json()
    assert (found["status"]["state"], found["status"]["silencedBy"]) == ("suppressed", [silence_id])
    assert client.get(f"{API}/alerts", params={"silenced": "false"}).json() == []
    assert client.get(f"{API}/alerts", params={"active": "false"}).json() == [found]


def test_a_silence_comes_back_as_it_was_asked_for(client: TestClient) -> None:
    silence_id = added(client)
    found = client.get(f"{API}/silence/{silence_id}").json()
    assert (found["createdBy"], found["comment"], found["matchers"]) == ("mira", "looking", [MATCHER])
    assert (found["startsAt"], found["endsAt"], found["status"]) == (
        text(NOW_MS),
        text(NOW_MS + HOUR_MS),
        {"state": "active"},
    )
    assert client.get(f"{API}/silences").json() == [found]
    assert client.get(f"{API}/silences", params={"filter": "alertname=other"}).json() == []


def test_a_start_that_go_leaves_out_is_now_and_nanoseconds_are_read(client: TestClient) -> None:
    ends = text(NOW_MS + HOUR_MS).replace("Z", ".123456789Z")
    found = client.get(f"{API}/silence/{added(client, startsAt='0001-01-01T00:00:00.000Z', endsAt=ends)}").json()
    assert found["startsAt"] == text(NOW_MS)
    assert found["endsAt"].endswith(".123Z")


def test_a_later_end_keeps_the_id_and_other_matchers_do_not(client: TestClient) -> None:
    first = added(client)
    assert added(client, id=first, endsAt=text(NOW_MS + 2 * HOUR_MS)) == first
    other = added(client, id=first, matchers=[{**MATCHER, "value": "slow-responses"}])
    assert other != first
    assert client.get(f"{API}/silence/{first}").json()["status"] == {"state": "expired"}


def test_a_silence_is_ended_once(client: TestClient) -> None:
    silence_id = added(client)
    assert client.delete(f"{API}/silence/{silence_id}").status_code == 200
    again = client.delete(f"{API}/silence/{silence_id}")
    assert (again.status_code, type(again.json())) == (500, str)


def test_what_is_not_known_is_404(client: TestClient) -> None:
    unknown = "11111111-2222-4333-8444-555555555555"
    for answer in (
        client.get(f"{API}/silence/{unknown}"),
        client.delete(f"{API}/silence/{unknown}"),
        client.post(f"{API}/silences", json=asked(id=unknown)),
    ):
        assert (answer.status_code, type(answer.json())) == (404, str)


@pytest.mark.parametrize(
    "changes",
    [
        {"matchers": []},
        {"matchers": None},
        {"matchers": [{**MATCHER, "isRegex": True, "value": ".*"}]},
        {"matchers": [{**MATCHER, "isRegex": True, "value": "("}]},
        {"matchers": [{"value": "x"}]},
        {"matchers": ["alertname=x"]},
        {"endsAt": text(NOW_MS - HOUR_MS)},
        {"endsAt": "tomorrow"},
        {"endsAt": None},
    ],
)
def test_a_silence_that_cannot_be_meant_is_a_400_with_a_string(client: TestClient, changes: dict[str, Any]) -> None:
    answer = client.post(f"{API}/silences", json=asked(**changes))
    assert answer.status_code == 400, answer.text
    assert isinstance(answer.json(), str)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff"])
def test_a_body_of_another_form_is_a_400(client: TestClient, body: bytes) -> None:
    assert client.post(f"{API}/silences", content=body).status_code == 400


def test_silences_stand_active_first_then_to_come_then_ended(client: TestClient) -> None:
    late = added(client, endsAt=text(NOW_MS + 3 * HOUR_MS))
    soon = added(client, endsAt=text(NOW_MS + HOUR_MS), comment="other")
    to_come = added(client, startsAt=text(NOW_MS + HOUR_MS), endsAt=text(NOW_MS + 2 * HOUR_MS))
    ended = added(client, comment="ended")
    client.delete(f"{API}/silence/{ended}")
    assert [one["id"] for one in client.get(f"{API}/silences").json()] == [soon, late, to_come, ended]


def test_a_read_token_reads_and_an_admin_token_gives_its_name(client_of: Callable[[str], TestClient]) -> None:
    reader, admin = client_of("r" * 40), client_of("a" * 40)
    assert reader.get(f"{API}/alerts").status_code == 200
    assert reader.post(f"{API}/silences", json=asked()).status_code == 403
    assert TestClient(reader.app, base_url="http://127.0.0.1:8642").get(f"{API}/alerts").status_code == 401
    silence_id = added(admin)
    assert reader.delete(f"{API}/silence/{silence_id}").status_code == 403
    assert reader.get(f"{API}/silence/{silence_id}").json()["createdBy"] == "admin"


@pytest.fixture
def client_of(console: Console) -> Callable[[str], TestClient]:
    """Return what makes clients of one console, each with a token."""
    console.settings = ConsoleSettings(read_token_sha256=digest_of("r" * 40), admin_token_sha256=digest_of("a" * 40))
    app = console.client().app

    def make(token: str) -> TestClient:
        return TestClient(app, base_url="http://127.0.0.1:8642", headers={"Authorization": f"Bearer {token}"})

    return make
