"""Alerts as other programs push them: what is read, what is bounded, what is refused, and who may."""

import json
from typing import Any

import pytest

from barograph_console.alertmanager.pushed_wire import PushError, read_pushes
from barograph_core.access.token import Role, new_token
from barograph_core.alerts.record import AlertRecord, AlertState, Severity
from barograph_core.pushed.pushed_alert import PushedAlert
from tests.unit.console.fakes import NOW_MS, Console, FakeAccess, FakeAlerts, FakePanes, record

GO_NOTHING = "0001-01-01T00:00:00.000Z"
LABELS = {"alertname": "DiskFull", "job": "node", "instance": "a:9100"}


def read_one(**fields: Any) -> PushedAlert:
    read = read_pushes([{"labels": LABELS} | fields], NOW_MS)
    assert read.problems == []
    return read.alerts[0]


def problem_of(**fields: Any) -> str:
    read = read_pushes([{"labels": LABELS} | fields], NOW_MS)
    assert read.alerts == []
    return read.problems[0]


def test_an_alert_of_prometheus_is_read() -> None:
    """With times of nine digits after the point, as Go writes them."""
    alert = read_one(
        startsAt="2023-11-14T22:13:10.123456789Z",
        endsAt="2023-11-14T22:17:20.123456789Z",
        annotations={"summary": "disk is full"},
        generatorURL="http://prometheus:9090/graph?g0.expr=up",
    )
    assert alert == PushedAlert(
        service="node",
        alertname="DiskFull",
        labels={"job": "node", "instance": "a:9100"},
        starts_ms=NOW_MS - 9_877,
        ends_ms=NOW_MS + 240_123,
        annotations={"summary": "disk is full"},
        source_url="http://prometheus:9090/graph?g0.expr=up",
    )


@pytest.mark.parametrize(
    "nothing", [{}, {"startsAt": GO_NOTHING, "endsAt": GO_NOTHING}, {"startsAt": "", "endsAt": ""}]
)
def test_times_that_are_left_out_are_now_and_in_five_minutes(nothing: dict[str, str]) -> None:
    alert = read_one(**nothing)
    assert (alert.starts_ms, alert.ends_ms) == (NOW_MS, NOW_MS + 300_000)


def test_an_end_in_the_past_needs_no_start() -> None:
    alert = read_one(endsAt="2023-11-14T22:00:00Z")
    assert alert.starts_ms == alert.ends_ms < NOW_MS


@pytest.mark.parametrize(
    ("labels", "service"),
    [
        ({"service": "ranker", "job": "node"}, "ranker"),
        ({"job": "node"}, "node"),
        ({"job": "monitoring/node exporter"}, "monitoring_node_exporter"),
        ({"service": "é" * 80}, "_" * 64),
        ({}, "prometheus"),
    ],
)
def test_it_belongs_to_a_service(labels: dict[str, str], service: str) -> None:
    assert read_one(labels={"alertname": "X"} | labels).service == service


def test_labels_without_a_value_are_none() -> None:
    assert read_one(labels=LABELS | {"empty": ""}).labels == {"job": "node", "instance": "a:9100"}


def test_an_alert_without_a_name_has_one() -> None:
    assert read_one(labels={"job": "node"}).alertname == "unnamed"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"labels": None}, "has no labels"),
        ({"labels": {}}, "has no labels"),
        ({"labels": {"a": ""}}, "no label with a value"),
        ({"labels": {"alertname": "x" * 121}}, "at most 120 characters"),
        ({"labels": {"a\nb": "c"}}, "not a name of a label"),
        ({"labels": {"a": 3}}, "label 'a' is no text"),
        ({"labels": {"a": "x" * 1_025}}, "label 'a' is no text of at most 1,024"),
        ({"labels": {f"l{number}": "x" for number in range(51)}}, "has 51 labels"),
        ({"startsAt": "yesterday"}, "startsAt 'yesterday' is no time"),
        ({"startsAt": "2023-11-14T22:00:00Z", "endsAt": "2023-11-14T21:00:00Z"}, "endsAt lies before startsAt"),
    ],
)
def test_what_cannot_be_meant_is_named(fields: dict[str, Any], words: str) -> None:
    assert words in problem_of(**fields)


def test_a_problem_names_the_alert() -> None:
    assert problem_of(startsAt="x").startswith("alert 0 (DiskFull): ")


def test_texts_are_cut_and_links_that_are_none_are_left_out() -> None:
    """They only explain: the alert itself must not be lost for them."""
    many = {f"a{number:02}": "x" * 3_000 for number in range(40)} | {"n": 3}
    alert = read_one(annotations=many, generatorURL="javascript:alert(1)")
    assert len(alert.annotations) == 32
    assert {len(text) for text in alert.annotations.values()} == {2_000}
    assert alert.source_url == ""


@pytest.mark.parametrize("body", [{}, "x", None, 3])
def test_a_body_that_is_no_list_is_refused(body: object) -> None:
    with pytest.raises(PushError, match="no JSON list"):
        read_pushes(body, NOW_MS)


