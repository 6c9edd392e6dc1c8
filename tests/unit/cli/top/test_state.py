"""Live messages continue an overview: each once, in order, and whatever is missing is noticed."""

from typing import Any

import pytest

from barograph_cli.rest.failure import ConsoleError
from barograph_cli.rest.fields import Fields
from barograph_cli.top.rows import Marker
from barograph_cli.top.state import ServiceState
from tests.unit.cli.top.overview import COLUMNS, NOW_MS, alert, minute, overview, pipeline, state


def message(kind: str, seq: int, **members: Any) -> Fields:
    return Fields({"type": kind, "service": "ranker", "seq": seq, **members})


def point(t: int, requests: int | None) -> dict[str, Any]:
    return {"10000": {"t": t, "requests": requests, "errors": 0, "p95_ms": None}}


def test_a_tick_replaces_the_figures_and_the_newest_point() -> None:
    one = state()
    tick = message("tick", 11, closed_through_ms=NOW_MS, minute=minute(requests=7), points=point(NOW_MS - 10_000, 77))
    assert one.fold(tick) == "changed"
    assert (one.seq, one.closed_through_ms, one.minute.requests) == (11, NOW_MS, 7)
    assert one.series["requests"] == [500, None, 500, 77]


def test_a_new_point_moves_the_window_on_and_what_lies_between_is_a_gap() -> None:
    one = state()
    one.fold(message("tick", 11, points=point(NOW_MS + 10_000, 5)))
    assert one.series["requests"] == [500, 40, None, 5]
    assert one.from_ms == NOW_MS - 20_000


def test_a_point_before_the_window_changes_nothing() -> None:
    one = state()
    one.fold(message("tick", 11, points=point(NOW_MS - 90_000, 5)))
    assert one.series["requests"] == [500, None, 500, 40]


def test_a_repeat_changes_nothing_and_a_missing_message_is_a_gap() -> None:
    one = state()
    assert one.fold(message("tick", 10, minute=minute(requests=1))) == "same"
    assert one.fold(message("tick", 12, minute=minute(requests=2))) == "gap"
    assert one.fold(message("reset", 12, reason="revised")) == "gap"
    assert one.minute.requests == 3_000


def test_a_snapshot_counts_although_its_number_is_known() -> None:
    one = state()
    assert one.fold(message("snapshot", 10, state={"alerts": [alert()], "pipeline": pipeline()})) == "changed"
    assert list(one.alerts) == ["a" * 16]


def test_an_alert_comes_changes_and_goes() -> None:
    one = state()
    one.fold(message("alert", 11, alert=alert()))
    assert one.alerts["a" * 16].standing == "firing"
    one.fold(message("alert", 12, alert=alert(ack={"actor": "mira"})))
    assert (one.alerts["a" * 16].standing, one.alerts["a" * 16].acked_by) == ("acknowledged", "mira")
    one.fold(message("alert", 13, alert=alert(silenced_by=["s1"])))
    assert one.alerts["a" * 16].standing == "silenced"
    one.fold(message("alert", 14, alert=alert(state="resolved")))
    assert one.alerts == {}


def test_a_marker_is_kept_once() -> None:
    one = state()
    for seq in (11, 12):
        one.fold(message("marker", seq, marker={"at_ms": NOW_MS, "kind": "deploy", "title": "api 2"}))
    assert one.markers == [Marker(NOW_MS, "api 2", "deploy")]


def test_names_from_strangers_cannot_move_the_cursor() -> None:
    rows = [["GET", "/\x1b[2J\u202eevil", 1, 0, 0, 1.0, 1.0, 1.0, 1.0, None]]
    table = {"columns": COLUMNS, "rows": rows}
    one = state(endpoints=table, alerts=[alert(summary="\x1b]0;x\x07")])

    assert "\x1b" not in one.endpoints[0].name + one.alerts["a" * 16].summary
    assert "\u202e" not in one.endpoints[0].name


def test_an_overview_of_another_form_is_refused_by_the_field() -> None:
    with pytest.raises(ConsoleError, match="closed_through_ms"):
        ServiceState.of(Fields({**overview(), "closed_through_ms": "soon"}))
