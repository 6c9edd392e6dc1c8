"""Signing in and out, and what a session may do."""

from http.cookies import SimpleCookie

import pytest
from fastapi.testclient import TestClient

from barograph_console.settings import ConsoleSettings
from barograph_core.access.session import Session
from barograph_core.access.token import Role, Token, digest_of, new_token
from barograph_core.errors import StreamUnavailableError
from tests.unit.console.fakes import ALERT_ID, NOW_MS, Console, FakeAccess, FakeAlerts, record

SESSION = "/api/v1/session"
ALERTS = "/api/v1/alerts"
RESOLVE = f"{ALERTS}/{ALERT_ID}/resolve"
ORIGIN = {"Origin": "http://127.0.0.1:8642"}
OURS = {**ORIGIN, "X-Barograph": "1"}
DAY_MS = 86_400_000


def console_with(role: Role, expires_ms: int = 0) -> tuple[Console, str, Token]:
    secret, token = new_token("mira", role, now_ms=NOW_MS, expires_ms=expires_ms)
    access = FakeAccess(held=[token])
    return Console(alerts=FakeAlerts(held=[record()]), access=access), secret, token


def sign_in(client: TestClient, secret: str) -> None:
    answer = client.post(SESSION, json={"token": secret}, headers=ORIGIN)
    assert answer.status_code == 200, answer.text


def test_a_token_is_exchanged_for_a_session() -> None:
    """The cookie works where the token did, and the store holds neither of them, only digests."""
    console, secret, token = console_with(Role.READ)
    client = console.client()
    assert client.get(ALERTS).status_code == 401
    answer = client.post(SESSION, json={"token": secret}, headers=ORIGIN)
    assert answer.json() == {"name": "mira", "role": "read"}
    assert client.get(ALERTS).status_code == 200
    assert client.get(SESSION).json() == {"name": "mira", "role": "read"}
    (cookie,) = client.cookies.jar
    (digest,) = console.access.sessions
    assert digest == digest_of(str(cookie.value))
    assert secret not in str(console.access.sessions) + str(console.access.held)
    assert console.access.sessions[digest] == Session(token.token_id, "mira", Role.READ, NOW_MS, NOW_MS)


@pytest.mark.parametrize(
    ("origin", "name", "is_secure"),
    [("http://127.0.0.1:8642", "barograph", False), ("https://127.0.0.1:8642", "__Host-barograph", True)],
)
def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(origin: str, name: str, is_secure: bool) -> None:
    """Over TLS it bears the prefix that binds it to this host."""
    console, secret, _ = console_with(Role.READ)
    answer = console.client().post(SESSION, json={"token": secret}, headers={"Origin": origin})
    cookie = SimpleCookie(answer.headers["set-cookie"])[name]
    assert (cookie["httponly"], cookie["samesite"].lower(), cookie["path"]) == (True, "strict", "/")
    assert bool(cookie["secure"]) is is_secure
    assert cookie["domain"] == ""
    assert cookie["max-age"] == str(7 * 86_400)


def test_a_browser_without_a_session_gets_the_page_for_signing_in() -> None:
    """Under the URL it asked for, each time anew; programs get the error, and with a session there is the page."""
    console, secret, _ = console_with(Role.READ)
    client = console.client()
    browser = {"Accept": "text/html"}
    first = client.get("/?service=ranker", headers=browser)
    assert (first.status_code, first.headers["cache-control"]) == (401, "no-store")
    assert 'action="/api/v1/session"' in first.text
    assert "Content-Security-Policy" in first.headers
    assert client.get("/", headers={"Accept": "*/*"}).status_code == 401
    sign_in(client, secret)
    page = client.get("/?service=ranker", headers=browser)
    assert page.status_code == 200
    assert page.text != first.text
    client.cookies.clear()
    again = client.get("/", headers={**browser, "If-None-Match": page.headers["etag"]})
    assert (again.status_code, again.text) == (401, first.text)


def test_while_the_server_is_away_the_page_is_there_and_not_the_sign_in() -> None:
    """It says what is wrong; nobody is asked for a token that may not be needed."""
    client = Console(access=FakeAccess(error=StreamUnavailableError("unreachable", "gone"))).client()
    answer = client.get("/", headers={"Accept": "text/html"})
    assert answer.status_code == 200
    assert "/api/v1/session" not in answer.text


