"""The route for events: every form of body, what is answered, and who may call it."""

import base64
import gzip
import json
from typing import Any

import pytest

from barograph_console.settings import ConsoleSettings
from barograph_core.access.token import Role, Token
from barograph_core.errors import StreamUnavailableError
from tests.support import FakeClock
from tests.unit.console.access.test_access import READ, bearer, digest
from tests.unit.console.fakes import NOW_MS, Console, FakeAccess, FakeEventLog

INGEST = "/api/v1/ingest"
EVENT: dict[str, Any] = {"kind": "custom", "service": "web", "name": "queue", "value": 3, "at_ms": NOW_MS}
CLOUD: dict[str, Any] = {
    "specversion": "1.0",
    "id": "1",
    "source": "/web",
    "type": "barograph.custom.v1",
    "time": "2023-11-14T22:13:20Z",
    "data": {"name": "queue", "value": 3},
}
COUNTS = ("accepted", "duplicate", "rejected", "late", "early")


class Sender:
    """A console over a log in memory, and somebody who sends."""

    def __init__(self) -> None:
        clock = FakeClock(NOW_MS)
        self.log = FakeEventLog(clock)
        self.client = Console(events=self.log, clock=clock).client()

    def send(self, body: object, media_type: str = "application/json", query: str = "", **headers: str) -> Any:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {"Content-Type": media_type, **{name.replace("_", "-"): text for name, text in headers.items()}}
        return self.client.post(f"{INGEST}{query}", content=raw, headers=named)

    def counts(self, *sent: Any, **headers: str) -> tuple[int, ...]:
        answer = self.send(*sent, **headers)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        return tuple(found[name] for name in COUNTS)


@pytest.fixture
def sender() -> Sender:
    return Sender()


def lines(*rows: object) -> bytes:
    return b"\n".join(row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows)


@pytest.mark.parametrize(("body", "count"), [(EVENT, 1), ([EVENT], 1), ([EVENT, EVENT, EVENT], 3)])
def test_an_event_or_an_array_is_taken(sender: Sender, body: Any, count: int) -> None:
    """What has no identity counts each time that it is sent."""
    assert sender.counts(body) == (count, 0, 0, 0, 0)
    assert [event.labels for event in sender.log.events] == [("queue",)] * count
    assert sender.log.senders == ["anonymous"]


@pytest.mark.parametrize("media_type", ["application/x-ndjson", "application/jsonl", "application/x-jsonlines"])
def test_lines_are_taken_one_by_one(sender: Sender, media_type: str) -> None:
    answer = sender.send(lines(EVENT, b"", b"{", {**EVENT, "value": "x"}, CLOUD), media_type).json()
    assert [answer[name] for name in COUNTS] == [2, 0, 2, 0, 0]
    assert [(one["index"], one["line"], one["where"]) for one in answer["errors"]] == [(1, 3, ""), (2, 4, "value")]
    assert "column 2" in answer["errors"][0]["message"]


def test_a_cloud_event_is_one_in_each_of_its_modes(sender: Sender) -> None:
    """Source and id make it the same, however it comes."""
    assert sender.counts(CLOUD, "application/cloudevents+json") == (1, 0, 0, 0, 0)
    assert sender.counts([CLOUD, CLOUD], "application/cloudevents-batch+json") == (0, 2, 0, 0, 0)
    assert sender.counts(CLOUD) == (0, 1, 0, 0, 0)
    headers = {f"ce_{name}": CLOUD[name] for name in ("specversion", "id", "source", "type", "time")}
    assert sender.counts(CLOUD["data"], **headers) == (0, 1, 0, 0, 0)
    untyped = sender.client.post(
        INGEST,
        content=json.dumps(CLOUD["data"]),
        headers={name.replace("_", "-"): text for name, text in headers.items()},
    )
    assert untyped.json()["duplicate"] == 1
    packed = base64.b64encode(json.dumps(CLOUD["data"]).encode()).decode()
    other = {**CLOUD, "id": "2", "data_base64": packed}
    assert sender.counts(other, "application/cloudevents+json; charset=utf-8") == (1, 0, 0, 0, 0)
    first, second = sender.log.events
    assert (first.service, first.at_ms, first.kind.name) == ("web", NOW_MS, "custom")
    assert second.values == (3.0,)


