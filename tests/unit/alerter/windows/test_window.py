"""Which panes make up a window, and the numbers found in it."""

import itertools
import random
from collections.abc import Mapping, Sequence

import pytest

from barograph_alerter.conditions.functions import Quantity, parse_quantity
from barograph_alerter.conditions.row import Look, SeriesRow
from barograph_alerter.windows.ring import PaneRing
from barograph_alerter.windows.window import Window, choose_step, ring_spans, window_runs
from barograph_core.errors import WindowNotWholeError
from barograph_core.events.kinds import KINDS
from barograph_core.panes.pane import Pane
from barograph_core.steps import Step, parse_keep
from barograph_core.store.cover import Run, floor_to
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
    assert choose_step(Look(window_ms), STEPS) == expected


class Known:
    """Panes that are all known: of coarse steps up to ``through_ms``, from the step's ``from_ms`` on."""

    def __init__(
        self, steps: Sequence[Step], through_ms: int, *, rolled_ms: int | None = None, from_ms: Mapping[int, int] = {}
    ) -> None:
        self.steps = steps
        self.through_ms = through_ms
        self.rolled_ms = through_ms if rolled_ms is None else rolled_ms
        self.from_ms = from_ms

    def known(self, index: int, from_ms: int, to_ms: int) -> tuple[int, int]:
        del from_ms, to_ms
        step_ms = self.steps[index].step_ms
        through_ms = self.rolled_ms if index else self.through_ms
        return self.from_ms.get(step_ms, 0), floor_to(through_ms, step_ms)


def runs_of(end_ms: int, look: Look, steps: Sequence[Step] = STEPS) -> list[Run]:
    return window_runs(end_ms, look, steps, Known(steps, end_ms))


def test_a_short_window_is_read_at_the_base_step() -> None:
    """From exactly its beginning."""
    assert runs_of(NOW, Look(10_000)) == [Run(1_000, NOW - 10_000, NOW)]


def test_a_long_window_is_read_finer_towards_its_end() -> None:
    """Where the roll-up is still to be made."""
    end = 1_700_000_115_000
    assert runs_of(end, Look(2 * HOUR), TWO) == [
        Run(60_000, 1_699_992_900_000, 1_700_000_100_000),
        Run(1_000, 1_700_000_100_000, 1_700_000_115_000),
    ]


@pytest.mark.parametrize("end", range(NOW, NOW + 7_260_000, 347_000))
@pytest.mark.parametrize("window_ms", [7_000, 16 * MINUTE, HOUR, 30 * HOUR, 72 * HOUR])
def test_runs_join_up_and_cover_the_window(end: int, window_ms: int) -> None:
    """No hole, no overlap, whole panes, and what rings hold suffices."""
    parts = runs_of(end, Look(window_ms))
    spans = ring_spans([Look(window_ms)], STEPS)
    assert parts[-1].to_ms == end
    assert parts[0].from_ms <= end - window_ms < parts[0].from_ms + parts[0].step_ms
    for earlier, later in itertools.pairwise(parts):
        assert earlier.to_ms == later.from_ms
    for part in parts:
        assert part.from_ms % part.step_ms == 0
        assert end - part.from_ms <= spans[part.step_ms]


@pytest.mark.parametrize("end", range(NOW, NOW + 7_260_000, 347_000))
@pytest.mark.parametrize(
    "look",
    [Look(7_000, 5 * MINUTE), Look(MINUTE, HOUR), Look(20 * MINUTE, HOUR), Look(10_000, 24 * HOUR), Look(HOUR, HOUR)],
)
def test_a_window_of_the_past_is_covered_as_finely_as_panes_are_kept(end: int, look: Look) -> None:
    """It ends about ``offset_ms`` before the moment, and nothing of it is read at a step that has expired."""
    runs = runs_of(end, look)
    spans = ring_spans([look], STEPS)
    keep_ms = {step.step_ms: step.keep_ms for step in STEPS}
    ends, begins = runs[-1].to_ms, runs[0].from_ms
    assert abs(ends - (end - look.offset_ms)) < runs[-1].step_ms
    assert look.span_ms <= ends - begins < look.span_ms + runs[0].step_ms + runs[-1].step_ms
    if len(runs) == 1 and look.span_ms % runs[0].step_ms == 0 and runs[0].step_ms > 1_000:
        assert ends - begins == look.span_ms
    assert begins <= end - look.reach_ms < begins + runs[0].step_ms
    for earlier, later in itertools.pairwise(runs):
        assert earlier.to_ms == later.from_ms
    for run in runs:
        assert run.from_ms >= end - keep_ms[run.step_ms]
        assert end - run.from_ms <= spans[run.step_ms]


