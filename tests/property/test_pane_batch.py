"""Many merges and groupings at once give what each gives alone, to the byte."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph_core.panes.many.merge_each import merge_each
from barograph_core.panes.many.runs import PaneColumns
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


GROUPED: list[tuple[str, tuple[str, ...], dict[str, str]]] = [
    ("custom", (), {}),
    ("custom", ("zone",), {}),
    ("custom", ("name", "zone"), {"zone": "eu"}),
    ("request", ("route",), {}),
    ("request", (), {"route": "/a"}),
    ("request", ("method", "route"), {}),
    ("system", ("instance",), {}),
]
GROUPS = st.sampled_from(GROUPED)
RUNS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=8)


@settings(max_examples=80, deadline=None)
@given(st.lists(PARTS, max_size=12), GROUPS, RUNS)
def test_runs_grouped_at_once_have_the_groups_of_each(
    drawn: list[Drawn], grouping: tuple[str, tuple[str, ...], dict[str, str]], asked: list[tuple[int, int]]
) -> None:
    """Of any panes that follow each other, runs without a pane and without an event among them."""
    panes = [Pane.merge(parts_of(parts)) for parts in drawn]
    kind, by, where = grouping
    runs = [(min(one, len(panes)), min(other, len(panes))) for one, other in asked]
    expected = [Pane.merge(panes[first:end]).group(kind, by, where) for first, end in runs]
    found = PaneColumns(kind, panes).grouped(by, where)
    if found is None:
        assert not any(pane.group(kind, by, where) for pane in panes)
        return
    first, end = (np.array(ends, np.int64) for ends in zip(*runs, strict=True))
    merged = found.merged(first, end)
    numbers = range(len(runs))
    assert [list(merged.of(number).series_summaries()) for number in numbers] == expected
    assert [merged.series_of(number) for number in numbers] == expected
    assert merged.runs_with(np.arange(len(merged.table.labels))).tolist() == [bool(one) for one in expected]
