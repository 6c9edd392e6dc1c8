"""Spans become events: requests of servers, predictions of generative models, and nothing else."""

from dataclasses import replace
from typing import Any

import pytest

from barograph_console.ingest.otlp.span import UNMATCHED, Span, events_of, weight_of
from barograph_console.ingest.row_error import RowError
from barograph_console.store.ingest.event_log import Event

START_NS = 1_700_000_000_000_000_000
SERVER: dict[str, object] = {"http.request.method": "GET", "http.route": "/a/{id}", "http.response.status_code": 200}
SPAN = Span(
    trace_id=b"t" * 16,
    span_id=b"s" * 8,
    name="GET /a/{id}",
    kind=2,
    start_ns=START_NS,
    end_ns=START_NS + 12_500_000,
    status=0,
    trace_state="",
    attributes=SERVER,
    resource={"service.name": "web"},
)


def only(span: Span) -> Event:
    (event,) = events_of(span)
    return event


def of(attributes: dict[str, object], **changes: Any) -> Event:
    return only(replace(SPAN, attributes=attributes, **changes))


def test_a_servers_span_is_a_request_that_ended() -> None:
    event = only(SPAN)
    assert (event.kind.name, event.service, event.labels) == ("request", "web", ("/a/{id}", "GET", 200))
    assert (event.values, event.at_ms, event.weight) == ((12.5,), START_NS // 1_000_000 + 12, 1)
    assert len(event.digest) == 8


def test_the_older_names_of_attributes_are_known() -> None:
    assert of({"http.method": "POST", "http.route": "/b", "http.status_code": "503"}).labels == ("/b", "POST", 503)


@pytest.mark.parametrize(
    ("attributes", "status", "labels"),
    [
        ({"http.request.method": "GET"}, 0, (UNMATCHED, "GET", 200)),
        ({"http.request.method": "GET"}, 2, (UNMATCHED, "GET", 500)),
        ({**SERVER, "http.response.status_code": 404}, 2, ("/a/{id}", "GET", 404)),
        (SERVER, 2, ("/a/{id}", "GET", 500)),
        ({**SERVER, "http.response.status_code": 99}, 0, ("/a/{id}", "GET", 200)),
        ({"rpc.system": "grpc", "rpc.service": "shop.Cart", "rpc.method": "Add"}, 0, ("shop.Cart/Add", "RPC", 200)),
        ({"rpc.system.name": "grpc", "rpc.method": "shop.Cart/Add"}, 2, ("shop.Cart/Add", "RPC", 500)),
        ({}, 0, ("GET /a/{id}", "SERVER", 200)),
    ],
)
def test_what_a_span_does_not_say_is_taken_from_what_it_says(
    attributes: dict[str, object], status: int, labels: tuple[object, ...]
) -> None:
    assert of(attributes, status=status).labels == labels


def test_the_version_of_the_service_is_a_label() -> None:
    """So that a release shows among the contributors."""
    event = only(replace(SPAN, resource={"service.name": "web", "service.version": "2.15"}))
    assert event.labels == ("/a/{id}", "GET", 200, "version", "2.15")


@pytest.mark.parametrize("kind", [0, 1, 3, 4, 5])
def test_other_spans_are_no_requests(kind: int) -> None:
    assert list(events_of(replace(SPAN, kind=kind))) == []


def test_a_call_of_a_generative_model_is_a_prediction() -> None:
    chat: dict[str, object] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
    }
    event = of(chat, kind=3)
    assert (event.kind.name, event.labels) == ("model", ("gpt-4o", "gpt-4o-2024-08-06"))
    assert event.values == (12.5, None, None, None, 0.0)
    assert of({"gen_ai.request.model": "gpt-4o"}, kind=3, status=2).values[-1] == 1.0
    assert of({"gen_ai.request.model": "gpt-4o", "error.type": "429"}, kind=1).values[-1] == 1.0
    assert of({"gen_ai.response.model": "m"}, kind=3).labels == ("m", "m")


@pytest.mark.parametrize("operation", ["invoke_agent", "execute_tool", "create_agent"])
def test_what_an_agent_does_is_not_counted_beside_its_model(operation: str) -> None:
    attributes = {"gen_ai.operation.name": operation, "gen_ai.request.model": "gpt-4o"}
    assert list(events_of(replace(SPAN, kind=3, attributes=attributes))) == []


def test_a_server_of_models_has_a_request_and_a_prediction_with_identities_of_their_own() -> None:
    first, second = events_of(replace(SPAN, attributes={**SERVER, "gen_ai.request.model": "llama"}))
    assert (first.kind.name, second.kind.name) == ("request", "model")
    assert first.digest != second.digest


def test_trace_and_span_make_an_event_the_same() -> None:
    assert only(SPAN).digest == only(replace(SPAN, name="other")).digest
    others = [replace(SPAN, span_id=b"x" * 8), replace(SPAN, trace_id=b"x" * 16)]
    assert len({only(span).digest for span in [SPAN, *others]}) == 3


def test_names_of_services_that_have_other_characters_are_changed() -> None:
    assert (
        only(replace(SPAN, resource={"service.name": "unknown_service:node js"})).service == "unknown_service-node-js"
    )
    assert only(replace(SPAN, resource={"service.name": "x" * 80})).service == "x" * 64


def test_labels_are_cut_at_their_bound() -> None:
    assert of({**SERVER, "http.route": "é" * 200}).labels[0] == "é" * 128


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"resource": {}}, "resource.service.name"),
        ({"resource": {"service.name": "barograph"}}, "service"),
        ({"trace_id": bytes(16)}, "spanId"),
        ({"span_id": b""}, "spanId"),
        ({"end_ns": START_NS - 1}, "endTimeUnixNano"),
        ({"start_ns": 0}, "endTimeUnixNano"),
        ({"end_ns": 1 << 70}, "endTimeUnixNano"),
    ],
)
def test_a_span_that_cannot_be_counted_says_why(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(RowError) as caught:
        only(replace(SPAN, **changes))
    assert caught.value.where == where


@pytest.mark.parametrize(
    ("trace_state", "weight"),
    [
        ("", 1),
        ("ot=th:0", 1),
        ("ot=th:8", 2),
        ("ot=th:c", 4),
        ("vendor=x, ot=rv:6e6d1a75832a2f;th:fd70a4", 100),
        ("ot=th:ffffffffffffff", 1_000),
        ("ot=th:xyz", 1),
        ("other=th:8", 1),
        ("ot=th:123456789012345", 1),
    ],
)
def test_a_sampled_span_stands_for_as_many_as_its_rate_says(trace_state: str, weight: int) -> None:
    assert weight_of(trace_state) == weight
