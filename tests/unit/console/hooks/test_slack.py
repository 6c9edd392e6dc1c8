"""Buttons of Slack's messages, signed as Slack documents it."""

import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from barograph_console.hooks.asked import UnreadableError
from barograph_console.hooks.signature import SignatureError, check_slack
from barograph_console.hooks.slack import read_slack
from barograph_console.settings import ConsoleSettings
from barograph_core.access.token import digest_of
from barograph_core.alerts.by_hand import resolve_by_hand
from tests.unit.console.fakes import ALERT_ID, NOW_MS, Console, record

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"  # noqa: S105 - Slack's documentation has it
NOW_S = NOW_MS // 1_000
EPISODE = hashlib.sha256(f"{ALERT_ID}\n{NOW_MS - 60_000}".encode()).hexdigest()[:32]
EARLIER = hashlib.sha256(f"{ALERT_ID}\n{NOW_MS - 960_000}".encode()).hexdigest()[:32]


def pressed(action: str = "barograph_acknowledge", *, at: str = "1700000000.1", value: str = "") -> dict[str, Any]:
    button = {"action_id": action, "type": "button", "value": value or f"{ALERT_ID} {EPISODE}", "action_ts": at}
    user = {"id": "U0MIRA", "username": "mira", "name": "mira", "team_id": "T0"}
    return {"type": "block_actions", "user": user, "trigger_id": "1.2.3", "actions": [button]}


def form(payload: object) -> bytes:
    return urlencode({"payload": json.dumps(payload)}).encode()


def signature(body: bytes, at_s: object, secret: str = SECRET) -> str:
    return "v0=" + hmac.new(secret.encode(), f"v0:{at_s}:".encode() + body, hashlib.sha256).hexdigest()


def headers(signed: str, at_s: object = NOW_S) -> dict[str, str]:
    return {"x-slack-request-timestamp": str(at_s), "x-slack-signature": signed}


def post(client: TestClient, body: bytes, *, at_s: object = NOW_S, signed: str | None = None) -> Response:
    given = headers(signature(body, at_s) if signed is None else signed, at_s)
    return client.post("/hooks/slack", content=body, headers=given)


@pytest.fixture
def console() -> Console:
    # A token is set: the hooks are asked without one all the same.
    found = Console(ConsoleSettings(slack_signing_secret=SECRET, admin_token_sha256=digest_of("t0ken")))
    found.alerts.held = [record()]
    return found


@pytest.fixture
def client(console: Console) -> TestClient:
    return console.client()


def test_the_button_acknowledges_under_the_name_of_who_pressed_it(console: Console, client: TestClient) -> None:
    answer = post(client, form(pressed()))
    assert (answer.status_code, answer.content) == (200, b"")
    ack = console.alerts.held[0].ack
    assert ack is not None
    assert (ack.actor, ack.at_ms, ack.until_ms, ack.note) == ("mira", NOW_MS, None, "in Slack")


def test_the_other_button_takes_it_back(console: Console, client: TestClient) -> None:
    post(client, form(pressed()))
    assert post(client, form(pressed("barograph_take_back", at="1700000001.1"))).status_code == 200
    assert console.alerts.held[0].ack is None


def test_a_request_that_comes_again_is_applied_once(console: Console, client: TestClient) -> None:
    """Somebody who took a copy cannot acknowledge again what was taken back meanwhile."""
    post(client, form(pressed()))
    post(client, form(pressed("barograph_take_back", at="1700000001.1")))
    assert post(client, form(pressed())).status_code == 200
    assert console.alerts.held[0].ack is None


@pytest.mark.parametrize("signed", ["", "v0=", "v0=é", "v1=" + "0" * 64])
def test_what_is_no_signature_is_refused(signed: str) -> None:
    with pytest.raises(SignatureError, match="X-Slack-Signature"):
        check_slack(SECRET, headers(signed), b"payload={}", NOW_MS)


def test_a_signature_with_another_secret_is_refused(console: Console, client: TestClient) -> None:
    body = form(pressed())
    answer = post(client, body, signed=signature(body, NOW_S, "other"))
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_signature")
    assert SECRET not in answer.text
    assert console.alerts.held == [record()]


def test_a_signature_of_another_body_is_refused(console: Console, client: TestClient) -> None:
    signed = signature(form(pressed()), NOW_S)
    assert post(client, form(pressed("barograph_take_back")), signed=signed).status_code == 401
    assert console.alerts.held == [record()]


def test_a_copy_of_an_old_request_is_refused(console: Console, client: TestClient) -> None:
    assert post(client, form(pressed()), at_s=NOW_S - 301).status_code == 401
    assert console.alerts.held == [record()]