def test_a_form_signs_in_without_a_script() -> None:
    console, secret, _ = console_with(Role.READ)
    client = console.client()
    answer = client.post(SESSION, data={"token": secret}, headers=ORIGIN, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert client.get(ALERTS).status_code == 200


def test_each_sign_in_gives_a_new_session_and_ends_the_old_one() -> None:
    """A session id that somebody planted or saw before is worth nothing afterwards."""
    console, secret, _ = console_with(Role.READ)
    client = console.client()
    sign_in(client, secret)
    (first,) = console.access.sessions
    sign_in(client, secret)
    (second,) = console.access.sessions
    assert first != second


def test_signing_out_ends_the_session_on_the_server() -> None:
    """The cookie is worth nothing then, also for somebody who kept it."""
    console, secret, _ = console_with(Role.READ)
    client = console.client()
    sign_in(client, secret)
    kept = {cookie.name: str(cookie.value) for cookie in client.cookies.jar}
    answer = client.delete(SESSION, headers=OURS)
    assert answer.status_code == 204
    assert console.access.sessions == {}
    assert client.get(ALERTS, headers={"Cookie": "; ".join(f"{k}={v}" for k, v in kept.items())}).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (OURS, 200),
        ({}, 403),
        (ORIGIN, 403),
        ({"X-Barograph": "1"}, 403),
        ({"Origin": "https://evil.example", "X-Barograph": "1"}, 403),
        ({"Origin": "null", "X-Barograph": "1"}, 403),
    ],
)
def test_a_change_with_a_cookie_comes_from_our_own_page(headers: dict[str, str], status: int) -> None:
    """A page elsewhere can make a browser send the cookie, but neither our origin nor our header."""
    console, secret, _ = console_with(Role.ADMIN)
    client = console.client()
    sign_in(client, secret)
    assert client.post(RESOLVE, json={"actor": "mira"}, headers=headers).status_code == status


def test_signing_out_is_a_change_like_others() -> None:
    console, secret, _ = console_with(Role.READ)
    client = console.client()
    sign_in(client, secret)
    assert client.delete(SESSION, headers=ORIGIN).status_code == 403
    assert client.get(ALERTS).status_code == 200


