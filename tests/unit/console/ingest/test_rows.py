"""A JSON object becomes an event, or says which part of it is wrong and what it must be."""

from typing import Any

import pytest

from barograph_console.ingest.row_error import RowError
from barograph_console.ingest.rows import Defaults, read_row
from barograph_console.store.ingest.event_log import Event
from barograph_core.events.kinds import KINDS

NOW_MS = 1_700_000_000_000
REQUEST: dict[str, Any] = {
    "kind": "request",
    "service": "web",
    "route": "/a/{id}",
    "method": "GET",
    "status": 200,
    "duration_ms": 12.5,
    "at_ms": NOW_MS - 5_000,
}


def read(row: object, **defaults: Any) -> Event:
    return read_row(row, Defaults(NOW_MS, **defaults))


def test_a_request_has_labels_in_the_order_of_the_format() -> None:
    event = read({**REQUEST, "labels": {"zone": "b", "pool": "gpu"}, "weight": 3})
    assert event == Event(
        KINDS["request"],
        "web",
        NOW_MS - 5_000,
        ("/a/{id}", "GET", 200, "pool", "gpu", "zone", "b"),
        (12.5,),
        weight=3,
    )


def test_the_kinds_own_labels_may_stand_among_the_labels() -> None:
    """As a row of `barograph export` has them."""
    row = {name: value for name, value in REQUEST.items() if name not in ("route", "method")}
    assert read({**row, "labels": {"route": "/a/{id}", "method": "GET"}}).labels == ("/a/{id}", "GET", 200)


def test_a_model_event_may_lack_measures() -> None:
    event = read({"kind": "model", "service": "web", "model": "ctr", "version": "8", "prediction": -2, "failed": True})
    assert (event.labels, event.values) == (("ctr", "8"), (None, None, -2.0, None, 1.0))


@pytest.mark.parametrize(
    ("fields", "at_ms"),
    [
        ({"at_ms": NOW_MS - 1}, NOW_MS - 1),
        ({"time_ms": NOW_MS - 2.0}, NOW_MS - 2),
        ({"time": "2023-11-14T22:13:20.250Z"}, NOW_MS + 250),
        ({"time": "2023-11-14T23:13:20+01:00"}, NOW_MS),
        ({"at_ms": None}, NOW_MS),
        ({}, NOW_MS),
    ],
)
def test_a_time_may_be_written_in_several_ways(fields: dict[str, Any], at_ms: int) -> None:
    row = {name: value for name, value in REQUEST.items() if name != "at_ms"}
    assert read({**row, **fields}).at_ms == at_ms


def test_defaults_stand_for_what_a_row_does_not_say() -> None:
    row = {"name": "queue", "value": 3}
    event = read(row, service="web", kind="custom", at_ms=NOW_MS - 7, digest=b"12345678")
    assert (event.service, event.kind.name, event.at_ms, event.digest) == ("web", "custom", NOW_MS - 7, b"12345678")


@pytest.mark.parametrize(
    ("changes", "where", "words"),
    [
        ({"kind": "reqest"}, "kind", "one of request, model, system, custom"),
        ({"kind": None}, "kind", "missing"),
        ({"kind": {}}, "kind", "missing"),
        ({"service": ""}, "service", "name the service"),
        ({"service": "a b"}, "service", "A-Z a-z 0-9"),
        ({"service": 7}, "service", "A-Z a-z 0-9"),
        ({"service": "barograph"}, "service", "the pipeline reports on itself"),
        ({"status": "200"}, "status", "whole number in 0..999"),
        ({"status": True}, "status", "whole number"),
        ({"status": 1_000}, "status", "whole number in 0..999"),
        ({"status": None}, "status", "missing"),
        ({"duration_ms": -1}, "duration_ms", "number in 0..1e+150"),
        ({"duration_ms": "12"}, "duration_ms", "number"),
        ({"duration_ms": True}, "duration_ms", "number"),
        ({"duration_ms": 10**400}, "duration_ms", "number"),
        ({"duration_ms": None}, "duration_ms", "missing"),
        ({"duration": 12}, "duration", "did you mean 'duration_ms'?"),
        ({"colour": "red"}, "colour", "free labels stand in labels"),
        ({"route": 5}, "route", "not text"),
        ({"route": None}, "route", "missing"),
        ({"route": "x" * 257}, "route", "longer than 256 bytes"),
        ({"route": "é" * 129}, "route", "longer than 256 bytes"),
        ({"labels": []}, "labels", "object"),
        ({"labels": {"a": 1}}, "labels.a", "not text"),
        ({"labels": {"": "x"}}, "labels", "without a name"),
        ({"labels": {"n" * 300: "x"}}, f"labels.{'n' * 73}", "longer than 256"),
        ({"labels": {"route": "/b"}}, "labels.route", "stands beside route"),
        ({"labels": {str(number): "x" for number in range(17)}}, "labels", "there may be 16"),
        ({"weight": 0}, "weight", "1..1000"),
        ({"weight": 1.5}, "weight", "whole number"),
        ({"at_ms": "now"}, "at_ms", "whole number"),
        ({"at_ms": 1_700_000_000}, "at_ms", "were these seconds?"),
        ({"at_ms": -1}, "at_ms", "whole number"),
        ({"time": "2023-11-14T22:13:20Z"}, "time", "stands beside at_ms"),
        ({"at_ms": None, "time": "yesterday"}, "time", "2026-11-30T12:00:00.250Z"),
        ({"at_ms": None, "time": "2023-11-14"}, "time", "2026-11-30T12:00:00.250Z"),
    ],
)
def test_a_mistake_is_named_with_its_part_and_its_mend(changes: dict[str, Any], where: str, words: str) -> None:
    with pytest.raises(RowError) as caught:
        read({**REQUEST, **changes})
    assert caught.value.where == where
    assert words in str(caught.value)


@pytest.mark.parametrize("row", [None, 5, "text", [], [REQUEST]])
def test_what_is_no_object_is_refused(row: object) -> None:
    with pytest.raises(RowError, match="not a JSON object"):
        read(row)


def test_a_system_event_is_of_a_process_or_a_host() -> None:
    row = {"kind": "system", "service": "web", "instance": "api-3", "scope": "host", "cpu_percent": 71}
    assert read(row).labels == ("api-3", "host")
    with pytest.raises(RowError, match="process or host"):
        read({**row, "scope": "pod"})


def test_labels_of_a_kind_that_has_none_of_its_own_choice_are_refused() -> None:
    with pytest.raises(RowError, match="no labels but its own"):
        read({"kind": "model", "service": "web", "model": "ctr", "version": "8", "labels": {"pool": "gpu"}})


def test_the_envelope_says_the_kind() -> None:
    with pytest.raises(RowError, match="the type of the envelope says 'custom'"):
        read(REQUEST, kind="custom")
