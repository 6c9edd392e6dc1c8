"""Sorts the events of many batches into the series of their panes: the hot path of the aggregator."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain
from typing import Final

import numpy as np

from barograph_core.decode import EventBatch
from barograph_core.exact_sums import IntArray
from barograph_core.series_table import STATUS_SPAN, Labels, SeriesTable
from barograph_core.summary_table import FloatArray, SummaryTable
from barograph_core.tally import tally_keys

# Some tens of MB of working memory.
_MAX_EVENTS_AT_ONCE: Final = 1 << 16
# A row has up to 140 digits when a stranger's values span all magnitudes: this keeps them under 100 MB.
_MAX_ROWS_AT_ONCE: Final = 1 << 16


def series_by_pane(batches: Sequence[EventBatch], step_ms: int) -> Iterator[tuple[int, SeriesTable]]:
    """Yield start and series of each pane that events of ``batches``, all of one kind, fall into.

    A pane may come more than once when there are very many events.
    """
    start = count = 0
    for index, batch in enumerate(batches):
        events = batch.events
        if count and count + events > _MAX_EVENTS_AT_ONCE:
            yield from _build_expanded(batches[start:index], step_ms)
            start, count = index, 0
        count += events
    yield from _build_expanded(batches[start:], step_ms)


def _build_expanded(batches: Sequence[EventBatch], step_ms: int) -> Iterator[tuple[int, SeriesTable]]:
    # Not earlier: a thousand sampled batches stand for a hundred million events.
    return _build([batch.expanded() for batch in batches], step_ms)


def _build(batches: Sequence[EventBatch], step_ms: int) -> Iterator[tuple[int, SeriesTable]]:
    kind = batches[0].kind
    labels, series_of_label_set = _number_labels(batches)
    label_sets = _label_set_of_event(batches)
    series = series_of_label_set[label_sets]
    panes, pane_of_event = _number_panes(batches, step_ms)
    # One row for each series that has an event in a pane: most pairs of far-flung times and series have none.
    used, rows = _number_used(pane_of_event * len(labels) + series if len(panes) > 1 else series)
    if len(used) * len(kind.measures) > _MAX_ROWS_AT_ONCE and len(batches) > 1:
        middle = len(batches) // 2
        yield from _build(batches[:middle], step_ms)
        yield from _build(batches[middle:], step_ms)
        return
    if kind.has_status:
        codes = np.concatenate([batch.status for batch in batches if batch.status is not None])
        status, status_counts = tally_keys(rows * STATUS_SPAN + codes[label_sets], len(used) * STATUS_SPAN)
    else:
        status = status_counts = np.empty(0, np.int64)
    series_numbers: list[int] = (used % len(labels)).tolist()
    table = SeriesTable(
        kind=kind,
        labels=[labels[index] for index in series_numbers],
        events=np.bincount(rows, minlength=len(used)),
        estimated=_count_estimated(batches, rows, len(used)),
        status=status,
        status_counts=status_counts,
        summaries=_summarise(batches, rows, len(used)),
    )
    if len(panes) == 1:
        yield panes[0] * step_ms, table
        return
    ends = np.searchsorted(used, np.arange(len(panes) + 1) * len(labels)).tolist()
    for number, pane in enumerate(panes):
        yield pane * step_ms, table.series(ends[number], ends[number + 1])


def _count_estimated(batches: Sequence[EventBatch], rows: IntArray, size: int) -> IntArray:
    if all(batch.weights is None for batch in batches):
        return np.zeros(size, np.int64)
    flags = [np.zeros(batch.n, np.bool_) if batch.weights is None else batch.weights > 1 for batch in batches]
    return np.bincount(rows[np.concatenate(flags)], minlength=size)


def _number_labels(batches: Sequence[EventBatch]) -> tuple[list[Labels], IntArray]:
    """Return the distinct labels, ascending, and for each label set of each batch the number of its labels."""
    numbers: defaultdict[Labels, int] = defaultdict()
    # A number for each new label set, without a line of Python for each.
    numbers.default_factory = numbers.__len__
    label_sets = chain.from_iterable(batch.labels for batch in batches)
    found = np.fromiter(map(numbers.__getitem__, label_sets), np.int64)
    labels = sorted(numbers)
    rank = np.empty(len(labels), np.int64)
    rank[np.fromiter(map(numbers.__getitem__, labels), np.int64, len(labels))] = np.arange(len(labels))
    return labels, rank[found]


def _label_set_of_event(batches: Sequence[EventBatch]) -> IntArray:
    if len(batches) == 1:
        return batches[0].series.astype(np.int64)
    offsets = list(accumulate((len(batch.labels) for batch in batches[:-1]), initial=0))
    sizes = [batch.n for batch in batches]
    return np.concatenate([batch.series for batch in batches]) + np.repeat(np.array(offsets, np.int64), sizes)


def _number_panes(batches: Sequence[EventBatch], step_ms: int) -> tuple[list[int], IntArray]:
    """Return the panes (their starts in steps), ascending, and for each event the number of its pane."""
    first = min(batch.first_ms for batch in batches) // step_ms
    if max(batch.last_ms for batch in batches) // step_ms == first:
        return [first], np.empty(0, np.int64)
    steps = np.concatenate([batch.times_ms for batch in batches]) // step_ms
    panes, numbers = _number_used(steps - first)
    return (panes + first).tolist(), numbers


def _number_used(values: IntArray) -> tuple[IntArray, IntArray]:
    """Return the distinct ``values``, ascending, and for each value its number among them."""
    span = int(values.max()) + 1
    if span > 4 * len(values) + 1024:
        used, numbers = np.unique(values, return_inverse=True)
        return used, numbers.astype(np.int64)
    used = np.flatnonzero(np.bincount(values, minlength=span))
    if len(used) == span:
        return used, values
    numbers = np.empty(span, np.int64)
    numbers[used] = np.arange(len(used))
    return used, numbers[values]


def _summarise(batches: Sequence[EventBatch], rows: IntArray, size: int) -> SummaryTable:
    width = len(batches[0].kind.measures)
    ends = list(accumulate((batch.n for batch in batches), initial=0))
    all_values: list[FloatArray] = []
    all_rows: list[IntArray] = []
    for measure in range(width):
        columns = [batch.columns[measure] for batch in batches]
        present = [column for column in columns if column is not None]
        if not present:
            continue
        values = np.concatenate(present)
        targets = rows
        if len(present) < len(columns):
            targets = np.concatenate(
                [rows[ends[i] : ends[i + 1]] for i, column in enumerate(columns) if column is not None]
            )
        is_absent = np.isnan(values)
        if is_absent.any():
            values, targets = values[~is_absent], targets[~is_absent]
        all_values.append(values)
        all_rows.append(targets * width + measure)
    if not all_values:
        return SummaryTable.of_values(np.empty(0), np.empty(0, np.int64), size * width)
    return SummaryTable.of_values(np.concatenate(all_values), np.concatenate(all_rows), size * width)
