"""Which panes make up a window, and the numbers found in it."""

import itertools

import pytest

from barograph_alerter.expression import Quantity, parse_quantity
from barograph_alerter.ring import PaneRing
from barograph_alerter.windows import (
    Segment,
    SeriesRow,
    Window,
    choose_step,
    ring_spans,
    segments,
)
from barograph_core.events import KINDS
from barograph_core.pane import Pane
from barograph_core.steps import parse_keep
from tests.unit.alerter.build import NOW, pane_of, requests

STEPS = parse_keep("1s:15m,10s:2h,1m:2d,1h:90d")
TWO = parse_keep("1s:15m,1m:2d")
MINUTE = 60_000
HOUR = 3_600_000


@pytest.mark.parametrize(
    ("window_ms", "expected"),
    [
        (1_000, 0),
        (5 * MINUTE, 0),
        (10 * MINUTE, 1),
        (HOUR, 2),
        (2 * HOUR, 2),
        (24 * HOUR, 2),
        (48 * HOUR, 3),
        (60 * HOUR, 3),
        (100 * 24 * HOUR, None),
    ],
)
def test_a_window_begins_at_the_coarsest_step_that_is_fine_enough_and_kept(
    window_ms: int, expected: int | None
) -> None:
    """At most a sixtieth of the window, and kept for longer than it."""
    assert choose_step(window_ms, STEPS) == expected


def test_a_short_window_is_read_at_the_base_step() -> None:
    """From exactly its beginning."""
    assert segments(NOW, 10_000, STEPS) == [Segment(1_000, NOW - 10_000, NOW)]


def test_a_long_window_is_read_finer_towards_its_end() -> None:
    """Coarse panes are made after fine ones: the newest two of each step are read finer."""
    end = 1_700_000_115_000
    assert segments(end, 2 * HOUR, TWO) == [
        Segment(60_000, 1_699_992_900_000, 1_699_999_980_000),
        Segment(1_000, 1_699_999_980_000, 1_700_000_115_000),
    ]


@pytest.mark.parametrize("end", range(NOW, NOW + 7_260_000, 347_000))
@pytest.mark.parametrize("window_ms", [7_000, 16 * MINUTE, HOUR, 30 * HOUR, 72 * HOUR])
def test_segments_join_up_and_cover_the_window(end: int, window_ms: int) -> None:
    """No hole, no overlap, whole panes, and what rings hold suffices."""
    parts = segments(end, window_ms, STEPS)
    spans = ring_spans([window_ms], STEPS)
    assert parts[-1].to_ms == end
    assert parts[0].from_ms <= end - window_ms < parts[0].from_ms + parts[0].step_ms
    for earlier, later in itertools.pairwise(parts):
        assert earlier.to_ms == later.from_ms
        assert earlier.to_ms <= end - earlier.step_ms
    for part in parts:
        assert part.from_ms % part.step_ms == 0
        assert end - part.from_ms <= spans[part.step_ms]


def number(row: SeriesRow, text: str) -> float | None:
    name, _, statistic = text.partition(".")
    quantity = parse_quantity(name, statistic) if statistic else Quantity(name)
    assert quantity is not None
    return row.number(quantity)


def test_a_row_has_the_numbers_of_its_series() -> None:
    """Over the window, rates per second."""
    pane = pane_of("request", {("/a", "GET", 200): [(10.0,), (20.0,), (None,)], ("/a", "GET", 500): [(60.0,)]})
    row = Window(pane, 2_000).rows("request", ("route",))["/a",]
    names = ["count", "rate", "errors", "error_rate", *(f"duration_ms.{s}" for s in ("count", "sum", "avg", "min"))]
    assert [number(row, name) for name in names] == [4.0, 2.0, 1.0, 0.25, 3.0, 90.0, 30.0, 10.0]
    assert number(row, "duration_ms.max") == 60.0
    assert number(row, "duration_ms.stddev") == pytest.approx(21.602, abs=0.001)
    assert number(row, "duration_ms.p50") == pytest.approx(20.0, rel=1 / 127)
    assert [row.number(Quantity("status", code=code)) for code in (200, 500, 429)] == [3.0, 1.0, 0.0]


def test_a_series_without_events_counts_nothing_and_measures_nothing() -> None:
    """Counts are facts; ratios, averages and sums are missing."""
    row = SeriesRow.empty(1_000)
    assert [number(row, name) for name in ("count", "rate", "errors", "duration_ms.count")] == [0.0, 0.0, 0.0, 0.0]
    assert [number(row, name) for name in ("error_rate", "duration_ms.avg", "duration_ms.sum")] == [None, None, None]


def test_a_measure_no_event_had_is_missing() -> None:
    """Labels that stop coming must not look like a recovery."""
    pane = pane_of("model", {("ctr", "7"): [(1.0, None, None, None)]})
    row = Window(pane, 1_000).rows("model", ())[()]
    assert [number(row, f"absolute_error.{s}") for s in ("avg", "sum", "p50", "count")] == [None, None, None, 0.0]


def test_where_leaves_other_series_out() -> None:
    """Process figures are not host figures."""
    none = (None,) * (len(KINDS["system"].measures) - 1)
    pane = pane_of("system", {("i", "process"): [(100.0, *none)], ("i", "host"): [(9_000.0, *none)]})
    rows = Window(pane, 1_000).rows("system", ("instance",), {"scope": "process"})
    assert [number(row, "memory_mb.avg") for row in rows.values()] == [100.0]


@pytest.mark.parametrize(("first", "end"), [(0, 40), (3, 4), (7, 33), (0, 1), (5, 5), (16, 32), (-9, 60)])
def test_a_ring_merges_any_span_exactly(first: int, end: int) -> None:
    """The blocks make up the span, holes are empty panes."""
    ring = PaneRing(1_000)
    begin = NOW - NOW % 64_000
    for index in range(0, 40, 3):
        ring.put(begin + index * 1_000, 0, 0, requests(ok=index + 1))
    found = ring.merged(begin + first * 1_000, begin + end * 1_000)
    assert found.requests == sum(index + 1 for index in range(0, 40, 3) if first <= index < end)


def test_a_revision_replaces_its_pane_in_every_block() -> None:
    """Windows to come see it."""
    ring = PaneRing(1_000)
    for index in range(8):
        ring.put(NOW + index * 1_000, 0, 0, requests(ok=1))
    assert ring.merged(NOW, NOW + 8_000).requests == 8
    ring.put(NOW + 3_000, 1, 0, requests(ok=100))
    assert ring.merged(NOW, NOW + 8_000).requests == 107


def test_what_is_forgotten_is_gone() -> None:
    """A ring is bounded by the longest window."""
    ring = PaneRing(1_000)
    for index in range(8):
        ring.put(NOW + index * 1_000, 0, 0, requests(ok=1))
    ring.merged(NOW, NOW + 8_000)
    ring.forget_before(NOW + 6_000)
    assert (len(ring), ring.merged(NOW, NOW + 8_000).requests) == (2, 2)
    assert ring.merged(NOW, NOW + 1_000) is Pane.EMPTY
