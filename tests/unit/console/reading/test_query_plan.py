import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph_console.reading.query_plan import QueryError, QueryPlan, auto_steps_ms, plan_query
from barograph_core.steps import DEFAULT_KEEP, parse_keep
from barograph_core.store.cover import Run

STEPS = parse_keep(DEFAULT_KEEP)
# A whole hour.
NOW_MS = 1_700_002_800_000
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000


def plan(
    from_ms: int, to_ms: int, step_ms: int | None, *, closed_ms: int = NOW_MS, max_points: int = 20_000
) -> QueryPlan:
    return plan_query(
        STEPS,
        from_ms=from_ms,
        to_ms=to_ms,
        step_ms=step_ms,
        closed_through_ms=closed_ms,
        now_ms=NOW_MS,
        max_points=max_points,
    )


def test_the_coarsest_step_that_divides_the_asked_one_is_the_body() -> None:
    """Ten-minute points of yesterday come from minutes, not from seconds that have expired."""
    asked = plan(NOW_MS - DAY, NOW_MS - 12 * HOUR, 10 * MINUTE)
    assert asked.runs == (Run(MINUTE, NOW_MS - DAY, NOW_MS - 12 * HOUR),)


def test_what_has_no_roll_up_yet_is_read_at_finer_steps() -> None:
    """Minute points up to now end with ten-second panes, then seconds: no hole at the newest end."""
    asked = plan(NOW_MS - 10 * MINUTE, NOW_MS, MINUTE, closed_ms=NOW_MS - 2 * SECOND)
    assert asked.runs == (
        Run(MINUTE, NOW_MS - 10 * MINUTE, NOW_MS - 2 * MINUTE),
        Run(10 * SECOND, NOW_MS - 2 * MINUTE, NOW_MS - 20 * SECOND),
        Run(SECOND, NOW_MS - 20 * SECOND, NOW_MS - 2 * SECOND),
    )


def test_roll_ups_that_are_still_to_be_made_are_read_at_finer_steps() -> None:
    """After a pause of the aggregators they come late: read at their step, minutes of traffic would be empty."""
    pending = [(10 * SECOND, NOW_MS - 5 * MINUTE - 30 * SECOND), (MINUTE, NOW_MS - 4 * MINUTE)]
    asked = plan_query(
        STEPS,
        from_ms=NOW_MS - 10 * MINUTE,
        to_ms=NOW_MS,
        step_ms=MINUTE,
        closed_through_ms=NOW_MS,
        now_ms=NOW_MS,
        max_points=100,
        pending=pending,
    )
    assert asked.runs == (
        # The minute that the ten seconds belong to has no roll-up either.
        Run(MINUTE, NOW_MS - 10 * MINUTE, NOW_MS - 6 * MINUTE),
        Run(10 * SECOND, NOW_MS - 6 * MINUTE, NOW_MS - 5 * MINUTE - 30 * SECOND),
        Run(SECOND, NOW_MS - 5 * MINUTE - 30 * SECOND, NOW_MS),
    )


def test_what_is_kept_at_no_finer_step_is_read_where_it_is() -> None:
    """Minutes of yesterday that late events revise: the seconds have expired."""
    asked = plan_query(
        STEPS,
        from_ms=NOW_MS - DAY,
        to_ms=NOW_MS - 23 * HOUR,
        step_ms=MINUTE,
        closed_through_ms=NOW_MS,
        now_ms=NOW_MS,
        max_points=100,
        pending=[(MINUTE, NOW_MS - DAY + 5 * MINUTE)],
    )
    assert asked.runs == (Run(MINUTE, NOW_MS - DAY, NOW_MS - 23 * HOUR),)


def test_a_step_no_longer_kept_that_far_back_makes_way_for_a_coarser_one() -> None:
    """Hour points of last week come from hours: minutes are kept for two days."""
    asked = plan(NOW_MS - 7 * DAY, NOW_MS - 6 * DAY, HOUR)
    assert [run.step_ms for run in asked.runs] == [HOUR]
    assert asked.covered_from_ms == asked.from_ms


def test_one_point_over_whole_minutes_is_read_from_minutes() -> None:
    """With step=all the coarsest step on which both ends fall answers exactly."""
    asked = plan(NOW_MS - 90 * MINUTE, NOW_MS - 80 * MINUTE, None)
    assert asked.runs == (Run(MINUTE, NOW_MS - 90 * MINUTE, NOW_MS - 80 * MINUTE),)


def test_one_point_over_odd_seconds_is_exact_to_the_second() -> None:
    """With step=all and ends inside a minute, the finest kept step answers."""
    asked = plan(NOW_MS - 75 * SECOND, NOW_MS - 3 * SECOND, None)
    assert (asked.from_ms, asked.to_ms) == (NOW_MS - 75 * SECOND, NOW_MS - 3 * SECOND)


def test_the_ends_are_widened_to_whole_panes() -> None:
    """The answer says what it covers, not what was asked."""
    asked = plan(NOW_MS - 10_500, NOW_MS - 5_500, SECOND)
    assert (asked.from_ms, asked.to_ms) == (NOW_MS - 11_000, NOW_MS - 5_000)


