"""The figures of a series over time: what charts and tables show, as columns.

Beside each roll-up the store keeps them ready, so that a day of one series is read without its panes, in which all
series lie together. What must be merged still comes from the panes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from barograph_core.arrays import BoolArray, FloatArray, IntArray
from barograph_core.errors import MalformedEventError
from barograph_core.events import Kind
from barograph_core.figure_records import STORED_QUANTILES, error_counts, quantile_bins, record_layout
from barograph_core.series_table import SeriesTable
from barograph_core.sketch import bin_values


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """Figures of one measure, a row for each series and point in time that has an event.

    Attributes:
        series: Which series a row is of, by its place in a list of labels that belongs with this.
        starts_ms: Start of the point.
        events: Events, with the measure or without.
        errors: How many of them had a status of 500 or above.
        estimated: Whether some of them came in sampled records.
        counts: Values of the measure; the columns after this one mean nothing where there is none.
        totals: Their sum, rounded once.
        minimum: The least of them; ``maximum`` the greatest.
        quantiles: By the quantile, as ``Summary.quantile``.
    """

    series: IntArray
    starts_ms: IntArray
    events: IntArray
    errors: IntArray
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
            table: Series that may be points of series.
            measure: Place of the measure among the kind's.
            quantiles: Each from 0 to 1.
            series: Which series each row is of.
            starts_ms: Where each row begins.
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
        """Read records that ``figure_fields`` wrote, joined.

        Args:
            kind: The kind of all of them.
            measure: Place of the measure among the kind's.
            content: The records.
            series: One for each record.
            block_ms: Start of the block of each record.
            step_ms: Length of a pane.

        Raises:
            MalformedEventError: They are not whole records.
        """
        layout = record_layout(kind)
        if len(content) != layout.itemsize * len(series):
            raise MalformedEventError(f"{len(content)} bytes are not {len(series)} figures of {layout.itemsize} bytes")
        records = np.frombuffer(content, layout)
        found = records["measures"][:, measure]
        minimum, maximum = found["minimum"].astype(np.float64), found["maximum"].astype(np.float64)
        names = layout.names or ()
        nothing = np.zeros(len(records), np.int64)
        return cls(
            series=series,
            starts_ms=block_ms + records["place"].astype(np.int64) * step_ms,
            events=records["events"].astype(np.int64),
            errors=records["errors"].astype(np.int64) if "errors" in names else nothing,
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
        """Return the same rows, of the series that ``series`` names for each."""
        return replace(self, series=series)

    def take(self, rows: IntArray) -> "Figures":
        """Return the rows at ``rows``, in that order."""
        return Figures(
            series=self.series[rows],
            starts_ms=self.starts_ms[rows],
            events=self.events[rows],
            errors=self.errors[rows],
            estimated=self.estimated[rows],
            counts=self.counts[rows],
            totals=self.totals[rows],
            minimum=self.minimum[rows],
            maximum=self.maximum[rows],
            quantiles={quantile: values[rows] for quantile, values in self.quantiles.items()},
        )

    @classmethod
    def empty(cls, quantiles: Iterable[float]) -> "Figures":
        """Return the figures of nothing."""
        none, nothing = np.empty(0, np.int64), np.empty(0)
        flags = np.empty(0, np.bool_)
        return cls(none, none, none, none, flags, none, nothing, nothing, nothing, dict.fromkeys(quantiles, nothing))

    @classmethod
    def concatenate(cls, parts: Sequence["Figures"]) -> "Figures":
        """Return the rows of all ``parts``, at least one, of the same quantiles."""
        return cls(
            series=np.concatenate([part.series for part in parts]),
            starts_ms=np.concatenate([part.starts_ms for part in parts]),
            events=np.concatenate([part.events for part in parts]),
            errors=np.concatenate([part.errors for part in parts]),
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
