"""Webhooks of PagerDuty, version 3, signed as PagerDuty documents it."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from barograph_console.hooks.asked import UnreadableError
from barograph_console.hooks.pagerduty import read_pagerduty
from barograph_console.hooks.signature import SignatureError, check_pagerduty
from barograph_console.settings import ConsoleSettings
from barograph_core.access.token import digest_of
from barograph_core.alerts.record import AlertState
from tests.unit.console.fakes import ALERT_ID, NOW_MS, Console, record

SECRET = "pd-s3cret"  # noqa: S105
EPISODE = hashlib.sha256(f"{ALERT_ID}\n{NOW_MS - 60_000}".encode()).hexdigest()[:32]
EARLIER = hashlib.sha256(f"{ALERT_ID}\n{NOW_MS - 960_000}".encode()).hexdigest()[:32]
MINUTE_MS = 60_000
DAY_MS = 1_440 * MINUTE_MS
MIRA = {"id": "PLH1HKV", "summary": "Mira Lind", "type": "user_reference"}


def event(kind: str = "acknowledged", *, event_id: str = "01E", at_ms: int = NOW_MS, **changes: Any) -> bytes:
    facts = {
        "id": event_id,
        "event_type": f"incident.{kind}",
        "resource_type": "incident",
        "occurred_at": datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat().replace("+00:00", "Z"),
        "agent": MIRA,
        "data": {"id": "PGR0VU2", "type": "incident", "incident_key": EPISODE, "status": kind},
        **changes,
    }
    return json.dumps({"event": facts}).encode()


def signature(body: bytes, secret: str = SECRET) -> str:
    return "v1=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def post(client: TestClient, body: bytes, signed: str | None = None) -> Response:
    header = signature(body) if signed is None else signed
    return client.post("/hooks/pagerduty", content=body, headers={"X-PagerDuty-Signature": header})


@pytest.fixture
def console() -> Console:
    found = Console(ConsoleSettings(pagerduty_signing_secret=SECRET, admin_token_sha256=digest_of("t0ken")))
    found.alerts.held = [record(alert_id="b" * 16), record()]
    return found


@pytest.fixture
def client(console: Console) -> TestClient:
    return console.client()


def is_unchanged(console: Console) -> bool:
    return console.alerts.held == [record(alert_id="b" * 16), record()]


def test_an_acknowledged_incident_acknowledges_its_alert(console: Console, client: TestClient) -> None:
    answer = post(client, event())
    assert (answer.status_code, answer.content) == (200, b"")
    other, ours = console.alerts.held
    assert other.ack is None
    assert ours.ack is not None
    assert (ours.ack.actor, ours.ack.note) == ("Mira Lind", "in PagerDuty")


def test_an_acknowledgement_that_ran_out_there_ends_here(console: Console, client: TestClient) -> None:
    post(client, event())
    assert post(client, event("unacknowledged", event_id="02E", agent=None)).status_code == 200
    assert console.alerts.held[1].ack is None


def test_a_resolution_by_a_person_resolves_by_hand(console: Console, client: TestClient) -> None:
    assert post(client, event("resolved")).status_code == 200
    assert (console.alerts.held[1].state, console.alerts.held[1].is_muted) == (AlertState.RESOLVED, True)


@pytest.mark.parametrize("kind", ["resolved", "acknowledged"])
@pytest.mark.parametrize("agent", [None, {"id": "P1", "summary": "barograph", "type": "integration_reference"}])
def test_what_a_program_did_changes_nothing(console: Console, client: TestClient, agent: object, kind: str) -> None:
    """Ours comes back so. It must not mute the alert, nor take the place of the person who acknowledged it."""
    assert post(client, event(kind, agent=agent)).status_code == 200
    assert is_unchanged(console)


def test_an_event_that_comes_again_is_applied_once(console: Console, client: TestClient) -> None:
    post(client, event())
    post(client, event("unacknowledged", event_id="02E"))
    assert post(client, event()).status_code == 200
    assert console.alerts.held[1].ack is None


def test_one_good_signature_of_several_will_do(console: Console, client: TestClient) -> None:
    """PagerDuty signs with both secrets while one takes the other's place."""
    body = event()
    assert post(client, body, f"{signature(body, 'new')}, {signature(body)}").status_code == 200
    assert console.alerts.held[1].ack is not None


@pytest.mark.parametrize("signed", ["", ",", "v1=", "v1=é", "v2=" + signature(event())[3:]])
def test_what_is_no_signature_is_refused(signed: str) -> None:
    with pytest.raises(SignatureError, match="X-PagerDuty-Signature"):
        check_pagerduty(SECRET, {"x-pagerduty-signature": signed}, event())


def test_a_signature_with_another_secret_is_refused(console: Console, client: TestClient) -> None:
    assert post(client, event(), signature(event(), "other")).status_code == 401
    assert is_unchanged(console)


def test_an_event_of_yesterday_is_refused(console: Console, client: TestClient) -> None:
    """What was applied is forgotten after a day."""
    assert post(client, event(at_ms=NOW_MS - DAY_MS)).status_code == 401
    assert is_unchanged(console)


@pytest.mark.parametrize("off_ms", [-DAY_MS + 4 * MINUTE_MS, 6 * MINUTE_MS])
def test_an_event_that_could_come_after_it_is_forgotten_is_refused(off_ms: int) -> None:
    with pytest.raises(SignatureError, match="occurred_at"):
        read_pagerduty(event(at_ms=NOW_MS + off_ms), NOW_MS)


@pytest.mark.parametrize("off_ms", [-DAY_MS + 6 * MINUTE_MS, 4 * MINUTE_MS])
def test_an_event_that_was_tried_for_hours_counts(off_ms: int) -> None:
    assert read_pagerduty(event(at_ms=NOW_MS + off_ms), NOW_MS) is not None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"\xff",
        b"[]",
        b"{}",
        b"[" * 50_000,
        b'{"event": 7}',
        event(id=""),
        event(event_type=None),
        event(occurred_at="yesterday"),
        event(occurred_at="2026-11-30T08:00:00"),
    ],
)
def test_what_pagerduty_does_not_write_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        read_pagerduty(body, NOW_MS)


def test_what_cannot_be_read_is_refused(console: Console, client: TestClient) -> None:
    answer = post(client, event(id=""))
    assert (answer.status_code, answer.json()["code"]) == (400, "unreadable")
    assert is_unchanged(console)


@pytest.mark.parametrize(
    "body",
    [
        event(event_type="pagey.ping", data={"message": "Hello from your friend Pagey!"}),
        event("triggered"),
        event(data={"id": "P1", "incident_key": None}),
        event(data={"id": "P1", "incident_key": "disk-full/web-1"}),
        event(data={"id": "P1", "incident_key": EARLIER}),
    ],
)
def test_what_is_about_no_alert_of_ours_changes_nothing(console: Console, client: TestClient, body: bytes) -> None:
    """PagerDuty ends a webhook whose events are refused again and again."""
    assert post(client, body).status_code == 200
    assert is_unchanged(console)


def test_without_a_secret_there_is_no_route() -> None:
    """Slack's secret opens Slack's hook alone."""
    client = Console(ConsoleSettings(slack_signing_secret=SECRET)).client()
    assert post(client, event()).status_code == 404
