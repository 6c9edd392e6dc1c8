"""The figures of series over time, as columns: the content of charts and tables.

The store keeps them next to each roll-up, so that a day of one series is read without the panes, which hold all series.
Figures that need merging are computed from the panes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from barograph_core.errors import MalformedEventError
from barograph_core.events.kinds import FAILED, Kind
from barograph_core.numerics.arrays import BoolArray, FloatArray, IntArray
from barograph_core.numerics.sketch import bin_values
from barograph_core.panes.series_table import SeriesTable
from barograph_core.store.figure_records import (
    STORED_QUANTILES,
    error_counts,
    outcome_counts,
    quantile_bins,
    record_format,
)


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """Figures of one measure, a row for each series and point in time that has an event.

    Attributes:
        series: The series of each row, by its place in a list of labels that the caller holds.
        starts_ms: Start of the point.
        events: Number of events, with or without the measure.
        errors: Number of events that failed: with a status of 500 or above, or with the flag ``failed``.
        outcomes: Number of events that say whether they failed.
        estimated: Whether some of the events came in sampled records.
        counts: Number of values of the measure. Where it is 0, the following columns have no meaning.
        totals: Sum of the values, rounded once.
        minimum: The least value.
        maximum: The greatest value.
        quantiles: Quantile -> its value, as ``Summary.quantile`` returns it.
    """

    series: IntArray
    starts_ms: IntArray
    events: IntArray
    errors: IntArray
    outcomes: IntArray
    estimated: BoolArray
    counts: IntArray
    totals: FloatArray
    minimum: FloatArray
    maximum: FloatArray
    quantiles: Mapping[float, FloatArray]

    @classmethod
    def of_table(
        cls,
        table: SeriesTable,
        measure: int,
        quantiles: Sequence[float],
        series: IntArray,
        starts_ms: IntArray,
    ) -> "Figures":
        """Return the figures of ``table``, one row for each of its series.

        Args:
            table: Its rows may be points in time of fewer series.
            measure: Place of the measure among those of the kind.
            quantiles: Each from 0 to 1.
            series: The series of each row.
            starts_ms: Start of the point of each row.
        """
        rows = np.arange(len(table.labels)) * len(table.kind.measures) + measure
        summaries = table.summaries.take(rows)
        bins = quantile_bins(summaries, quantiles)
        totals = summaries.totals.sums()
        return cls(
            series=series,
            starts_ms=starts_ms,
            events=table.events,
            errors=error_counts(table),
            outcomes=outcome_counts(table),
            estimated=table.estimated > 0,
            counts=summaries.counts,
            totals=np.fromiter(map(float, totals), np.float64, len(totals)),
            minimum=summaries.minimum,
            maximum=summaries.maximum,
            quantiles=_clamped(bins, quantiles, summaries.minimum, summaries.maximum),
        )

    @classmethod
    def of_records(
        cls, kind: Kind, measure: int, content: bytes, series: IntArray, block_ms: IntArray, step_ms: int
    ) -> "Figures":
        """Read joined records in the format of this version (``figure_records.read_records``).

        Args:
            kind: The kind of all records.
            measure: Place of the measure among those of the kind.
            content: The records.
            series: The series of each record.
            block_ms: Start of the block of each record.
            step_ms: Length of a pane.

        Raises:
            MalformedEventError: ``content`` is not as many records as ``series`` has.
        """
        record = record_format(kind)
        if len(content) != record.itemsize * len(series):
            raise MalformedEventError(f"{len(content)} bytes are not {len(series)} figures of {record.itemsize} bytes")
        records = np.frombuffer(content, record)
        found = records["measures"][:, measure]
        minimum, maximum = found["minimum"].astype(np.float64), found["maximum"].astype(np.float64)
        events = records["events"].astype(np.int64)
        outcomes, errors = events, np.zeros(len(records), np.int64)
        if kind.has_status:
            errors = records["errors"].astype(np.int64)
        elif FAILED in kind.measure_names:
            failed = records["measures"][:, kind.measure_names.index(FAILED)]
            outcomes, errors = failed["count"].astype(np.int64), failed["total"].astype(np.int64)
        return cls(
            series=series,
            starts_ms=block_ms + records["place"].astype(np.int64) * step_ms,
            events=events,
            errors=errors,
            outcomes=outcomes,
            estimated=records["estimated"],
            counts=found["count"].astype(np.int64),
            totals=found["total"].astype(np.float64),
            minimum=minimum,
            maximum=maximum,
            quantiles=_clamped(found["bins"].T.astype(np.int64), STORED_QUANTILES, minimum, maximum),
        )

    def between(self, from_ms: int, to_ms: int) -> "Figures":
        """Return the rows that begin in ``[from_ms, to_ms)``."""
        inside = (self.starts_ms >= from_ms) & (self.starts_ms < to_ms)
        return self if inside.all() else self.take(np.flatnonzero(inside))

    def of_series(self, series: IntArray) -> "Figures":
        """Return the same rows with other ``series``."""
        return replace(self, series=series)

    def take(self, rows: IntArray) -> "Figures":
        """Return the rows at ``rows``, in that order."""
        return Figures(
            series=self.series[rows],
            starts_ms=self.starts_ms[rows],
            events=self.events[rows],
            errors=self.errors[rows],
            outcomes=self.outcomes[rows],
            estimated=self.estimated[rows],
            counts=self.counts[rows],
            totals=self.totals[rows],
            minimum=self.minimum[rows],
            maximum=self.maximum[rows],
            quantiles={quantile: values[rows] for quantile, values in self.quantiles.items()},
        )

    @classmethod
    def empty(cls, quantiles: Iterable[float]) -> "Figures":
        """Return figures without rows."""
        none, nothing = np.empty(0, np.int64), np.empty(0)
        flags = np.empty(0, np.bool_)
        return cls(
            none, none, none, none, none, flags, none, nothing, nothing, nothing, dict.fromkeys(quantiles, nothing)
        )

    @classmethod
    def concatenate(cls, parts: Sequence["Figures"]) -> "Figures":
        """Return the rows of all ``parts``, at least one, of the same quantiles."""
        return cls(
            series=np.concatenate([part.series for part in parts]),
            starts_ms=np.concatenate([part.starts_ms for part in parts]),
            events=np.concatenate([part.events for part in parts]),
            errors=np.concatenate([part.errors for part in parts]),
            outcomes=np.concatenate([part.outcomes for part in parts]),
            estimated=np.concatenate([part.estimated for part in parts]),
            counts=np.concatenate([part.counts for part in parts]),
            totals=np.concatenate([part.totals for part in parts]),
            minimum=np.concatenate([part.minimum for part in parts]),
            maximum=np.concatenate([part.maximum for part in parts]),
            quantiles={
                quantile: np.concatenate([part.quantiles[quantile] for part in parts])
                for quantile in parts[0].quantiles
            },
        )

    @property
    def averages(self) -> FloatArray:
        """Return the sum divided by the count, NaN where there is no value."""
        averages = np.full(len(self.counts), np.nan)
        np.divide(self.totals, self.counts, out=averages, where=self.counts > 0)
        return averages


def _clamped(
    bins: IntArray, quantiles: Sequence[float], minimum: FloatArray, maximum: FloatArray
) -> dict[float, FloatArray]:
    values = bin_values(bins)
    return {quantile: np.minimum(np.maximum(values[i], minimum), maximum) for i, quantile in enumerate(quantiles)}