@pytest.mark.parametrize("at_s", [NOW_S - 301, NOW_S + 301, "", "now", "-1", "1e9", "9" * 40])
def test_a_time_that_is_not_now_is_refused(at_s: object) -> None:
    with pytest.raises(SignatureError, match="X-Slack-Request-Timestamp"):
        check_slack(SECRET, headers(signature(b"", at_s), at_s), b"", NOW_MS)


@pytest.mark.parametrize("at_s", [NOW_S - 300, NOW_S + 300])
def test_clocks_may_differ_by_five_minutes(at_s: int) -> None:
    check_slack(SECRET, headers(signature(b"", at_s), at_s), b"", NOW_MS)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"payload=",
        b"payload=nonsense",
        b"payload=[1]",
        b"payload=" + b"[" * 20_000,
        b"payload={}&payload={}",
        b"&".join([b"a=1"] * 20),
        form({"type": 7}),
        form({**pressed(), "user": "mira"}),
        form(pressed(at="")),
        form(pressed(value="0123456789abcdef")),
        form(pressed(value="../../etc " + EPISODE)),
    ],
)
def test_what_slack_does_not_write_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        read_slack(body)


def test_what_cannot_be_read_is_refused(console: Console, client: TestClient) -> None:
    answer = post(client, form(pressed(value="0123456789abcdef")))
    assert (answer.status_code, answer.json()["code"]) == (400, "unreadable")
    assert (
        answer.json()["detail"] == "payload.actions[0]: the button's value '0123456789abcdef' is no alert and episode"
    )
    assert console.alerts.held == [record()]


@pytest.mark.parametrize(
    "payload",
    [
        pressed("another_app_s_button"),
        {**pressed(), "actions": []},
        {**pressed(), "actions": "none"},
        {**pressed(), "actions": ["none"]},
        {"type": "view_submission"},
    ],
)
def test_what_else_the_same_app_sends_asks_for_nothing(payload: object) -> None:
    assert read_slack(form(payload)) is None


def test_what_asks_for_nothing_is_let_pass(console: Console, client: TestClient) -> None:
    assert post(client, form({"type": "view_submission"})).status_code == 200
    assert console.alerts.held == [record()]


def test_a_button_of_an_earlier_episode_changes_nothing(
    console: Console, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    assert post(client, form(pressed(value=f"{ALERT_ID} {EARLIER}"))).status_code == 200
    assert console.alerts.held == [record()]
    assert [one.__dict__["reason"] for one in caplog.records if one.message == "console.hook_ignored"] == [
        "other_state_or_episode"
    ]


def test_a_button_of_an_alert_that_is_over_changes_nothing(console: Console, client: TestClient) -> None:
    over, _ = resolve_by_hand(record(), actor="kim", note="", now_ms=NOW_MS)
    console.alerts.held = [over]
    assert post(client, form(pressed())).status_code == 200
    assert console.alerts.held == [over]


def test_unknown_alerts_are_counted_in_the_log(
    console: Console, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    console.alerts.held = []
    assert [post(client, form(pressed())).status_code for _ in range(2)] == [200, 200]
    found = [one.__dict__ for one in caplog.records if one.message == "console.hook_ignored"]
    assert [(one["tool"], one["reason"], one["ignored"]) for one in found] == [
        ("Slack", "unknown_alert", 1),
        ("Slack", "unknown_alert", 2),
    ]


def test_a_name_cannot_command_a_terminal_or_fill_the_stream(console: Console, client: TestClient) -> None:
    payload = pressed()
    payload["user"]["name"] = "\x1b[2J\n" + "m" * 1_000
    post(client, form(payload))
    ack = console.alerts.held[0].ack
    assert ack is not None
    assert ack.actor == "\N{REPLACEMENT CHARACTER}[2J " + "m" * 122 + "…"


def test_what_may_succeed_later_asks_to_be_sent_again(console: Console, client: TestClient) -> None:
    console.alerts.is_contended = True
    answer = post(client, form(pressed()))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")


def test_a_body_beyond_64_kib_is_refused_unread(client: TestClient) -> None:
    assert post(client, b"payload=" + b"x" * 65_536).status_code == 413


def test_without_a_secret_there_is_no_route() -> None:
    """An empty secret must not be one that anybody can sign with."""
    client = Console(ConsoleSettings()).client()
    body = form(pressed())
    assert post(client, body, signed=signature(body, NOW_S, "")).status_code == 404


def test_the_description_of_the_api_leaves_the_hooks_out(client: TestClient) -> None:
    paths = client.get("/api/v1/openapi.json", headers={"Authorization": "Bearer t0ken"}).json()["paths"]
    assert not [path for path in paths if "hooks" in path]


def test_settings_never_show_the_secret() -> None:
    assert SECRET not in repr(ConsoleSettings(slack_signing_secret=SECRET))
