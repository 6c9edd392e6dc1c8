"""The query store: its steps as they are written in settings, ranges without a pane, and what has arrived by when."""

import math

import pytest

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.steps import DEFAULT_KEEP, Step, parse_keep
from barograph_core.store.pane_store import PaneStore
from tests.support import fake_connection


def test_a_block_spans_one_pane_of_the_next_step() -> None:
    """The children of a roll-up lie in one key."""
    assert parse_keep("1s:15m,10s:2h") == (Step(1_000, 900_000, 10_000), Step(10_000, 7_200_000, 240_000))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1s", "not of the form"),
        ("1s:15m,", "not of the form"),
        ("0s:15m,10s:2h", "longer than 0"),
        ("1s:15m,10s:1s", "no longer than kept"),
        ("10s:15m,1s:2h", "not a multiple"),
        ("1s:15m,1500ms:2h", "not a multiple"),
        ("1s:5s,10s:2h", "less than one step of 10000 ms"),
        # A place in the block beyond 65,535 does not fit the figure records, and its roll-up would never close.
        ("1s:2m,1m:61d,60d:90d", "step of 60000 ms goes 86400 times into the next, .* put a step between the two"),
    ],
)
def test_steps_that_cannot_work_are_named(text: str, problem: str) -> None:
    """At start, with what is wrong; later they would be divisions by zero or panes that expire at once."""
    with pytest.raises(ValueError, match=problem):
        parse_keep(text)


@pytest.mark.parametrize(("from_ms", "to_ms"), [(60_000, 60_000), (65_000, 65_000), (65_000, 61_000), (0, 0)])
def test_an_empty_range_holds_no_pane(from_ms: int, to_ms: int) -> None:
    """Wherever in a block it lies: no server is asked for nothing, which it would refuse."""
    store = PaneStore(fake_connection(), ShardKeys(), parse_keep(DEFAULT_KEEP))
    assert store.read("ranker", 1_000, from_ms, to_ms) == []


class Arrivals:
    """What producers of one service have declared, and how far aggregators have committed."""

    NOW = 1_700_000_000_000

    def __init__(self, *, reached_ms: int | None = NOW) -> None:
        self.keys, self.connection = ShardKeys(), fake_connection()
        if reached_ms is not None:
            self.connection.command("HSET", self.keys.progress, "reached_ms", reached_ms)

    def declare(self, instance: str, heard_ms: int, shipped_ms: int | None) -> None:
        self.connection.command("ZADD", self.keys.producers("ranker"), heard_ms, instance)
        if shipped_ms is not None:
            self.connection.command("ZADD", self.keys.shipped("ranker"), shipped_ms, instance)

    def arrived_ms(self, closed_through_ms: int = NOW - 2_000) -> float:
        return PaneStore(self.connection, self.keys, parse_keep(DEFAULT_KEEP)).arrived_ms("ranker", closed_through_ms)


NOW = Arrivals.NOW


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ([], -math.inf),
        ([(NOW - 200, NOW - 200)], NOW - 200),
        ([(NOW - 200, NOW - 200), (NOW - 300, NOW - 300)], NOW - 300),
        # A clock that is 500 ms behind, and one that is 4 s behind: events of it may still come into closed panes.
        ([(NOW - 200, NOW - 200), (NOW - 100, NOW - 600)], NOW - 600),
        ([(NOW - 200, NOW - 200), (NOW - 100, NOW - 4_100)], NOW - 4_100),
        # Versions that do not say what they have shipped, alone and beside one that does.
        ([(NOW - 200, None)], NOW - 200),
        ([(NOW - 200, NOW - 200), (NOW - 300, None)], NOW - 300),
        # One that has been silent since before the newest closed pane: what it holds nobody knows.
        ([(NOW - 200, NOW - 200), (NOW - 3_000, NOW - 3_000)], -math.inf),
        # One that died longer ago than it counts as missing.
        ([(NOW - 200, NOW - 200), (NOW - 900_000, NOW - 900_000)], NOW - 200),
    ],
)
def test_what_has_arrived_is_told_by_the_clocks_that_date_events(
    declared: list[tuple[int, int | None]], expected: float
) -> None:
    """And whether a producer is missing by the server's."""
    arrivals = Arrivals()
    for number, (heard_ms, shipped_ms) in enumerate(declared):
        arrivals.declare(f"api-{number}", heard_ms, shipped_ms)
    assert arrivals.arrived_ms() == expected


def test_what_is_not_committed_has_not_arrived() -> None:
    """Of a producer whose clock is behind, what was committed by a time is as much older."""
    arrivals = Arrivals(reached_ms=NOW - 1_000)
    arrivals.declare("api-1", NOW - 200, NOW - 600)
    assert arrivals.arrived_ms() == NOW - 1_400
    assert Arrivals(reached_ms=None).arrived_ms() == -math.inf
