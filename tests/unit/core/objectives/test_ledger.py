"""Counts of panes are added label set by label set, whatever label sets a pane has."""

import numpy as np

from barograph_core.objectives.event_test import Passed
from barograph_core.objectives.ledger import Counts


def counts(**passed: tuple[int, int, int]) -> Counts:
    return Counts([(name,) for name in passed], np.array(list(passed.values()), np.int64).reshape(-1, 3))


def test_panes_of_other_label_sets_are_added_where_they_are_the_same() -> None:
    """Some come and go, and come again."""
    panes = [
        counts(a=(1, 2, 0), b=(3, 4, 1)),
        counts(a=(1, 2, 0), b=(3, 4, 1)),
        counts(),
        counts(b=(5, 5, 0), c=(0, 1, 0)),
        counts(a=(1, 1, 1), b=(0, 1, 0)),
    ]
    expected = {("a",): Passed(3, 5, 1), ("b",): Passed(11, 14, 2), ("c",): Passed(0, 1, 0)}
    assert Counts.sum(panes).passed() == expected
    assert panes[0].passed() == {("a",): Passed(1, 2, 0), ("b",): Passed(3, 4, 1)}


def test_of_nothing_the_sum_is_nothing() -> None:
    assert Counts.sum([]).passed() == {}
    assert Counts.sum([counts(), counts()]).passed() == {}
