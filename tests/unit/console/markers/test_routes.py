"""Builds tell what they did to a service; charts and alerts name it."""

from typing import Any

import pytest

from barograph_console.settings import ConsoleSettings
from barograph_core.access.token import Role, Token
from tests.unit.console.access.test_access import READ, bearer, digest
from tests.unit.console.fakes import ALERT_ID, NOW_MS, Console, FakeAccess, FakeAlerts, record

MARKERS = "/api/v1/markers"
CI = "ci-secret"


def body(**changes: Any) -> dict[str, Any]:
    return {"service": "ranker", "title": "api 2.15", "actor": "ci", **changes}


def add(console: Console, headers: dict[str, str] | None = None, **changes: Any) -> Any:
    answer = console.client().post(MARKERS, json=body(**changes), headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_marker_that_is_told_stands_in_lists_and_overview() -> None:
    console = Console()
    told = add(console, at="-2m", url="https://ci.example/17", key="ci:17")
    assert told == {
        "at_ms": NOW_MS - 120_000,
        "kind": "deploy",
        "title": "api 2.15",
        "key": "ci:17",
        "url": "https://ci.example/17",
        "actor": "ci",
    }
    client = console.client()
    assert client.get(f"{MARKERS}?service=ranker").json() == {"service": "ranker", "markers": [told]}
    assert client.get(f"{MARKERS}?service=ranker&from=-1m").json()["markers"] == []
    assert client.get("/api/v1/overview?service=ranker").json()["markers"] == [told]


def test_one_that_was_told_this_moment_is_listed() -> None:
    console = Console()
    add(console)
    client = console.client()
    assert len(client.get(f"{MARKERS}?service=ranker").json()["markers"]) == 1
    assert len(client.get("/api/v1/overview?service=ranker&range=24h").json()["markers"]) == 1
    fixed = f"from={NOW_MS - 3_600_000}&to={NOW_MS - 600_000}"
    assert client.get(f"/api/v1/overview?service=ranker&{fixed}").json()["markers"] == []


@pytest.mark.parametrize("by", ["body", "header"])
def test_an_attempt_that_is_repeated_tells_it_once(by: str) -> None:
    console = Console()
    headers, key = ({"Idempotency-Key": "run-17"}, "") if by == "header" else ({}, "run-17")
    first = add(console, headers, key=key)
    console.clock.advance(5_000)
    assert add(console, headers, key=key) == first
    assert first["at_ms"] == NOW_MS
    refused = console.client().post(MARKERS, json=body(key=key, title="api 2.16"), headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (409, "key_reused")


def test_without_a_key_each_is_another() -> None:
    console = Console()
    assert add(console)["key"] != add(console)["key"]


def test_an_alert_that_began_soon_after_names_it() -> None:
    """``record`` fires since 50 s; what came later, or long before, is not its cause."""
    console = Console(alerts=FakeAlerts(held=[record(fired_at_ms=NOW_MS - 50_000)]))
    for at, title in (("-40m", "long before"), ("-3m", "api 2.14"), ("-2m", "api 2.15"), ("-10s", "after")):
        add(console, at=at, title=title)
    found = console.client().get(f"/api/v1/alerts/{ALERT_ID}").json()["markers"]
    assert [one["title"] for one in found] == ["api 2.15", "api 2.14"]


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"kind": "Deploy"}, "body.kind"),
        ({"kind": "release"}, "body.kind"),
        ({"title": "\x1b[2J"}, "body.title"),
        ({"url": "javascript:alert(1)"}, "body.url"),
        ({"at": "soon"}, "body.at"),
        ({"at": NOW_MS + 3_600_000}, "body.at"),
        ({"at": 17}, "body.at"),
        ({"actor": ""}, "body.actor"),
        ({"colour": "red"}, "body.colour"),
    ],
)
def test_what_nobody_can_mean_is_refused(changes: dict[str, Any], where: str) -> None:
    console = Console()
    answer = console.client().post(MARKERS, json=body(**changes))
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, where)
    assert console.markers.told == {}


def test_a_service_that_is_not_there_is_a_slip() -> None:
    answer = Console().client().post(MARKERS, json=body(service="rankr"))
    assert (answer.status_code, answer.json()["errors"][0]["suggestions"]) == (404, ["ranker"])


@pytest.mark.parametrize(
    ("role", "posts", "gets"), [("ingest", 200, 403), ("read", 403, 200), ("alerts", 403, 403), ("admin", 200, 200)]
)
def test_a_build_needs_no_more_than_the_role_ingest(role: str, posts: int, gets: int) -> None:
    token = Token("1", digest(CI), "build", Role(role))
    console = Console(settings=ConsoleSettings(read_token_sha256=digest(READ)), access=FakeAccess([token]))
    client = console.client()
    answer = client.post(MARKERS, json=body(actor=""), headers=bearer(CI))
    assert answer.status_code == posts
    if posts == 200:
        assert answer.json()["actor"] == "build"
    assert client.get(f"{MARKERS}?service=ranker", headers=bearer(CI)).status_code == gets
    assert client.post(MARKERS, json=body()).status_code == 401
