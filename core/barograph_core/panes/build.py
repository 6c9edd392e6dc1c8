"""Sorts the events of many entries into the series of their panes: the hot path of the aggregator."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from barograph_core.decode.block import EventBlock
from barograph_core.numerics.arrays import FloatArray, IntArray
from barograph_core.numerics.exact import MAX_DIGITS, digits_spanned
from barograph_core.numerics.grouping import count_keys, sum_by_row
from barograph_core.panes.series_table import STATUS_SPAN, SeriesTable
from barograph_core.panes.summary_table import SummaryTable

# Limit of values that are sorted together: some tens of MB of working memory.
_MAX_VALUES_AT_ONCE: Final = 1 << 19
# Limit of the digits of all rows, under 100 MB: a row has up to 140 when a client's values span all magnitudes.
_MAX_DIGITS_AT_ONCE: Final = 1 << 22


def series_by_pane(block: EventBlock, step_ms: int) -> Iterator[tuple[str, int, SeriesTable]]:
    """Yield service, start and series of each pane into which events of ``block`` fall.

    With very many events the same pane may be yielded more than once.
    """
    most = _MAX_VALUES_AT_ONCE // len(block.kind.measures)
    if block.events <= most:
        yield from _build(block.expanded(), step_ms)
        return
    # Expand in pieces, because a thousand sampled entries can stand for a hundred million events.
    weights = np.ones(len(block), np.int64) if block.weights is None else block.weights
    piece_of = np.cumsum(weights) // most
    ends = [*np.flatnonzero(np.diff(piece_of)).tolist(), len(block) - 1]
    start = 0
    for end in ends:
        yield from _build(block.select(slice(start, end + 1)).expanded(), step_ms)
        start = end + 1


def _build(block: EventBlock, step_ms: int) -> Iterator[tuple[str, int, SeriesTable]]:
    kind, labels = block.kind, block.table.labels
    panes, pane_of = _number_panes(block, step_ms)
    label_sets, label_set_of, counts = _number_used(block.label_sets)
    # A cell is a label set in a pane. There are few, so what depends on label set and pane is looked up for cells.
    if len(panes) == 1:
        cells, cell_of = np.arange(len(label_sets)), label_set_of
    else:
        cells, cell_of, counts = _number_used(pane_of * len(label_sets) + label_set_of)
    label_set_of_cell = label_sets[cells % len(label_sets)]
    # Rows are for series that have an event in a pane, because most pairs of a series and a distant pane have none.
    used, row_of_cell = np.unique(
        cells // len(label_sets) * len(labels) + block.table.series[label_set_of_cell], return_inverse=True
    )
    rows = row_of_cell[cell_of]
    values, measure_rows = _values(block, rows)
    size = len(used) * len(kind.measures)
    if size * MAX_DIGITS > _MAX_DIGITS_AT_ONCE < size * digits_spanned(values) and len(block) > 1:
        middle = len(block) // 2
        yield from _build(block.select(slice(0, middle)), step_ms)
        yield from _build(block.select(slice(middle, None)), step_ms)
        return
    status = status_counts = np.empty(0, np.int64)
    if kind.has_status:
        codes = row_of_cell * STATUS_SPAN + block.table.status[label_set_of_cell]
        status, status_counts = count_keys(codes, len(used) * STATUS_SPAN, counts)
    ranks: list[int] = (used % len(labels)).tolist()
    table = SeriesTable(
        kind=kind,
        labels=[labels[rank] for rank in ranks],
        events=sum_by_row(counts, row_of_cell, len(used)),
        estimated=_count_estimated(block, rows, len(used)),
        status=status,
        status_counts=status_counts,
        summaries=SummaryTable.of_values(values, measure_rows, size),
    )
    ends = np.searchsorted(used, np.arange(len(panes) + 1) * len(labels)).tolist()
    for number, (service, start_ms) in enumerate(panes):
        yield service, start_ms, table.series(ends[number], ends[number + 1]) if len(panes) > 1 else table


def _number_panes(block: EventBlock, step_ms: int) -> tuple[list[tuple[str, int]], IntArray]:
    """Return service and start of each pane, and for each event the number of its pane (none if there is one pane)."""
    first, last = int(block.times_ms.min()) // step_ms, int(block.times_ms.max()) // step_ms
    span = last - first + 1
    if span == 1 and block.service_of is None:
        return [(block.services[0], first * step_ms)], np.empty(0, np.int64)
    steps = block.times_ms // step_ms
    steps -= first
    if block.service_of is not None:
        steps += block.service_of * span
    used, numbers, _ = _number_used(steps)
    keys: list[int] = used.tolist()
    return [(block.services[key // span], (first + key % span) * step_ms) for key in keys], numbers


def _number_used(values: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return the distinct ``values``, ascending, for each value its place among them, and the count of each of them."""
    span = int(values.max()) + 1
    if span > 4 * len(values) + 1024:
        used, numbers, counts = np.unique(values, return_inverse=True, return_counts=True)
        return used, numbers.astype(np.int64), counts.astype(np.int64)
    counts = np.bincount(values, minlength=span)
    # Search in flags, because to search in a column of int64 takes five times as long.
    used = np.flatnonzero(counts != 0)
    if len(used) == span:
        return used, values, counts
    numbers = np.empty(span, np.int64)
    numbers[used] = np.arange(len(used))
    return used, numbers[values], counts[used]


def _count_estimated(block: EventBlock, rows: IntArray, size: int) -> IntArray:
    if block.weights is None:
        return np.zeros(size, np.int64)
    return np.bincount(rows[block.weights > 1], minlength=size)


def _values(block: EventBlock, rows: IntArray) -> tuple[FloatArray, IntArray]:
    """Return the present values of all measures, and the row of each; the rows of a series follow each other."""
    width = len(block.columns)
    all_values: list[FloatArray] = []
    all_rows: list[IntArray] = []
    for measure, column in enumerate(block.columns):
        if column is None:
            continue
        targets = rows if width == 1 else rows * width + measure
        is_there = ~np.isnan(column)
        is_whole = bool(is_there.all())
        all_values.append(column if is_whole else column[is_there])
        all_rows.append(targets if is_whole else targets[is_there])
    if not all_values:
        return np.empty(0), np.empty(0, np.int64)
    if len(all_values) == 1:
        return all_values[0], all_rows[0]
    return np.concatenate(all_values), np.concatenate(all_rows)
