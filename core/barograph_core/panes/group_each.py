"""Groups the series of many windows at once, because most of the cost of a small one does not depend on its size."""

from collections.abc import Sequence
from itertools import groupby

from barograph_core.panes.grouping import Grouping, Where
from barograph_core.panes.pane import Pane
from barograph_core.panes.series_table import SeriesTable
from barograph_core.panes.summary import SeriesSummary


def group_each(
    windows: Sequence[Sequence[Pane]], kind: str, by: tuple[str, ...], where: Where
) -> list[list[SeriesSummary]]:
    """Return for each window, given as the panes that make it up, what ``Pane.group`` of their merge returns.

    Args:
        windows: Some hundred, so that the columns fit the processor's cache.
        kind: Name of a kind.
        by: Label names.
        where: Label name -> value or matcher. Only series with these values count.
    """
    found: list[list[SeriesSummary]] = [[] for _ in windows]
    groups_of: dict[int, tuple[SeriesTable, list[tuple[str, ...]]]] = {}
    parts: list[SeriesTable] = []
    labels: list[list[tuple[str, ...]]] = []
    for at, panes in enumerate(windows):
        for pane in panes:
            table = pane.table(kind)
            if table is None:
                continue
            # A pane is part of many windows: its series are chosen once.
            if id(table) not in groups_of:
                groups_of[id(table)] = _chosen(table, by, where)
            chosen, groups = groups_of[id(table)]
            if groups:
                parts.append(chosen)
                # The number of the window is put before the labels, so that windows stay separate and in order.
                labels.append([(f"{at:08d}", *group) for group in groups])
    if not parts:
        return found
    folded = SeriesTable.fold(parts, labels)
    rows = folded.relabelled([row[1:] for row in folded.labels]).series_summaries()
    for number, own in groupby(zip(folded.labels, rows, strict=True), key=lambda pair: pair[0][0]):
        found[int(number)] = [row for _, row in own]
    return found


def _chosen(table: SeriesTable, by: tuple[str, ...], where: Where) -> tuple[SeriesTable, list[tuple[str, ...]]]:
    """Return the series of ``table`` that are meant, and the values by which each is grouped."""
    grouping = Grouping.of(table.kind, table.labels, by, where)
    taken = table if grouping.kept is None else table.take(grouping.kept)
    return taken, [grouping.labels[row] for row in grouping.rows.tolist()]
