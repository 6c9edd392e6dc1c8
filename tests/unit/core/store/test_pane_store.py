"""The query store: its steps as they are written in settings, and ranges without a pane."""

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
