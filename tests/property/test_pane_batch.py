"""Many merges at once give what each gives alone, to the byte."""

from hypothesis import given, settings
from hypothesis import strategies as st

from barograph_core.panes.merge_each import merge_each
from barograph_core.panes.pane import Pane
from tests.batches import Event, decoded, panes_by_start
from tests.property.test_sketch_and_pane import CUSTOM, REQUEST

Drawn = list[tuple[str, list[Event], list[Event]]]
PARTS = st.lists(
    st.tuples(st.sampled_from(["custom", "request"]), st.lists(CUSTOM, max_size=8), st.lists(REQUEST, max_size=8)),
    max_size=4,
)


def parts_of(drawn: Drawn) -> list[Pane]:
    panes: list[Pane] = []
    for kind, custom, requests in drawn:
        events = custom if kind == "custom" else requests
        panes += panes_by_start([decoded(kind, events)], 1_000_000).values() if events else [Pane.EMPTY]
    return panes


@settings(max_examples=60, deadline=None)
@given(st.lists(PARTS, max_size=6))
def test_merging_groups_at_once_gives_the_bytes_of_each(
    drawn: list[Drawn],
) -> None:
    """The pane and its whole; empty groups, empty panes and kinds that only some have among them."""
    groups = [parts_of(group) for group in drawn]
    merged = merge_each(groups)
    assert [one.pane.pack() for one in merged] == [Pane.merge(group).pack() for group in groups]
    assert [one.whole.pack() for one in merged] == [Pane.merge(group).whole().pack() for group in groups]


@settings(max_examples=20, deadline=None)
@given(st.lists(PARTS, min_size=2, max_size=6), st.integers(1, 5))
def test_it_does_not_matter_where_the_columns_are_cut(drawn: list[Drawn], most: int) -> None:
    """Large panes go in several stretches."""
    groups = [parts_of(group) for group in drawn]
    whole = [one.pane.pack() for one in merge_each(groups)]
    assert [one.pane.pack() for one in merge_each(groups, series_at_once=most)] == whole
