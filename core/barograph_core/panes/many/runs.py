"""Runs of panes that follow each other, grouped many at a time: the windows that slide over a recorded past.

All is done on columns with a row for each pane and group, so that a run costs no step of its own in Python.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from barograph_core.events.kinds import KINDS, Labels
from barograph_core.numerics.arrays import BoolArray, IntArray
from barograph_core.panes.grouping import Grouping, Where
from barograph_core.panes.pane import Pane
from barograph_core.panes.series_table import SeriesTable
from barograph_core.panes.summary import SeriesSummary

# Runs whose series are made together.
_AT_ONCE: Final = 64


class GroupedRuns:
    """The groups of some runs.

    Attributes:
        table: A row for each group of each run that has events, run by run, labelled as the groups are.
        starts: For each run its first row, and after the last run the number of all rows.
    """

    def __init__(self, table: SeriesTable, starts: IntArray) -> None:
        self.table = table
        self.starts = starts
        self._made: dict[int, list[SeriesSummary]] = {}

    def length(self, run: int) -> int:
        """Return how many groups a run has."""
        return int(self.starts[run + 1] - self.starts[run])

    def of(self, run: int) -> SeriesTable:
        """Return the groups of one run, ascending by their labels."""
        return self.table.series(int(self.starts[run]), int(self.starts[run + 1]))

    def series_of(self, run: int) -> list[SeriesSummary]:
        """Return the same as series. Those of the runs next to it are made with them: most of their cost is shared."""
        block = run // _AT_ONCE
        begin = int(self.starts[block * _AT_ONCE])
        found = self._made.get(block)
        if found is None:
            end = int(self.starts[min(len(self.starts) - 1, (block + 1) * _AT_ONCE)])
            found = self._made[block] = list(self.table.series(begin, end).series_summaries())
        return found[int(self.starts[run]) - begin : int(self.starts[run + 1]) - begin]

    def runs_with(self, rows: IntArray) -> BoolArray:
        """Say of each run whether any of ``rows``, which ascend, is one of its groups."""
        return np.diff(np.searchsorted(rows, self.starts)) > 0


class PaneColumns:
    """The series of one kind in many panes, as one table."""

    def __init__(self, kind: str, panes: Sequence[Pane]) -> None:
        self._kind = KINDS[kind]
        self._size = len(panes)
        found = [(number, table) for number, pane in enumerate(panes) if (table := pane.table(kind)) is not None]
        self._table = SeriesTable.concatenated([table for _, table in found]) if found else None
        numbers: dict[Labels, int] = {}
        self._series = np.array(
            [numbers.setdefault(one, len(numbers)) for one in (self._table.labels if self._table else ())], np.int64
        )
        self._labels = list(numbers)
        lengths = np.array([len(table.labels) for _, table in found], np.int64)
        self._pane_of = np.repeat(np.array([number for number, _ in found], np.int64), lengths)

    def grouped(self, by: tuple[str, ...], where: Where) -> "PaneRuns | None":
        """Return the groups of each pane, ``None`` when none has any."""
        grouping = Grouping.of(self._kind, self._labels, by, where)
        if self._table is None or not len(grouping.rows):
            return None
        group_of = np.full(len(self._labels), -1, np.int64)
        group_of[slice(None) if grouping.kept is None else grouping.kept] = grouping.rows
        groups = group_of[self._series]
        kept = np.flatnonzero(groups >= 0)
        taken = self._table if len(kept) == len(groups) else self._table.take(kept)
        level = _Level.of([taken], [self._pane_of[kept]], [groups[kept]], grouping.labels, self._size)
        return PaneRuns(level, grouping.labels)


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """Blocks of panes, each merged.

    Attributes:
        table: A row for each group of each block that has events, block by block.
        groups: For each row the number of its group.
        starts: For each block its first row, and after the last block the number of all rows.
    """

    table: SeriesTable
    groups: IntArray
    starts: IntArray

    @classmethod
    def of(
        cls,
        tables: Sequence[SeriesTable],
        blocks: Sequence[IntArray],
        groups: Sequence[IntArray],
        labels: Sequence[Labels],
        size: int,
    ) -> "_Level":
        """Merge the rows of ``tables`` that are of one block and group.

        Args:
            tables: Any rows.
            blocks: For each table the block of each row, from 0 to below ``size``.
            groups: For each table the group of each row.
            labels: Of the groups.
            size: Number of blocks.
        """
        keys = np.concatenate(blocks) * len(labels) + np.concatenate(groups)
        distinct, rows = np.unique(keys, return_inverse=True)
        ends = np.cumsum([len(one) for one in blocks])
        of_groups = distinct % len(labels)
        numbers: list[int] = of_groups.tolist()
        folded = SeriesTable.fold_rows(tables, np.split(rows, ends[:-1]), [labels[number] for number in numbers])
        return cls(folded, of_groups, np.searchsorted(distinct, np.arange(size + 1) * len(labels)))

    @property
    def size(self) -> int:
        return len(self.starts) - 1

    def halved(self, labels: Sequence[Labels]) -> "_Level":
        """Return the merges of each two blocks."""
        blocks = np.repeat(np.arange(self.size) // 2, np.diff(self.starts))
        return self.of([self.table], [blocks], [self.groups], labels, (self.size + 1) // 2)


class PaneRuns:
    """The groups of panes that follow each other, in blocks of 1, 2, 4, … of them: a run is made of few blocks.

    Args:
        panes: Blocks of one pane each.
        labels: Of the groups.
    """

    def __init__(self, panes: _Level, labels: Sequence[Labels]) -> None:
        self._levels = [panes]
        self._labels = labels

    def merged(self, first: IntArray, end: IntArray) -> GroupedRuns:
        """Return the groups of each run ``[first, end)`` of panes, at least one."""
        size = len(first)
        tables: list[SeriesTable] = []
        runs: list[IntArray] = []
        groups: list[IntArray] = []

        def take(level: _Level, chosen: IntArray, blocks: IntArray) -> None:
            lengths = level.starts[blocks + 1] - level.starts[blocks]
            rows = np.repeat(level.starts[blocks] - (np.cumsum(lengths) - lengths), lengths)
            rows += np.arange(len(rows))
            tables.append(level.table.take(rows))
            runs.append(np.repeat(chosen, lengths))
            groups.append(level.groups[rows])

        number = 0
        while (first < end).any():
            level = self._level(number)
            odd = np.flatnonzero((first < end) & (first % 2 == 1))
            take(level, odd, first[odd])
            first = first + first % 2
            odd = np.flatnonzero((first < end) & (end % 2 == 1))
            take(level, odd, end[odd] - 1)
            first, end, number = first // 2, end // 2, number + 1
        if not tables:
            # Every run is empty: none of the rows of any pane.
            return GroupedRuns(self._levels[0].table.series(0, 0), np.zeros(size + 1, np.int64))
        found = _Level.of(tables, runs, groups, self._labels, size)
        return GroupedRuns(found.table, found.starts)

    def _level(self, number: int) -> _Level:
        while len(self._levels) <= number:
            self._levels.append(self._levels[-1].halved(self._labels))
        return self._levels[number]
