"""OTLP over HTTP: both encodings, what is answered, and the client that the project ships."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from barograph_console.ingest.otlp import protobuf_form
from barograph_core.errors import StreamUnavailableError
from tests.support import FakeClock
from tests.unit.console.access.test_access import READ, guarded
from tests.unit.console.fakes import NOW_MS, Console, FakeEventLog

TRACES = "/v1/traces"
PROTOBUF = "application/x-protobuf"
NOW_NS = NOW_MS * 1_000_000


def attribute(name: str, value: str | int) -> dict[str, Any]:
    return {"key": name, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}


def span(number: int = 1, *, age_ms: int = 0, **changes: Any) -> dict[str, Any]:
    end_ns = NOW_NS - age_ms * 1_000_000
    return {
        "traceId": f"{number:032x}",
        "spanId": f"{number:016x}",
        "name": "GET /a",
        "kind": 2,
        "startTimeUnixNano": str(end_ns - 20_000_000),
        "endTimeUnixNano": str(end_ns),
        "attributes": [
            attribute("http.request.method", "GET"),
            attribute("http.route", "/a"),
            attribute("http.response.status_code", 503),
            {"key": "tags", "value": {"arrayValue": {"values": [{"stringValue": "x"}]}}},
        ],
        "status": {"code": 2},
        **changes,
    }


def export(*spans: dict[str, Any], service: str = "web") -> dict[str, Any]:
    resource = {"attributes": [attribute("service.name", service)] if service else []}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": list(spans)}]}]}


def as_protobuf(document: dict[str, Any]) -> bytes:
    message = ExportTraceServiceRequest()
    for of_resource in document["resourceSpans"]:
        target = message.resource_spans.add()
        for pair in of_resource["resource"]["attributes"]:
            target.resource.attributes.add(key=pair["key"]).value.string_value = pair["value"]["stringValue"]
        for one in of_resource["scopeSpans"][0]["spans"]:
            made = target.scope_spans.add().spans.add(
                trace_id=bytes.fromhex(one["traceId"]),
                span_id=bytes.fromhex(one["spanId"]),
                name=one["name"],
                kind=one["kind"],
                start_time_unix_nano=int(one["startTimeUnixNano"]),
                end_time_unix_nano=int(one["endTimeUnixNano"]),
            )
            made.status.code = one["status"]["code"]
            for pair in one["attributes"]:
                value = made.attributes.add(key=pair["key"]).value
                if "stringValue" in pair["value"]:
                    value.string_value = pair["value"]["stringValue"]
                elif "intValue" in pair["value"]:
                    value.int_value = int(pair["value"]["intValue"])
                else:
                    value.array_value.values.add().string_value = "x"
    packed: bytes = message.SerializeToString()
    return packed


class Exporter:
    def __init__(self) -> None:
        clock = FakeClock(NOW_MS)
        self.log = FakeEventLog(clock)
        self.client = Console(events=self.log, clock=clock).client()

    def post(self, body: bytes, media_type: str, path: str = TRACES, **headers: str) -> Any:
        named = {"Content-Type": media_type, **{name.replace("_", "-"): text for name, text in headers.items()}}
        return self.client.post(path, content=body, headers=named)

    def send(self, document: dict[str, Any], media_type: str) -> Any:
        """Return the answer as JSON has it, whichever way it came."""
        body = as_protobuf(document) if media_type == PROTOBUF else json.dumps(document).encode()
        answer = self.post(body, media_type)
        assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
        if media_type != PROTOBUF:
            return answer.json()
        found = ExportTraceServiceResponse.FromString(answer.content).partial_success
        count, message = found.rejected_spans, found.error_message
        return {"partialSuccess": {"rejectedSpans": str(count), "errorMessage": message}} if count else {}


@pytest.fixture
def exporter() -> Exporter:
    return Exporter()


each_encoding = pytest.mark.parametrize("media_type", [PROTOBUF, "application/json"])


@each_encoding
def test_a_span_is_counted_once_however_often_it_is_sent(exporter: Exporter, media_type: str) -> None:
    document = export(span(1), span(2, kind=3), span(3))
    assert exporter.send(document, media_type) == exporter.send(document, media_type) == {}
    assert [event.labels for event in exporter.log.events] == [("/a", "GET", 503)] * 2
    assert {(event.values, event.at_ms, event.service) for event in exporter.log.events} == {((20.0,), NOW_MS, "web")}
    assert set(exporter.log.senders) == {"otlp:anonymous"}


def test_both_encodings_mean_the_same_event(exporter: Exporter) -> None:
    exporter.send(export(span()), PROTOBUF)
    exporter.send(export(span()), "application/json")
    assert len(exporter.log.events) == 1


@each_encoding
def test_spans_that_cannot_be_counted_are_told_as_a_partial_success(exporter: Exporter, media_type: str) -> None:
    document = export(span(1), span(2, age_ms=700_000), span(3, startTimeUnixNano="0"), span(4, age_ms=-700_000))
    partial = exporter.send(document, media_type)["partialSuccess"]
    assert partial["rejectedSpans"] == "3"
    assert "1 × spans ended more than 10m ago" in partial["errorMessage"]
    assert "endTimeUnixNano" in partial["errorMessage"]
    assert len(exporter.log.events) == 1


@each_encoding
def test_without_a_service_the_mend_is_told(exporter: Exporter, media_type: str) -> None:
    assert (
        "OTEL_SERVICE_NAME" in exporter.send(export(span(), service=""), media_type)["partialSuccess"]["errorMessage"]
    )


def test_an_export_may_be_compressed_and_empty(exporter: Exporter) -> None:
    packed = gzip.compress(as_protobuf(export(span())))
    assert exporter.post(packed, PROTOBUF, Content_Encoding="gzip").status_code == 200
    assert exporter.post(b"", PROTOBUF).status_code == 200
    assert exporter.post(b"{}", "application/json").json() == {}
    assert len(exporter.log.events) == 1


def test_more_spans_than_one_call_takes_go_in_several(exporter: Exporter) -> None:
    document = export(*(span(number) for number in range(1, 6_001)))
    assert exporter.send(document, PROTOBUF) == {}
    assert len(exporter.log.events) == 6_000
    assert len(exporter.log.senders) == 2


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"\xff\xff", PROTOBUF, 400),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"resourceSpans": 5}', "application/json", 400),
        (b'{"resourceSpans": [5]}', "application/json", 400),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "zz"}]}]}]}', "application/json", 400),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"endTimeUnixNano": "soon"}]}]}]}', "application/json", 400),
        (gzip.compress(b" " * (64 << 20), 9), "application/json", 413),
    ],
    ids=["bytes", "json", "array", "number", "numbers", "id", "time", "bomb"],
)
def test_an_export_that_cannot_be_read_is_refused_for_good(
    exporter: Exporter, body: bytes, media_type: str, status: int
) -> None:
    headers = {"Content_Encoding": "gzip"} if body.startswith(b"\x1f\x8b") else {}
    answer = exporter.post(body, media_type, **headers)
    assert (answer.status_code, answer.headers["content-type"]) == (status, media_type)
    if media_type == PROTOBUF:
        # A google.rpc.Status: its code, and a message of less than 128 bytes.
        assert answer.content[:3] == b"\x08\x03\x12"
        assert answer.content[4:].decode() == "the body is no ExportTraceServiceRequest"
    else:
        assert answer.json()["message"]


@each_encoding
def test_while_the_server_is_full_an_export_is_to_be_sent_again(exporter: Exporter, media_type: str) -> None:
    exporter.log.error = StreamUnavailableError("out_of_memory", "OOM")
    body = as_protobuf(export(span())) if media_type == PROTOBUF else json.dumps(export(span())).encode()
    answer = exporter.post(body, media_type)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert b"out of memory" in answer.content


@pytest.mark.parametrize("path", ["/v1/metrics", "/v1/logs"])
def test_other_signals_are_refused_with_a_sentence(exporter: Exporter, path: str) -> None:
    answer = exporter.post(b"", PROTOBUF, path)
    assert (answer.status_code, answer.headers["content-type"]) == (501, "application/problem+json")
    assert "are not taken" in answer.json()["detail"]


def test_without_the_extra_the_answer_names_it(exporter: Exporter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protobuf_form, "is_installed", lambda: False)
    answer = exporter.post(as_protobuf(export(span())), PROTOBUF)
    assert answer.status_code == 501
    assert b"pip install 'barograph[otlp]'" in answer.content
    assert exporter.send(export(span()), "application/json") == {}


def test_another_media_type_is_refused(exporter: Exporter) -> None:
    assert exporter.post(b"", "text/plain").status_code == 415


def test_it_needs_a_token_where_there_is_one() -> None:
    client = guarded().client()
    for headers, status in (({}, 401), ({"Authorization": f"Bearer {READ}"}, 403)):
        assert client.post(TRACES, content=b"", headers={"Content-Type": PROTOBUF, **headers}).status_code == status


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["resourceSpans", "resource", "scopeSpans", "spans", "attributes", "key", "value", "status", "code",
                 "intValue", "stringValue", "traceId", "spanId", "kind", "endTimeUnixNano", "startTimeUnixNano"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=JSON_VALUES, raw=st.binary(max_size=60))
def test_whatever_is_sent_is_answered(exporter: Exporter, document: Any, raw: bytes) -> None:
    """Never an error of the console's own."""
    assert exporter.post(json.dumps(document).encode(), "application/json").status_code in (200, 400)
    assert exporter.post(raw, PROTOBUF).status_code in (200, 400)
