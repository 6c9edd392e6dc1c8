import math

import pytest

from barograph_console.rows.apdex import apdex_of
from barograph_console.rows.endpoints import COLUMNS, endpoint_rows, p95_by_endpoint
from barograph_console.rows.heat import ROW0, ROWS, heat_column
from barograph_console.rows.requests import (
    Endpoint,
    MinuteBefore,
    minute_before,
    minute_of,
    request_point,
    requests_of,
)
from barograph_core.panes.pane import Pane
from barograph_core.panes.summary import Summary
from tests.batches import Event, decoded, panes_by_start, request


def pane_of(*events: Event) -> Pane:
    return Pane.merge(list(panes_by_start([decoded("request", events)], 1_000).values()))


def durations(*values: float) -> Summary:
    row = requests_of(pane_of(*(request(duration_ms=value) for value in values)))
    assert row is not None
    return row.measures["duration_ms"]


MIXED = pane_of(
    request(duration_ms=10.0),
    request(duration_ms=20.0, status=404),
    request(duration_ms=30.0, status=503),
    request(duration_ms=1_000.0, route="/slow"),
)


def test_a_point_counts_requests_and_both_classes_of_errors() -> None:
    """Percentiles are those of the sketch, within 0.79 %."""
    point = request_point(60_000, requests_of(MIXED))
    assert (point.t, point.requests, point.errors, point.e4xx) == (60_000, 4, 1, 1)
    assert point.p50_ms == pytest.approx(20.0, rel=1 / 128)
    assert point.p95_ms == pytest.approx(30.0, rel=1 / 128)


def test_a_point_without_requests_is_unknown_and_never_zero() -> None:
    point = request_point(0, requests_of(Pane.EMPTY))
    assert (point.requests, point.errors, point.e4xx, point.p50_ms, point.p95_ms, point.p99_ms) == (None,) * 6


def test_a_pane_is_narrowed_to_one_endpoint() -> None:
    """Route and method must both fit."""
    one = requests_of(MIXED, Endpoint("GET", "/predict"))
    assert one is not None
    assert one.count == 3
    assert requests_of(MIXED, Endpoint("POST", "/predict")) is None


def test_a_figure_has_six_significant_digits() -> None:
    """The mean of a third of a millisecond is not sent with sixteen digits."""
    minute = minute_of(
        requests_of(pane_of(*(request(status=s) for s in (500, 200, 200)))),
        covered_ms=60_000,
        apdex_t_ms=500,
        before=None,
    )
    assert minute.error_ratio == 0.333333


def test_a_minute_without_requests_has_counts_of_zero_and_no_figures() -> None:
    """A closed minute is known to be empty, but there is nothing to divide by."""
    minute = minute_of(None, covered_ms=60_000, apdex_t_ms=500, before=None)
    assert (minute.requests, minute.errors, minute.error_ratio, minute.p95_ms, minute.apdex) == (0, 0, None, None, None)


def test_a_minute_carries_what_it_is_compared_with() -> None:
    before = minute_before(requests_of(pane_of(request(duration_ms=8.0))), apdex_t_ms=500)
    assert before == MinuteBefore(requests=1, error_ratio=0.0, p95_ms=8.0, p99_ms=8.0, apdex=1.0)
    assert minute_before(None, apdex_t_ms=500) is None


def test_apdex_counts_satisfied_whole_and_tolerated_half() -> None:
    """Two within the target, one within four times it, one beyond: (2 + 1/2) / 4."""
    assert apdex_of(durations(100.0, 500.0, 1_900.0, 2_500.0), 0, 4, 500.0) == 0.625


def test_errors_are_frustrated_whatever_they_took() -> None:
    """Half of the requests failed, all within the target: half of them satisfied."""
    assert apdex_of(durations(1.0, 1.0), 1, 2, 500.0) == 0.5


def test_apdex_of_requests_without_a_duration_is_unknown() -> None:
    row = requests_of(pane_of(request(duration_ms=None)))
    assert row is not None
    assert apdex_of(row.measures["duration_ms"], 0, 1, 500.0) is None


def first_value(row: int) -> float:
    """Return where a row begins, as the API documents it."""
    k = ROW0 + row
    return 2.0 ** math.floor(k / 2) * (1 + k % 2 / 2)


def test_a_heat_row_begins_where_the_api_says() -> None:
    """The first value of a row lies in it, and the one before does not: two rows an octave."""
    for row in (1, 19, 20, 21, 36, ROWS - 1):
        start = first_value(row)
        assert heat_column(durations(start, math.nextafter(start, 0))) == [row - 1, 1, row, 1]


def test_values_beyond_the_rows_count_in_the_outermost() -> None:
    """Zero and a microsecond's part in the first row, years in the last: no request is lost."""
    assert heat_column(durations(0.0, 1e-9, 1e140)) == [0, 2, ROWS - 1, 1]
    assert heat_column(None) == []


def test_endpoints_are_ordered_by_their_share_of_time() -> None:
    """One slow request takes more of the service than three fast ones."""
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in endpoint_rows(MIXED, {Endpoint("GET", "/slow"): 900.0})]
    assert [(row["method"], row["route"], row["requests"], row["errors"], row["e4xx"]) for row in rows] == [
        ("GET", "/slow", 1, 0, 0),
        ("GET", "/predict", 3, 1, 1),
    ]
    assert [row["time_ratio"] for row in rows] == [0.943396, 0.0566038]
    assert [row["before_p95_ms"] for row in rows] == [900.0, None]


def test_p95_by_endpoint_is_what_the_next_minute_is_compared_with() -> None:
    assert p95_by_endpoint(pane_of(request(duration_ms=8.0))) == {Endpoint("GET", "/predict"): 8.0}