def test_roll_ups_that_are_late_are_read_at_the_finer_step() -> None:
    """However late they are: nothing that is not made yet counts as empty."""
    end = 1_700_000_115_000
    assert window_runs(end, Look(2 * HOUR), TWO, Known(TWO, end, rolled_ms=end - 10 * MINUTE)) == [
        Run(60_000, 1_699_992_900_000, 1_699_999_500_000),
        Run(1_000, 1_699_999_500_000, 1_700_000_115_000),
    ]


def test_a_window_whose_fine_panes_are_gone_is_read_at_the_next_coarser_step() -> None:
    """That holds all of it."""
    end = 1_700_000_115_000
    known = Known(STEPS, end, from_ms={1_000: end - 30_000})
    assert window_runs(end, Look(MINUTE), STEPS, known) == [
        Run(10_000, 1_700_000_050_000, 1_700_000_110_000),
        Run(1_000, 1_700_000_110_000, 1_700_000_115_000),
    ]


@pytest.mark.parametrize("look", [Look(MINUTE), Look(10 * MINUTE), Look(HOUR)])
def test_a_window_that_no_step_holds_is_refused(look: Look) -> None:
    """Part of it is gone at every step, or its roll-ups are to be made and the finer panes are gone."""
    end = 1_700_000_115_000
    gone = {step.step_ms: end - 5_000 for step in STEPS}
    with pytest.raises(WindowNotWholeError, match="to be made"):
        window_runs(end, look, STEPS, Known(STEPS, end, from_ms=gone))
    with pytest.raises(WindowNotWholeError):
        window_runs(end, look, STEPS, Known(STEPS, end, rolled_ms=end - HOUR, from_ms={1_000: end - 5_000}))


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
    pane = pane_of("model", {("ctr", "7"): [(1.0, None, None, None, None)]})
    row = Window(pane, 1_000).rows("model", ())[()]
    assert [number(row, f"absolute_error.{s}") for s in ("avg", "sum", "p50", "count")] == [None, None, None, 0.0]


@pytest.mark.parametrize(
    ("flags", "errors", "error_rate"),
    [
        ((1.0, 0.0, 0.0, 0.0), 1.0, 0.25),
        # The truth of a prediction comes in an event of its own, and a producer of an earlier version states nothing.
        ((1.0, 0.0, None, None), 1.0, 0.5),
        ((0.0, 0.0), 0.0, 0.0),
        ((None, None), 0.0, None),
    ],
)
def test_the_error_rate_of_a_model_is_that_of_the_events_that_state_it(
    flags: tuple[float | None, ...], errors: float, error_rate: float | None
) -> None:
    pane = pane_of("model", {("ctr", "7"): [(1.0, None, None, None, flag) for flag in flags]})
    row = Window(pane, 1_000).rows("model", ())[()]
    assert [row.number(Quantity(name)) for name in ("count", "errors", "error_rate")] == [
        len(flags),
        errors,
        error_rate,
    ]


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
    assert (len(ring.revisions), ring.merged(NOW, NOW + 8_000).requests) == (2, 2)
    assert ring.merged(NOW, NOW + 1_000) is Pane.EMPTY


@pytest.mark.parametrize("seed", range(8))
def test_packed_panes_merge_as_those_that_are_ready(seed: int) -> None:
    """Whatever is revised, packed, forgotten and asked for in between, with and without what a pane was read from."""
    rng = random.Random(seed)
    ring, held = PaneRing(1_000), dict[int, int]()
    begin = NOW - NOW % 64_000 + rng.randrange(20) * 1_000
    for index in range(150):
        events = rng.randrange(4)
        for number in (index, rng.randrange(max(0, index - 60), index + 1)) if rng.random() < 0.1 else (index,):
            pane = requests(ok=events)
            ring.put(begin + number * 1_000, 0, 0, pane, pane.pack() if rng.random() < 0.5 else b"")
            held[number] = events
        oldest = index - 100
        if rng.random() < 0.2:
            ring.forget_before(begin + oldest * 1_000)
            ring.pack_before(begin + (index + 1) * 1_000)
        for span in (10, 60, 100):
            found = ring.merged(begin + (index + 1 - span) * 1_000, begin + (index + 1) * 1_000)
            assert found.requests == sum(held.get(number, 0) for number in range(index + 1 - span, index + 1))


def test_most_panes_of_a_long_window_wait_packed() -> None:
    """Thousands of services with a window of five minutes fit into memory."""
    ring = PaneRing(1_000)
    begin = NOW - NOW % 64_000
    for index in range(330):
        pane = requests(ok=1)
        ring.put(begin + index * 1_000, 0, 0, pane, pane.pack())
        ring.merged(begin + max(0, index - 299) * 1_000, begin + (index + 1) * 1_000)
    unpacked = ring.size
    ring.forget_before(begin + 30_000)
    ring.pack_before(begin + 330_000)
    assert unpacked > 600
    assert ring.size < 120
    assert ring.merged(begin + 30_000, begin + 330_000).requests == 300
    assert not ring.is_empty
