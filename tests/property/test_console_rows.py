"""The rows and columns of the console lose no event, however the panes were split."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph_console.rows.endpoints import COLUMNS, endpoint_rows
from barograph_console.rows.heat import heat_column
from barograph_console.rows.histogram import histogram
from barograph_console.rows.requests import minute_of, requests_of
from barograph_core.panes.pane import Pane
from tests.batches import Event, decoded, panes_by_start

REQUEST = st.builds(
    Event,
    st.tuples(st.sampled_from(["/a", "/b", "/c"]), st.sampled_from(["GET", "POST"]), st.sampled_from([200, 404, 500])),
    st.integers(0, 9_999),
    st.tuples(st.just(0.0) | st.floats(1e-6, 1e9)),
    st.sampled_from([1, 1, 3]),
)
REQUESTS = st.lists(REQUEST, min_size=1, max_size=60)


@settings(max_examples=60, deadline=None)
@given(REQUESTS)
def test_a_heat_column_adds_up_to_the_requests(events: list[Event]) -> None:
    """Rows are whole sketch bins: each request is in exactly one, and merging panes adds columns."""
    panes = list(panes_by_start([decoded("request", events)], 1_000).values())
    total = sum(event.weight for event in events)
    row = requests_of(Pane.merge(panes))
    assert row is not None
    column = heat_column(row.measures["duration_ms"])
    assert sum(column[1::2]) == row.count == total
    assert column[::2] == sorted(set(column[::2]))
    added: dict[int, int] = {}
    for pane in panes:
        own = requests_of(pane)
        assert own is not None
        part = heat_column(own.measures["duration_ms"])
        for place, count in zip(part[::2], part[1::2], strict=True):
            added[place] = added.get(place, 0) + count
    assert added == dict(zip(column[::2], column[1::2], strict=True))


@settings(max_examples=60, deadline=None)
@given(REQUESTS)
def test_endpoints_add_up_to_the_service(events: list[Event]) -> None:
    """Requests, errors and shares of time of all rows are those of the whole."""
    pane = Pane.merge(list(panes_by_start([decoded("request", events)], 1_000).values()))
    minute = minute_of(requests_of(pane), covered_ms=60_000, apdex_t_ms=500, before=None)
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in endpoint_rows(pane, {})]
    assert sum(int(row["requests"] or 0) for row in rows) == minute.requests
    assert sum(int(row["errors"] or 0) for row in rows) == minute.errors
    shares = [float(row["time_ratio"]) for row in rows if row["time_ratio"] is not None]
    assert not shares or abs(sum(shares) - 1) < 1e-5
    assert minute.apdex is not None
    assert 0 <= minute.apdex <= 1


@settings(max_examples=60, deadline=None)
@given(REQUESTS, st.lists(st.floats(-1e3, 1e6), min_size=2, max_size=30, unique=True))
def test_a_histogram_adds_up_to_the_values(events: list[Event], edges: list[float]) -> None:
    pane = Pane.merge(list(panes_by_start([decoded("request", events)], 1_000).values()))
    summary = pane.group("request")[0].measures["duration_ms"]
    assert sum(histogram(summary, np.array(sorted(edges)))) == summary.count
