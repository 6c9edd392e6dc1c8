"""The running figures of a service equal those of the merged panes, whatever came in between."""

from typing import Any, cast

from barograph_console.live.figures import ServiceFigures
from barograph_console.live.window import WINDOW_MS, MinuteWindow
from barograph_console.rows.endpoints import endpoint_rows
from barograph_console.rows.heat import heat_column
from barograph_console.rows.requests import request_point, requests_of
from barograph_core.panes.pane import Pane
from barograph_core.store.cover import floor_to
from tests.unit.console.fakes import panes_of, requests

START_MS = 1_700_000_040_000
STEPS = (1_000, 10_000, 60_000, 3_600_000)


def second(number: int) -> Pane:
    """Return the pane of a second: every seventh is empty."""
    if number % 7 == 0:
        return Pane.EMPTY
    at_ms = START_MS + number * 1_000
    rows = [(at_ms + i, f"/r{i % 3}", 500 if (number + i) % 11 == 0 else 200, 1.0 + number + i) for i in range(5)]
    return panes_of([requests(*rows)])[0].pane


PANES = [second(number) for number in range(200)]


def start_of(number: int) -> int:
    return START_MS + number * 1_000


def test_the_minute_is_the_merge_of_the_last_sixty_panes_byte_for_byte() -> None:
    window = MinuteWindow()
    for number, pane in enumerate(PANES):
        window.put(start_of(number), pane)
        merged = window.merged(start_of(number + 1))
        assert merged.pack() == Pane.merge(PANES[max(0, number - 59) : number + 1]).pack()


def test_a_late_revision_replaces_its_pane_in_the_minute() -> None:
    window = MinuteWindow()
    for number in range(60):
        window.put(start_of(number), PANES[number])
    window.merged(start_of(60))
    window.put(start_of(5), PANES[150])
    assert window.merged(start_of(60)).pack() == Pane.merge([*PANES[:5], PANES[150], *PANES[6:60]]).pack()


def test_a_window_holds_no_more_than_a_minute() -> None:
    """However long it runs, and whatever gaps there were."""
    window = MinuteWindow()
    for number, pane in enumerate(PANES):
        window.put(start_of(number * 3), pane)
        window.merged(start_of(number * 3 + 1))
    held = [value for name in ("_panes", "_parts") for value in getattr(window, name)]
    assert len(held) <= 2 * WINDOW_MS // 1_000


def test_the_newest_point_of_each_step_is_the_merge_of_its_panes() -> None:
    """Seconds and minutes that are over, and the hour that is not."""
    figures = ServiceFigures(1_000, STEPS, 500)
    for number, pane in enumerate(PANES):
        figures.add(start_of(number), pane, missing=number % 2)
        if number % 13:
            continue
        for step_ms in STEPS:
            point = figures.points()[str(step_ms)]
            point_ms = floor_to(start_of(number), step_ms)
            own = [PANES[at] for at in range(number + 1) if start_of(at) >= point_ms]
            row = requests_of(Pane.merge(own))
            wanted = request_point(point_ms, row)
            assert isinstance(point, dict)
            assert (point["t"], point["requests"], point["p95_ms"]) == (point_ms, wanted.requests, wanted.p95_ms)
            assert point["heat"] == heat_column(None if row is None else row.measures["duration_ms"])
            assert point["is_open"] is (point_ms + step_ms > start_of(number + 1))


def test_figures_that_are_loaded_go_on_as_if_they_had_always_run() -> None:
    """A topic that is followed later shows the same as one that was followed all along."""
    always, late = (ServiceFigures(1_000, STEPS, 500) for _ in range(2))
    for number in range(100):
        always.add(start_of(number), PANES[number], missing=0)
    opened = {
        step_ms: Pane.merge([PANES[at] for at in range(100) if start_of(at) >= floor_to(start_of(99), step_ms)])
        for step_ms in STEPS
    }
    late.load([(start_of(at), PANES[at]) for at in range(30, 100)], opened, start_of(100))
    for number in range(100, 130):
        for figures in (always, late):
            figures.add(start_of(number), PANES[number], missing=0)
        assert always.points() == late.points()
        assert always.figures() == late.figures()


def test_the_minute_grows_with_a_service_until_it_is_whole() -> None:
    """A figure per minute divides by what a service was there for, in a tick as in an overview."""
    figures = ServiceFigures(1_000, STEPS, 500)
    figures.begun_ms = START_MS
    covered_ms: list[int] = []
    for number, pane in enumerate(PANES[:70]):
        figures.add(start_of(number), pane, missing=0)
        covered_ms.append(cast("dict[str, Any]", figures.figures()["minute"])["covered_ms"])
    assert covered_ms == [min(60_000, (number + 1) * 1_000) for number in range(70)]


def test_the_table_of_endpoints_is_that_of_the_minute() -> None:
    figures = ServiceFigures(1_000, STEPS, 500)
    for number, pane in enumerate(PANES):
        figures.add(start_of(number), pane, missing=0)
    endpoints = cast("dict[str, Any]", figures.figures()["endpoints"])
    assert endpoints["rows"] == endpoint_rows(Pane.merge(PANES[-60:]), {})
    newest = Pane.merge([PANES[at] for at in range(190, 200)])
    assert [row[:4] for row in endpoints["points"]["10000"]] == [
        [*row.labels, start_of(190), row.count] for row in newest.group("request", ("method", "route"))
    ]
