"""What charts draw: gaps stay gaps, rates are over what is covered, spans end with the range."""

from barograph_cli.explore.answers.alerts import Episode, Episodes
from barograph_cli.explore.answers.figures import Answer, Point
from barograph_cli.explore.rows import episode_rows, histogram_rows, request_rows

STEP_MS = 10_000


def point(start_ms: int, events: int = 10) -> Point:
    return Point(start_ms, events, 1, events, 50.0, 1 / events, 5.0, 9.0, 4.0, 8.0, 9.0, is_estimated=False)


def answer(from_ms: int, to_ms: int) -> Answer:
    return Answer(STEP_MS, from_ms, to_ms, from_ms, to_ms, 0, [])


def test_a_gap_has_a_row_without_figures_so_that_the_line_breaks() -> None:
    rows = request_rows(answer(0, 60_000), [point(10_000), point(20_000), point(50_000)])
    assert [(row["t"], row.get("p95")) for row in rows] == [
        (0.0, None),
        (10_000.0, 8.0),
        (20_000.0, 8.0),
        (30_000.0, None),
        (50_000.0, 8.0),
        (60_000.0, None),
    ]


def test_the_rate_of_a_point_that_is_cut_is_over_its_covered_part() -> None:
    """The newest point has begun only: over all of its length its rate would fall each time."""
    rows = request_rows(answer(5_000, 24_000), [point(0), point(10_000), point(20_000)])
    assert [row["per_minute"] for row in rows if "per_minute" in row] == [120.0, 60.0, 150.0]


def test_an_episode_is_cut_to_the_range_and_pending_before_it_fires() -> None:
    found = Episodes(1_000, 9_000, [Episode("slow", "warning", 500, 2_000, None), Episode("old", "info", 0, 10, 900)])
    rows = episode_rows(found)
    assert [(row["rule"], row["state"], row["t"], row["end"]) for row in rows] == [
        ("slow", "firing", 2_000.0, 9_000.0),
        ("slow", "pending", 1_000.0, 2_000.0),
    ]


def test_an_alert_that_never_fired_was_pending_to_its_end() -> None:
    rows = episode_rows(Episodes(0, 9_000, [Episode("slow", "warning", 500, None, 800)]))
    assert [(row["state"], row["t"], row["end"]) for row in rows] == [("pending", 500.0, 800.0)]


def test_a_histogram_is_shares_of_its_sum_and_nothing_without_values() -> None:
    edges = [0.0, 0.25, 0.5, 0.75, 1.0]
    assert [(row["low"], row["high"], row["share"]) for row in histogram_rows([("ctr 8", [1, 0, 2, 1])], edges)] == [
        (0.0, 0.25, 0.25),
        (0.25, 0.5, 0.0),
        (0.5, 0.75, 0.5),
        (0.75, 1.0, 0.25),
    ]
    assert histogram_rows([("ctr 8", [0, 0, 0, 0])], edges) == []
