"""Merges many small panes at once, because most of the cost of a small merge does not depend on its size."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from barograph_core.events.kinds import KINDS
from barograph_core.panes.pane import Pane
from barograph_core.panes.series_table import SeriesTable

# Limit of series that are merged together: with more, the columns outgrow the processor's cache and nothing is saved.
_SERIES_AT_ONCE: Final = 20_000


class Merged(NamedTuple):
    """A pane, and the result of its ``Pane.whole``."""

    pane: Pane
    whole: Pane


def merge_each(groups: Sequence[Sequence[Pane]], *, series_at_once: int = _SERIES_AT_ONCE) -> list[Merged]:
    """Return for each of ``groups`` the result of ``Pane.merge`` and its whole, with the same bytes.

    Args:
        groups: Each becomes one pane.
        series_at_once: Limit of the series that are merged together. A group that has more is merged alone.
    """
    merged: list[Merged] = []
    for start, end in _batches(groups, series_at_once):
        merged += _merge_batch(groups[start:end])
    return merged


def _batches(groups: Sequence[Sequence[Pane]], series_at_once: int) -> Iterator[tuple[int, int]]:
    start = series = 0
    for at, group in enumerate(groups):
        size = sum(len(table.labels) for pane in group for table in pane.tables)
        if at > start and series + size > series_at_once:
            yield start, at
            start, series = at, 0
        series += size
    if start < len(groups):
        yield start, len(groups)


def _merge_batch(groups: Sequence[Sequence[Pane]]) -> list[Merged]:
    if len(groups) == 1:
        pane = Pane.merge(groups[0])
        return [Merged(pane, pane.whole())]
    panes: list[list[SeriesTable]] = [[] for _ in groups]
    wholes: list[list[SeriesTable]] = [[] for _ in groups]
    for kind in KINDS:
        parts = [(at, table) for at, group in enumerate(groups) for pane in group if (table := pane.table(kind))]
        if not parts:
            continue
        # The number of the group is put before the labels, so that groups stay separate and in order.
        names = [[(f"{at:08d}", *labels) for labels in table.labels] for at, table in parts]
        folded = SeriesTable.fold([table for _, table in parts], names)
        owners = np.array([int(labels[0]) for labels in folded.labels])
        whole = SeriesTable.fold([folded], [[labels[:1] for labels in folded.labels]])
        present, starts = np.unique(owners, return_index=True)
        ends = [*starts[1:].tolist(), len(owners)]
        for row, (at, start, end) in enumerate(zip(present.tolist(), starts.tolist(), ends, strict=True)):
            panes[at].append(folded.series(start, end).relabelled([labels[1:] for labels in folded.labels[start:end]]))
            wholes[at].append(whole.series(row, row + 1).relabelled([()]))
    return [Merged(Pane(tables), Pane(whole)) for tables, whole in zip(panes, wholes, strict=True)]
