import hashlib

import pytest
from fastapi.testclient import TestClient

from barograph_console.settings import ConsoleSettings
from barograph_core.errors import SettingsError
from barograph_core.settings.config_file import ConfigFile
from barograph_core.settings.load import build_settings, describe
from tests.unit.console.fakes import ALERT_ID, Console, FakeAlerts, record

READ, ADMIN = "read-secret", "admin-secret"
RESOLVE = f"/api/v1/alerts/{ALERT_ID}/resolve"


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def guarded() -> Console:
    settings = ConsoleSettings(host="0.0.0.0", read_token_sha256=digest(READ), admin_token_sha256=digest(ADMIN).upper())
    return Console(settings=settings, alerts=FakeAlerts(held=[record()]))


@pytest.fixture(scope="module")
def guarded_client() -> TestClient:
    return guarded().client()


@pytest.fixture(scope="module")
def open_client() -> TestClient:
    return Console(alerts=FakeAlerts(held=[record()])).client()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(
    ("method", "path", "token", "status"),
    [
        ("GET", "/api/v1/alerts", "", 401),
        ("GET", "/api/v1/alerts", "wrong", 401),
        ("GET", "/api/v1/alerts", digest(READ), 401),
        ("GET", "/api/v1/alerts", READ, 200),
        ("GET", "/api/v1/alerts", ADMIN, 200),
        ("GET", "/", "", 401),
        ("GET", "/livez", "", 200),
        ("POST", RESOLVE, "", 401),
        ("POST", RESOLVE, READ, 403),
        ("POST", RESOLVE, ADMIN, 200),
    ],
)
def test_tokens_open_what_they_are_for(
    guarded_client: TestClient, method: str, path: str, token: str, status: int
) -> None:
    """Reading needs the read or the admin token, changing the admin token; health checks need none."""
    headers = bearer(token) if token else {}
    json = {"note": "done"} if method == "POST" else None
    assert guarded_client.request(method, path, headers=headers, json=json).status_code == status


def test_with_only_a_read_token_nothing_can_be_changed() -> None:
    """No admin token set means nobody is admin, not everybody."""
    console = guarded()
    console.settings = ConsoleSettings(read_token_sha256=digest(READ))
    answer = console.client().post(RESOLVE, headers=bearer(READ), json={"actor": "ada"})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8642", 200),
        ("localhost:8642", 200),
        ("[::1]:8642", 200),
        ("LOCALHOST", 200),
        ("10.1.2.3:8642", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("evil.example:8642", 421),
        ("", 421),
    ],
)
def test_without_tokens_only_known_names_are_served(open_client: TestClient, host: str, status: int) -> None:
    """A page that rebinds its own DNS name to this machine is refused."""
    answer = open_client.get("/api/v1/alerts", headers={"Host": host})
    assert answer.status_code == status


def test_further_names_can_be_allowed() -> None:
    console = Console(settings=ConsoleSettings(allowed_hosts=("Console",)))
    assert console.client().get("/api/v1/alerts", headers={"Host": "console:8642"}).status_code == 200


def test_health_checks_are_served_under_any_name(open_client: TestClient) -> None:
    """Orchestrators call by addresses and names of their own."""
    assert open_client.get("/livez", headers={"Host": "pod-7"}).status_code == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:8642", 200),
        ("http://127.0.0.1:3000", 403),
        ("https://evil.example", 403),
        ("null", 403),
        ("http://[", 403),
    ],
)
def test_pages_of_other_origins_cannot_make_changes(open_client: TestClient, origin: str, status: int) -> None:
    """A browser names the page that asks; only the console's own may change anything."""
    answer = open_client.post(RESOLVE, headers={"Origin": origin}, json={"actor": "ada"})
    assert answer.status_code == status


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "example.org"])
def test_listening_beyond_loopback_without_a_token_is_refused(host: str) -> None:
    """The console does not start open to the network by accident, and says what to do."""
    with pytest.raises(SettingsError, match="allow_anonymous"):
        build_settings(ConsoleSettings, "console", {}, {"BAROGRAPH_CONSOLE_HOST": host}, ConfigFile())


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "localhost", "::1"])
def test_on_loopback_no_token_is_needed(host: str) -> None:
    assert not ConsoleSettings(host=host).is_exposed


def test_anonymous_access_is_an_express_wish() -> None:
    settings = build_settings(
        ConsoleSettings,
        "console",
        {"host": "0.0.0.0"},
        {"BAROGRAPH_CONSOLE_ALLOW_ANONYMOUS": "true"},
        ConfigFile(),
    )
    assert settings.is_exposed


def test_a_token_in_place_of_its_hash_is_refused_and_not_shown() -> None:
    """Whoever pastes the token itself is told, without the token in the message."""
    environ = {"BAROGRAPH_CONSOLE_ADMIN_TOKEN_SHA256": ADMIN}
    with pytest.raises(SettingsError) as caught:
        build_settings(ConsoleSettings, "console", {}, environ, ConfigFile())
    assert "SHA-256" in str(caught.value)
    assert ADMIN not in str(caught.value)


def test_hashes_are_not_printed() -> None:
    settings = ConsoleSettings(read_token_sha256=digest(READ))
    assert digest(READ) not in str(describe(settings)) + repr(settings)