def test_a_range_older_than_what_is_kept_says_so() -> None:
    """Second points of the last hour: covered only as far as seconds are kept."""
    asked = plan(NOW_MS - HOUR, NOW_MS, SECOND)
    assert asked.covered_from_ms == NOW_MS - 15 * MINUTE


def test_a_range_from_the_epoch_reads_no_keys_that_cannot_be_there() -> None:
    """from=0 costs no more than the retention."""
    asked = plan(0, NOW_MS, None)
    assert asked.from_ms >= NOW_MS - 92 * DAY


def test_a_range_into_the_future_ends_where_closing_has_come_to() -> None:
    """A far end costs nothing: no pane can lie beyond the cursor."""
    asked = plan(NOW_MS - 10 * SECOND, NOW_MS + 10_000 * DAY, None, closed_ms=NOW_MS - 2 * SECOND)
    assert (asked.from_ms, asked.to_ms) == (NOW_MS - 10 * SECOND, NOW_MS - 2 * SECOND)


@pytest.mark.parametrize("step_ms", [SECOND, 10 * SECOND, HOUR, None])
def test_a_range_wholly_expired_reads_nothing(step_ms: int | None) -> None:
    """Not even a run without a pane: no command asks a server for none."""
    asked = plan(0, DAY, step_ms, max_points=100_000)
    assert asked.runs == ()
    assert asked.from_ms == asked.to_ms < asked.covered_from_ms


@pytest.mark.parametrize("step_ms", [SECOND, 10 * SECOND, HOUR, None])
def test_a_range_that_is_not_closed_yet_reads_nothing(step_ms: int | None) -> None:
    """All of it may still come: nothing before it is said to have expired."""
    asked = plan(NOW_MS - MINUTE, NOW_MS, step_ms, closed_ms=NOW_MS - 2 * MINUTE)
    assert asked.runs == ()
    assert asked.from_ms == asked.to_ms <= NOW_MS - 2 * MINUTE
    assert asked.covered_from_ms == asked.from_ms


@pytest.mark.parametrize(
    ("from_ms", "to_ms", "step_ms", "code"),
    [
        (NOW_MS, NOW_MS, SECOND, "empty_range"),
        (NOW_MS, NOW_MS - 1, None, "empty_range"),
        (NOW_MS - HOUR, NOW_MS, 1_500, "bad_step"),
        (NOW_MS - HOUR, NOW_MS, 500, "bad_step"),
        (NOW_MS - 10 * MINUTE, NOW_MS, SECOND, "too_many_points"),
    ],
)
def test_what_cannot_be_answered_has_a_code(from_ms: int, to_ms: int, step_ms: int | None, code: str) -> None:
    with pytest.raises(QueryError) as caught:
        plan(from_ms, to_ms, step_ms, max_points=599)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("range_ms", "expected"),
    [
        (MINUTE, [SECOND]),
        (15 * MINUTE, [10 * SECOND, 5 * SECOND]),
        (DAY, [MINUTE, 5 * MINUTE]),
        (30 * DAY, [HOUR, 6 * HOUR]),
    ],
)
def test_steps_are_found_that_fit_a_chart(range_ms: int, expected: list[int]) -> None:
    """A roll-up whose figures lie ready; for many series about 300 points, at a step that is stored over the range."""
    assert auto_steps_ms(STEPS, NOW_MS - range_ms, NOW_MS, NOW_MS) == expected


@given(
    back_ms=st.integers(1, 3 * DAY),
    length_ms=st.integers(1, 3 * DAY),
    step_ms=st.one_of(
        st.none(), st.sampled_from([SECOND, 5 * SECOND, 10 * SECOND, 30 * SECOND, MINUTE, HOUR, 6 * HOUR])
    ),
    closed_behind_ms=st.integers(0, 3 * HOUR),
)
def test_runs_join_without_hole_or_overlap(
    back_ms: int, length_ms: int, step_ms: int | None, closed_behind_ms: int
) -> None:
    """Whatever is asked, each moment is read at most once, and each kept moment exactly once."""
    from_ms = NOW_MS - back_ms
    closed_ms = (NOW_MS - closed_behind_ms) // SECOND * SECOND
    to_ms = from_ms + length_ms
    try:
        asked = plan(from_ms, to_ms, step_ms, closed_ms=closed_ms)
    except QueryError as error:
        assert error.code == "too_many_points"  # noqa: PT017 - the other outcome is checked below
        return
    for left, right in itertools.pairwise(asked.runs):
        assert left.to_ms == right.from_ms
        assert left.step_ms > right.step_ms
    for run in asked.runs:
        assert run.from_ms < run.to_ms
        assert run.from_ms % run.step_ms == 0 == run.to_ms % run.step_ms
        assert step_ms is None or step_ms % run.step_ms == 0
    if asked.covered_from_ms <= from_ms:
        assert asked.from_ms <= from_ms
        assert asked.to_ms >= min(to_ms, closed_ms) or from_ms >= closed_ms
