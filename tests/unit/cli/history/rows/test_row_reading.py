"""Rows of files as events: what is one, and what is wrong with the others."""

import pytest

from barograph_cli.history.rows.row_reading import BadRowError, RowDefaults, advice_on, row_of
from barograph_core.server.replies import EntryId

DEFAULTS = RowDefaults("ranker", "import:1")
LABELS = {"route": "/a", "method": "GET"}


def request(**changes: object) -> dict[str, object]:
    row: dict[str, object] = {"time_ms": 1_000, "kind": "request", "labels": LABELS, "status": 200, "duration_ms": 12.5}
    return {name: value for name, value in {**row, **changes}.items() if value is not ...}


def test_what_a_row_does_not_say_comes_from_the_defaults() -> None:
    row = row_of(request(), DEFAULTS)
    assert (row.service, row.instance, row.entry_id, row.weight, row.is_other) == ("ranker", "import:1", None, 1, False)


def test_a_row_says_everything_itself() -> None:
    told = request(
        service="search", instance="h:1:0", entry_id="5-7", weight=20, is_other=True, labels={"zone": "ä", **LABELS}
    )
    row = row_of(told, DEFAULTS)
    assert (row.service, row.instance, row.entry_id, row.weight) == ("search", "h:1:0", EntryId(5, 7), 20)
    assert (row.labels, row.counted_labels) == (("/a", "GET", "zone", "ä"), ("__other__", "__other__"))


def test_a_folded_row_counts_with_its_fixed_labels() -> None:
    row = row_of(request(is_folded=True, labels={"zone": "ä", **LABELS}), DEFAULTS)
    assert row.counted_labels == ("/a", "GET", "zone", "__other__")


def test_a_time_may_be_iso_8601() -> None:
    assert row_of(request(time_ms=..., time="1970-01-01T00:00:02.250Z"), DEFAULTS).time_ms == 2_250


def test_whole_numbers_may_be_floats() -> None:
    """As tools make them of a column in which one is missing."""
    row = row_of(request(time_ms=1_000.0, status=503.0, weight=2.0), DEFAULTS)
    assert (row.time_ms, row.status, row.weight) == (1_000, 503, 2)


def test_fields_that_nobody_knows_are_left_out() -> None:
    """A tool's index column must not cost the row; the report names them."""
    assert row_of(request(__index_level_0__=7), DEFAULTS) == row_of(request(), DEFAULTS)
    assert (advice_on("duration_m"), advice_on("zzz")) == ("did you mean 'duration_ms'?", "")


def test_a_free_label_may_bear_the_name_of_a_fixed_one() -> None:
    """Then labels are pairs, the kind's own first: an object could not hold both."""
    pairs = [["name", "queue"], ["name", "other"], ["a", "b"]]
    row = row_of({"time_ms": 1, "kind": "custom", "labels": pairs, "value": -1.5}, DEFAULTS)
    assert (row.labels, row.label_pairs[0]) == (("queue", "a", "b", "name", "other"), ("name", "queue"))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"time_ms": ...}, "neither time_ms nor time"),
        ({"time_ms": 1.5}, "time_ms is 1.5, not a whole number"),
        ({"time_ms": True}, "time_ms is True"),
        ({"time_ms": 0}, "time_ms is 0"),
        ({"time_ms": 253_402_300_800_000}, "time_ms is 253402300800000, not a whole number in 1..253402300799999"),
        ({"time_ms": ..., "time": "noon"}, "time is 'noon', not a time such as"),
        ({"kind": "requests"}, "kind is 'requests', not one of"),
        ({"kind": ...}, "kind is missing"),
        ({"service": "a b"}, "service is 'a b'"),
        ({"instance": "a\nb"}, "instance is"),
        ({"entry_id": "5"}, "entry_id is '5'"),
        ({"entry_id": "0-1"}, "entry_id is '0-1'"),
        ({"entry_id": "253402300800000-0"}, "entry_id is '253402300800000-0'"),
        ({"status": ...}, "status is None"),
        ({"status": 1000}, "status is 1000, not a whole number in 0..999"),
        ({"labels": {"route": "/a"}}, "lack 'method'"),
        ({"labels": {**LABELS, "": "x"}}, "each named once"),
        ({"labels": {**LABELS, "a": 5}}, "not a name and a text"),
        ({"labels": "route=/a"}, "not names with their values"),
        ({"labels": {**LABELS, "a": "x" * 257}}, "longer than 256 bytes"),
        ({"labels": {**LABELS, "a": "\ud800"}}, "not Unicode"),
        ({"duration_ms": -1}, "duration_ms is -1, not a number in 0..1e+150"),
        ({"duration_ms": float("nan")}, "duration_ms is nan"),
        ({"duration_ms": "12"}, "duration_ms is '12'"),
        ({"confidence": 0.5}, "a request event has no confidence"),
        ({"weight": 0}, "weight is 0, not a whole number in 1..1000"),
        ({"is_other": 1}, "is_other is 1"),
        ({"is_folded": "no"}, "is_folded is 'no'"),
    ],
)
def test_a_bad_row_is_told_by_field_and_value(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(BadRowError) as raised:
        row_of(request(**changes), DEFAULTS)
    assert complaint in str(raised.value)


def test_a_row_without_a_service_is_bad_when_none_is_named() -> None:
    with pytest.raises(BadRowError, match="service is missing"):
        row_of(request(), RowDefaults(None, "import:1"))


def test_only_kinds_with_free_labels_take_some() -> None:
    row = {"time_ms": 1, "kind": "model", "labels": {"model": "m", "version": "1", "zone": "x"}}
    with pytest.raises(BadRowError, match="a model event has no label 'zone'"):
        row_of(row, DEFAULTS)