def test_a_page_elsewhere_cannot_sign_a_browser_in() -> None:
    console, secret, _ = console_with(Role.READ)
    answer = console.client().post(SESSION, json={"token": secret}, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403


@pytest.mark.parametrize("role", [Role.READ, Role.INGEST, Role.ALERTS])
def test_only_an_admin_changes_anything(role: Role) -> None:
    """Neither with the token nor with a session begun with it."""
    console, secret, _ = console_with(role)
    client = console.client()
    bearer = {"Authorization": f"Bearer {secret}"}
    assert client.post(RESOLVE, json={"actor": "x"}, headers=bearer).status_code == 403
    sign_in(client, secret)
    assert client.post(RESOLVE, json={"actor": "x"}, headers=OURS).status_code == 403
    assert client.get(ALERTS).status_code == (200 if role is Role.READ else 403)


def test_revoking_a_token_ends_its_sessions_within_five_seconds() -> None:
    console, secret, _ = console_with(Role.READ)
    client = console.client()
    sign_in(client, secret)
    console.access.held = []
    console.clock.advance(4_000)
    client.get(ALERTS)
    console.clock.advance(900)
    assert client.get(ALERTS).status_code == 401
    assert client.get(ALERTS, headers={"Authorization": f"Bearer {secret}"}).status_code == 401


def test_once_there_was_a_token_the_console_stays_closed() -> None:
    """The last token is revoked, or the server is flushed: that opens nothing."""
    console, secret, _ = console_with(Role.READ)
    client = console.client()
    assert client.get(ALERTS).status_code == 401
    console.access.held = []
    console.clock.advance(60_000)
    assert client.get(ALERTS).status_code == 401
    assert client.get(ALERTS, headers={"Authorization": f"Bearer {secret}"}).status_code == 401


def test_a_new_token_counts_at_once() -> None:
    """Whoever makes a token and uses it does not wait for the list to be read again."""
    console, _, _ = console_with(Role.READ)
    client = console.client()
    assert client.get(ALERTS).status_code == 401
    secret, token = new_token("tom", Role.READ, now_ms=NOW_MS)
    console.access.held.append(token)
    console.clock.advance(300)
    assert client.get(ALERTS, headers={"Authorization": f"Bearer {secret}"}).status_code == 200


def test_a_token_expires_and_its_sessions_with_it() -> None:
    console, secret, _ = console_with(Role.READ, expires_ms=NOW_MS + 3_600_000)
    client = console.client()
    sign_in(client, secret)
    console.clock.advance(3_599_000)
    assert client.get(ALERTS).status_code == 200
    console.clock.advance(1_000)
    assert client.get(ALERTS).status_code == 401
    assert client.get(ALERTS, headers={"Authorization": f"Bearer {secret}"}).status_code == 401


def test_a_session_slides_for_twelve_hours_at_a_time_and_seven_days_in_all() -> None:
    """Used, it goes on; left alone for twelve hours it is over, and after seven days in any case."""
    console, secret, _ = console_with(Role.READ)
    client = console.client()
    sign_in(client, secret)
    for _ in range(14):
        console.clock.advance(DAY_MS // 2 - 1_000)
        assert client.get(ALERTS).status_code == 200
    console.clock.advance(14_000)
    assert client.get(ALERTS).status_code == 401
    sign_in(client, secret)
    console.clock.advance(DAY_MS // 2)
    assert client.get(ALERTS).status_code == 401


def test_five_wrong_tokens_a_minute_and_no_more() -> None:
    """Beyond, right ones are refused as well; sessions go on, and after a minute all is forgotten."""
    console, secret, _ = console_with(Role.READ)
    client = console.client()
    sign_in(client, secret)
    right = {"Authorization": f"Bearer {secret}"}
    for number in range(5):
        assert client.get(ALERTS, headers={"Authorization": f"Bearer guess-{number}"}).status_code == 401
    refused = client.get(ALERTS, headers=right)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "61")
    assert client.post(SESSION, json={"token": secret}, headers=ORIGIN).status_code == 429
    assert client.get(ALERTS).status_code == 200
    console.clock.advance(61_000)
    assert client.get(ALERTS, headers=right).status_code == 200


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"token": 5}', b'{"token": "' + b"x" * 2_000 + b'"}', b"\xff"])
def test_a_sign_in_without_a_token_is_refused(body: bytes) -> None:
    console, _, _ = console_with(Role.READ)
    answer = console.client().post(SESSION, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422


def test_the_empty_token_opens_nothing_even_if_its_digest_is_stored() -> None:
    """What `printf %s "$UNSET" | sha256sum` gives must not let everybody in."""
    access = FakeAccess(held=[Token("aa", digest_of(""), "slip", Role.ADMIN)])
    client = Console(access=access).client()
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer"}):
        assert client.get(ALERTS, headers=headers).status_code == 401
    assert client.post(SESSION, json={"token": ""}, headers=ORIGIN).status_code == 401


def test_while_nobody_knows_whether_there_is_a_token_nobody_is_let_in() -> None:
    """The server is away from the start: 503, and not an open door."""
    away = FakeAccess(error=StreamUnavailableError("unreachable", "gone"))
    client = Console(access=away).client()
    assert client.get(ALERTS).status_code == 503
    assert client.get("/livez").status_code == 200
    closed = Console(access=away, settings=ConsoleSettings(admin_token_sha256=digest_of("a"))).client()
    assert closed.get(ALERTS).status_code == 401
    assert closed.get(ALERTS, headers={"Authorization": "Bearer a"}).status_code == 200


def test_while_the_server_is_away_nobody_is_signed_out() -> None:
    """Their requests say what is wrong; the page would otherwise ask everyone for their token."""
    console, secret, _ = console_with(Role.READ)
    client = console.client()
    sign_in(client, secret)
    assert client.get(SESSION).status_code == 200
    console.access.error = StreamUnavailableError("unreachable", "gone")
    console.clock.advance(30_000)
    assert client.get(SESSION).status_code == 200


def test_without_any_token_everyone_is_an_admin_without_a_name() -> None:
    client = Console().client()
    assert client.get(SESSION).json() == {"name": "", "role": "admin"}
    assert client.post(SESSION, json={"token": ""}).json() == {"name": "", "role": "admin"}


def test_the_day_of_the_last_use_is_noted() -> None:
    console, secret, token = console_with(Role.READ)
    console.client().get(ALERTS, headers={"Authorization": f"Bearer {secret}"})
    assert console.access.used == {token.token_id: "2023-11-14"}