def test_the_headers_of_a_cloud_event_may_be_percent_encoded(sender: Sender) -> None:
    assert sender.counts(CLOUD, "application/cloudevents+json") == (1, 0, 0, 0, 0)
    same = {"ce_specversion": "1.0", "ce_id": "%31", "ce_source": "%2Fweb", "ce_type": CLOUD["type"]}
    assert sender.counts(CLOUD["data"], **same) == (0, 1, 0, 0, 0)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"id": ""}, "id"),
        ({"id": 7}, "id"),
        ({"source": "x" * 1_025}, "source"),
        ({"type": "com.example.order"}, "type"),
        ({"time": "soon"}, "time"),
        ({"data": {"name": "queue"}}, "data.value"),
        ({"data": {"kind": "model"}}, "data.kind"),
        ({"data": [1]}, "data"),
        ({"source": "https://web.example/", "data": {"name": "q", "value": 1}}, "data.service"),
        ({"data_base64": "!"}, "data"),
        ({"data_base64": 5}, "data"),
    ],
)
def test_what_is_wrong_with_a_cloud_event_is_told_and_the_others_are_taken(
    sender: Sender, changes: dict[str, Any], where: str
) -> None:
    answer = sender.send([{**CLOUD, "id": "2"}, {**CLOUD, **changes}], "application/cloudevents-batch+json").json()
    assert [answer[name] for name in COUNTS] == [1, 0, 1, 0, 0]
    assert [one["where"] for one in answer["errors"]] == [where]


def test_a_repetition_with_a_key_is_answered_as_the_first_was(sender: Sender) -> None:
    sent = ([EVENT, EVENT, {**EVENT, "value": "x"}],)
    first = sender.counts(*sent, Idempotency_Key="run-1")
    assert first == (2, 0, 1, 0, 0)
    assert sender.counts(*sent, Idempotency_Key="run-1") == first
    assert len(sender.log.events) == 2
    assert sender.counts(*sent, Idempotency_Key="run-2") == first
    refused = sender.send([EVENT], Idempotency_Key="run-1")
    assert (refused.status_code, refused.json()["code"]) == (409, "key_reused")


def test_a_key_holds_for_the_same_body_however_it_is_compressed(sender: Sender) -> None:
    packed = gzip.compress(json.dumps([EVENT]).encode())
    assert sender.counts([EVENT], Idempotency_Key="k") == (1, 0, 0, 0, 0)
    assert sender.counts(packed, Idempotency_Key="k", Content_Encoding="gzip") == (1, 0, 0, 0, 0)
    assert len(sender.log.events) == 1


def test_late_and_early_events_are_refused_with_the_reason(sender: Sender) -> None:
    rows = [EVENT, {**EVENT, "at_ms": NOW_MS - 700_000}, {**EVENT, "at_ms": NOW_MS + 700_000}]
    answer = sender.send(rows).json()
    assert [answer[name] for name in COUNTS] == [1, 0, 0, 1, 1]
    assert [(one["index"], one["where"]) for one in answer["errors"]] == [(1, "at_ms"), (2, "at_ms")]
    assert "11 min 40 s old" in answer["errors"][0]["message"]
    assert "ahead of the server's clock" in answer["errors"][1]["message"]


@pytest.mark.parametrize("bad", [{**EVENT, "value": "x"}, {**EVENT, "at_ms": NOW_MS - 700_000}])
def test_strict_is_all_or_nothing(sender: Sender, bad: dict[str, Any]) -> None:
    answer = sender.send([EVENT, bad], query="?strict=true")
    assert (answer.status_code, answer.json()["code"]) == (422, "nothing_taken")
    assert answer.json()["detail"].startswith("strict: nothing was written")
    assert answer.json()["errors"][0]["where"].startswith("body.1.")
    assert sender.log.events == []
    assert sender.send([EVENT, EVENT], query="?strict=true").json()["accepted"] == 2


