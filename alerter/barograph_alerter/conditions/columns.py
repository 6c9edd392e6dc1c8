"""The numbers of all series of a window at once, to the last bit those of each alone; NaN where there is no data."""

import math

import numpy as np

from barograph_core.numerics.arrays import FloatArray, IntArray
from barograph_core.objectives.event_test import EventTest
from barograph_core.panes.series_table import SeriesTable


def counts(table: SeriesTable) -> FloatArray:
    return table.events.astype(np.float64)


def errors(table: SeriesTable) -> FloatArray:
    return table.error_counts().astype(np.float64)


def error_rates(table: SeriesTable) -> FloatArray:
    return _divided(table.error_counts(), table.outcome_counts())


def shares(table: SeriesTable, test: EventTest) -> FloatArray:
    passed, total, _ = test.count_each(table).T
    return _divided(passed, total)


def status_counts(table: SeriesTable, code: int) -> FloatArray:
    return table.counts_of_status(code).astype(np.float64)


def value_counts(table: SeriesTable, measure: str) -> FloatArray:
    return table.summaries.counts[table.rows_of(measure)].astype(np.float64)


def minima(table: SeriesTable, measure: str) -> FloatArray:
    return _where_any(table, measure, table.summaries.minimum[table.rows_of(measure)])


def maxima(table: SeriesTable, measure: str) -> FloatArray:
    return _where_any(table, measure, table.summaries.maximum[table.rows_of(measure)])


def quantiles(table: SeriesTable, measure: str, q: float) -> FloatArray:
    return table.summaries.quantiles(table.rows_of(measure), q)


def sums(table: SeriesTable, measure: str) -> FloatArray:
    found = [float(total) for total in table.summaries.totals.take(table.rows_of(measure)).sums()]
    return _where_any(table, measure, np.array(found, np.float64))


def averages(table: SeriesTable, measure: str) -> FloatArray:
    rows = table.rows_of(measure)
    totals, numbers = table.summaries.totals.take(rows).sums(), table.summaries.counts[rows].tolist()
    found = [total.over(count) if count else math.nan for total, count in zip(totals, numbers, strict=True)]
    return np.array(found, np.float64)


def _where_any(table: SeriesTable, measure: str, values: FloatArray) -> FloatArray:
    return np.where(table.summaries.counts[table.rows_of(measure)] > 0, values, math.nan)


def _divided(amounts: IntArray, of: IntArray) -> FloatArray:
    found = np.full(len(of), math.nan)
    np.divide(amounts, of, out=found, where=of > 0)
    return found