def test_a_request_has_at_most_a_thousand() -> None:
    with pytest.raises(PushError, match=r"at most 1,000 .* 1,001"):
        read_pushes([{"labels": LABELS}] * 1_001, NOW_MS)


def test_a_push_is_answered_with_nothing() -> None:
    console = Console()
    answer = console.client().post("/api/v2/alerts", json=[{"labels": LABELS}])
    assert (answer.status_code, answer.content) == (200, b"")
    assert [one.alertname for one in console.pushes.taken] == ["DiskFull"]


def test_good_ones_are_taken_beside_bad_ones() -> None:
    console = Console()
    bad: list[dict[str, dict[str, str]]] = [{"labels": {}}, {"labels": LABELS | {"service": "full"}}]
    answer = console.client().post("/api/v2/alerts", json=[{"labels": LABELS}, *bad])
    assert answer.status_code == 400
    assert answer.json() == "alert 1: has no labels; DiskFull: there is no room"
    assert len(console.pushes.taken) == 1


def test_many_problems_are_named_in_part() -> None:
    answer = Console().client().post("/api/v2/alerts", content=b"[" + b"{}," * 11 + b"{}]")
    assert answer.json().endswith("alert 9: has no labels; and 2 more")


@pytest.mark.parametrize("body", [b"", b"[", b"{}", b"\xff", b"[" * 10_000])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    answer = Console().client().post("/api/v2/alerts", content=body)
    assert answer.status_code == 400
    assert isinstance(answer.json(), str)


def test_a_large_body_of_many_alerts_is_taken() -> None:
    """Prometheus pushes up to 256 at once, with texts."""
    alerts = [{"labels": LABELS | {"n": str(n)}, "annotations": {"summary": "x" * 2_000}} for n in range(256)]
    console = Console()
    assert console.client().post("/api/v2/alerts", json=alerts).status_code == 200
    assert len(console.pushes.taken) == 256


@pytest.mark.parametrize(("role", "status"), [(Role.READ, 403), (Role.ALERTS, 200), (Role.ADMIN, 200)])
def test_who_may_push(role: Role, status: int) -> None:
    secret, token = new_token("prom", role, now_ms=NOW_MS)
    client = Console(access=FakeAccess([token])).client()
    headers = {"Authorization": f"Bearer {secret}"}
    assert client.post("/api/v2/alerts", json=[{"labels": LABELS}], headers=headers).status_code == status


def pushed_record() -> AlertRecord:
    return record(
        rule="ext/DiskFull",
        service="node",
        labels={"job": "node", "severity": "page"},
        severity=Severity.CRITICAL,
        value=None,
        threshold=None,
        fired_at_ms=NOW_MS - 30_000,
        ends_ms=NOW_MS + 200_000,
        annotations={"summary": "disk is full", "dashboard": "d1"},
        source_url="http://prometheus:9090/graph",
        summary="disk is full",
    )


def pushed_console() -> Console:
    return Console(panes=FakePanes({"node": NOW_MS}), alerts=FakeAlerts([pushed_record()]))


def test_a_pushed_alert_is_shown_as_it_was_pushed() -> None:
    (found,) = pushed_console().client().get("/api/v2/alerts").json()
    assert found["labels"] == {"alertname": "DiskFull", "job": "node", "severity": "page", "service": "node"}
    assert found["annotations"] == {"summary": "disk is full", "dashboard": "d1"}
    assert found["generatorURL"] == "http://prometheus:9090/graph"
    assert (found["startsAt"], found["endsAt"]) == ("2023-11-14T22:12:50Z", "2023-11-14T22:16:40Z")
    (group,) = pushed_console().client().get("/api/v2/alerts/groups").json()
    assert group["labels"] == {"alertname": "DiskFull"}


@pytest.mark.parametrize("matcher", ["alertname=DiskFull", "severity=page", "rule=~ext/.*", "job=node", "service=node"])
def test_a_silence_by_its_own_labels_mutes_it(matcher: str) -> None:
    client = pushed_console().client()
    name, _, value = matcher.partition("=")
    wanted = {"name": name, "value": value.removeprefix("~"), "isRegex": value.startswith("~"), "isEqual": True}
    body = {"matchers": [wanted], "endsAt": "2023-11-14T23:00:00Z", "createdBy": "mira", "comment": "known"}
    silence = client.post("/api/v2/silences", content=json.dumps(body)).json()["silenceID"]
    (found,) = client.get("/api/v2/alerts").json()
    assert found["status"] == {"state": "suppressed", "silencedBy": [silence], "inhibitedBy": [], "mutedBy": []}


def test_our_own_list_says_until_when_it_stands() -> None:
    client = pushed_console().client()
    (row,) = client.get("/api/v1/alerts").json()["alerts"]
    assert (row["rule"], row["severity"], row["state"]) == ("ext/DiskFull", "critical", AlertState.FIRING.value)
    assert row["ends_at_ms"] == NOW_MS + 200_000
    full = client.get(f"/api/v1/alerts/{row['id']}").json()
    assert full["annotations"]["dashboard"] == "d1"
    assert full["source_url"] == "http://prometheus:9090/graph"
