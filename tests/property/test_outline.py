"""Charts read panes without unpacking them whole: what they show must be what the whole panes hold."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph_console.rows.columns import ChartPoints, RequestColumns
from barograph_console.rows.heat import heat_column
from barograph_console.rows.requests import Endpoint, RequestPoint, request_point, requests_of
from barograph_core.decode.batch import decode_batch
from barograph_core.errors import MalformedEventError
from barograph_core.events.kinds import KINDS, UNSTATED_MEASURES
from barograph_core.events.messagepack import pack, unpack_array
from barograph_core.panes.outline import read_outline
from barograph_core.panes.pane import Pane
from tests.batches import Event, decoded, entry, panes_by_start, with_fields

REQUEST = st.builds(
    Event,
    st.tuples(st.sampled_from(["/a", "/b"]), st.sampled_from(["GET", "POST"]), st.sampled_from([200, 404, 499, 500]))
    | st.tuples(st.just("/a"), st.just("GET"), st.just(503), st.just("tenant"), st.sampled_from("xy")),
    st.integers(0, 9_999),
    st.tuples(st.none() | st.just(0.0) | st.floats(1e-6, 1e9)),
    st.sampled_from([1, 1, 300]),
)
MODEL = st.builds(
    Event,
    st.tuples(st.just("ctr"), st.sampled_from("78")),
    st.integers(0, 9_999),
    st.tuples(*(st.none() | st.floats(0, 1) for _ in range(4))),
)
EVENTS = st.tuples(st.lists(REQUEST, max_size=40), st.lists(MODEL, max_size=10))
POINTS, POINT_MS = 4, 2_500


def panes_of(requests: list[Event], models: list[Event]) -> dict[int, Pane]:
    batches = [decoded(kind, events) for kind, events in (("request", requests), ("model", models)) if events]
    return panes_by_start(batches, 500)


def points_of(columns: RequestColumns) -> list[RequestPoint]:
    rows = zip(
        columns.requests,
        columns.errors,
        columns.e4xx,
        columns.p50_ms,
        columns.p95_ms,
        columns.p99_ms,
        strict=True,
    )
    return [RequestPoint(at * POINT_MS, *row) for at, row in enumerate(rows)]


@settings(max_examples=100, deadline=None)
@given(EVENTS, st.none() | st.builds(Endpoint, st.sampled_from(["GET", "PUT"]), st.sampled_from(["/a", "/b"])))
def test_a_chart_of_packed_panes_is_that_of_merged_ones(
    events: tuple[list[Event], list[Event]], endpoint: Endpoint | None
) -> None:
    """Every figure and every cell of the heatmap, of all requests and of one endpoint."""
    panes = panes_of(*events)
    starts = np.array(list(panes), np.int64)
    outline = read_outline(
        [pane.pack() for pane in panes.values()],
        KINDS["request"],
        0,
        None if endpoint is None else lambda labels: labels[:2] == (endpoint.route, endpoint.method),
    )
    charted = ChartPoints(POINTS)
    charted.add(outline, starts // POINT_MS, [0] * len(panes))
    merged = [
        requests_of(Pane.merge([pane for start, pane in panes.items() if start // POINT_MS == point]), endpoint)
        for point in range(POINTS)
    ]
    columns = charted.columns()
    assert points_of(columns) == [request_point(at * POINT_MS, row) for at, row in enumerate(merged)]
    assert charted.heat() == [heat_column(row.measures["duration_ms"] if row else None) for row in merged]


@settings(max_examples=50, deadline=None)
@given(st.lists(MODEL, min_size=1, max_size=20), st.integers(0, 3))
def test_each_measure_of_a_kind_can_be_read(models: list[Event], measure: int) -> None:
    """The bins of one measure are not mixed with those of the others."""
    pane = Pane.merge(list(panes_of([], models).values()))
    outline = read_outline([pane.pack(), Pane.EMPTY.pack()], KINDS["model"], measure)
    whole = list(pane.group("model")[0].measures.values())[measure]
    counted: dict[int, int] = {}
    for place, count in zip(outline.bins.tolist(), outline.bin_counts.tolist(), strict=True):
        counted[place] = counted.get(place, 0) + count
    assert counted == dict(zip(whole.bins.tolist(), whole.bin_counts.tolist(), strict=True))
    assert outline.events.tolist() == [len(models), 0]
    assert (outline.minimum[0], outline.maximum[0]) == (whole.minimum, whole.maximum)


def test_what_is_no_pane_is_refused() -> None:
    """Another version, columns that end too early, and bytes that are nothing of ours."""
    packed = panes_of([Event(("/a", "GET", 200), 0, (5.0,))], [])[0].pack()
    *head, content = unpack_array(packed, max_items=6)
    assert isinstance(content, bytes)
    columns = [content[:20], b"!" + content[1:], content[: content.index(b"GET") + 1]]
    for broken in (b"", pack([9]), *(pack([*head, cut]) for cut in columns)):
        with pytest.raises(MalformedEventError):
            read_outline([broken], KINDS["request"], 0)


def test_a_pane_of_the_first_version_is_read() -> None:
    """It states no measures."""
    models = [Event(("ctr", "7"), 0, (8.0, 0.5, None, 2.0))]
    with pytest.MonkeyPatch.context() as patch:
        first = KINDS["model"].measures[: UNSTATED_MEASURES["model"]]
        patch.setitem(KINDS, "model", replace(KINDS["model"], measures=first))
        batch = decode_batch(with_fields(entry("model", models), instance=b"first:1:00000000000000ab"))
        packed = panes_by_start([batch], 500)[0].pack()
    _, kind, _, _, size, content = unpack_array(packed, max_items=6)
    outline = read_outline([pack([1, kind, size, content]), packed], KINDS["model"], 3)
    assert (outline.events.tolist(), outline.minimum.tolist()) == ([1, 1], [2.0, 2.0])