def test_where_nothing_is_taken_that_is_an_error_which_names_the_line(sender: Sender) -> None:
    answer = sender.send(lines(b"", {**EVENT, "value": "x"}, b"5"), "application/x-ndjson")
    assert answer.status_code == 422
    assert [one["where"] for one in answer.json()["errors"]] == ["body.line 2.value", "body.line 3"]
    assert answer.json()["detail"].startswith("no event was taken: 2 rejected; body.line 2.value is 'x'")


def test_no_events_are_no_error(sender: Sender) -> None:
    assert sender.counts([]) == sender.counts(b"", "application/x-ndjson") == (0, 0, 0, 0, 0)


def test_at_most_ten_mistakes_are_listed(sender: Sender) -> None:
    answer = sender.send([EVENT, *([5] * 20)]).json()
    assert (answer["rejected"], len(answer["errors"])) == (20, 10)


@pytest.mark.parametrize(
    ("body", "media_type", "status", "code"),
    [
        (b"{", "application/json", 422, "unreadable_body"),
        (b"\xff", "application/json", 422, "unreadable_body"),
        (b"[" * 100_000, "application/json", 422, "unreadable_body"),
        (b'{"specversion":"1.0"', "application/cloudevents+json", 422, "unreadable_body"),
        (b"[]", "application/cloudevents+json", 422, "unreadable_body"),
        (b"{}", "application/cloudevents-batch+json", 422, "unreadable_body"),
        (b"[]", "text/plain", 415, "unsupported_media_type"),
        (b"[]", "application/json; charset=latin-1", 415, "unsupported_media_type"),
        (b"a" * 1_048_577, "application/json", 413, "body_too_large"),
        (b"[" + b"5," * 5_000 + b"5]", "application/json", 413, "too_many_events"),
        (b"5\n" * 5_001, "application/x-ndjson", 413, "too_many_events"),
        (
            json.dumps([{**EVENT, "service": f"s{number}"} for number in range(101)]).encode(),
            "application/json",
            422,
            "too_many_services",
        ),
    ],
    ids=lambda value: value[:12].decode(errors="replace") if isinstance(value, bytes) else str(value),
)
def test_a_body_that_cannot_be_taken_is_refused_as_a_whole(
    sender: Sender, body: bytes, media_type: str, status: int, code: str
) -> None:
    answer = sender.send(body, media_type)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert sender.log.events == []


def test_a_bomb_is_refused(sender: Sender) -> None:
    answer = sender.send(gzip.compress(b" " * (64 << 20), 9), Content_Encoding="gzip")
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_a_service_may_be_named_once_for_all(sender: Sender) -> None:
    row = {name: value for name, value in EVENT.items() if name != "service"}
    assert sender.send([row, EVENT], query="?service=shop").json()["accepted"] == 2
    assert [event.service for event in sender.log.events] == ["shop", "web"]
    refused = sender.send([row], query="?service=a%20b")
    assert (refused.status_code, refused.json()["errors"][0]["where"]) == (422, "query.service")


def test_a_server_that_is_full_says_when_to_come_again(sender: Sender) -> None:
    sender.log.error = StreamUnavailableError("out_of_memory", "OOM")
    answer = sender.send([EVENT])
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "out_of_memory", "2")


@pytest.mark.parametrize(("role", "status"), [("ingest", 200), ("admin", 200), ("read", 403), ("alerts", 403)])
def test_the_role_ingest_is_enough_and_its_name_stands_in_the_entries(role: str, status: int) -> None:
    clock = FakeClock(NOW_MS)
    log = FakeEventLog(clock)
    access = FakeAccess([Token("1", digest("secret"), "shop-api", Role(role))])
    settings = ConsoleSettings(read_token_sha256=digest(READ))
    client = Console(settings=settings, access=access, events=log, clock=clock).client()
    assert client.post(INGEST, json=[EVENT], headers=bearer("secret")).status_code == status
    assert client.post(INGEST, json=[EVENT]).status_code == 401
    assert log.senders == (["shop-api"] if status == 200 else [])
