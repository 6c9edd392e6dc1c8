"""All series of one kind over one span, as columns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

import numpy as np

from barograph_core.events.kinds import ERROR_STATUS, FAILED, Kind, Labels
from barograph_core.numerics.arrays import IntArray
from barograph_core.numerics.grouping import count_keys, starts_of, sum_by_row
from barograph_core.panes.summary import SeriesSummary
from barograph_core.panes.summary_table import SummaryTable, runs_of

# Status codes are 0 to 999.
STATUS_SPAN: Final = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class SeriesTable:
    """The series of one kind.

    Attributes:
        labels: The series, ascending, each at most once.
        events: Number of events of each series.
        estimated: How many of ``events`` came in records that stood for more than one event.
        status: Series and status code in one integer, ``series * 1000 + code``, ascending, each at most once.
        status_counts: Number of events of each of ``status``.
        summaries: Measure ``m`` of series ``s`` is in row ``s * measures + m``.
    """

    kind: Kind
    labels: Sequence[Labels]
    events: IntArray
    estimated: IntArray
    status: IntArray
    status_counts: IntArray
    summaries: SummaryTable

    @classmethod
    def fold(cls, parts: Sequence["SeriesTable"], names: Sequence[Sequence[Labels]]) -> "SeriesTable":
        """Merge ``parts`` of one kind, at least one.

        Args:
            parts: Tables of the same kind.
            names: For each part the new labels of each of its series. Series with equal labels become one.
        """
        # Names that ascend already are put in order in one pass; a set would shuffle them first.
        labels = sorted(dict.fromkeys(chain.from_iterable(names)))
        position = {label: index for index, label in enumerate(labels)}
        rows = [np.fromiter(map(position.__getitem__, part), np.int64, len(part)) for part in names]
        return cls.fold_rows(parts, rows, labels)

    @classmethod
    def merge(cls, parts: Sequence["SeriesTable"]) -> "SeriesTable":
        """Merge ``parts`` of one kind, at least one, by their labels."""
        first = parts[0].labels
        # Of a busy service each pane has the same series: then nothing needs to be looked up.
        if all(part.labels is first or part.labels == first for part in parts):
            return cls.fold_rows(parts, [np.arange(len(first))] * len(parts), first)
        return cls.fold(parts, [part.labels for part in parts])

    @classmethod
    def fold_rows(
        cls, parts: Sequence["SeriesTable"], rows: Sequence[IntArray], labels: Sequence[Labels]
    ) -> "SeriesTable":
        """Merge ``parts`` of one kind, at least one; series ``i`` of part ``p`` becomes a part of ``rows[p][i]``.

        Args:
            parts: Tables of the same kind.
            rows: For each part the new number of each of its series.
            labels: Of the new series, ascending.
        """
        kind, size = parts[0].kind, len(labels)
        target = np.concatenate(rows)
        events, estimated = np.zeros(size, np.int64), np.zeros(size, np.int64)
        np.add.at(events, target, np.concatenate([part.events for part in parts]))
        np.add.at(estimated, target, np.concatenate([part.estimated for part in parts]))
        status, status_counts = count_keys(
            np.concatenate(
                [
                    part_rows[part.status // STATUS_SPAN] * STATUS_SPAN + part.status % STATUS_SPAN
                    for part, part_rows in zip(parts, rows, strict=True)
                ]
            ),
            size * STATUS_SPAN,
            np.concatenate([part.status_counts for part in parts]),
        )
        width = len(kind.measures)
        measure_rows = [(part[:, None] * width + np.arange(width)).ravel() for part in rows]
        return cls(
            kind=kind,
            labels=labels,
            events=events,
            estimated=estimated,
            status=status,
            status_counts=status_counts,
            summaries=SummaryTable.fold([part.summaries for part in parts], measure_rows, size * width),
        )

    @classmethod
    def concatenated(cls, parts: Sequence["SeriesTable"]) -> "SeriesTable":
        """Return the series of ``parts`` of one kind, at least one, one after the other: labels may repeat."""
        first = starts_of([len(part.labels) for part in parts])
        status_first = np.repeat(first, [len(part.status) for part in parts])
        return cls(
            kind=parts[0].kind,
            labels=list(chain.from_iterable(part.labels for part in parts)),
            events=np.concatenate([part.events for part in parts]),
            estimated=np.concatenate([part.estimated for part in parts]),
            status=np.concatenate([part.status for part in parts]) + status_first * STATUS_SPAN,
            status_counts=np.concatenate([part.status_counts for part in parts]),
            summaries=SummaryTable.concatenated([part.summaries for part in parts]),
        )

    def series(self, start: int, end: int) -> "SeriesTable":
        """Return the series from ``start`` to before ``end``."""
        width = len(self.kind.measures)
        first, last = np.searchsorted(self.status, (start * STATUS_SPAN, end * STATUS_SPAN))
        return SeriesTable(
            kind=self.kind,
            labels=self.labels[start:end],
            events=self.events[start:end],
            estimated=self.estimated[start:end],
            status=self.status[first:last] - start * STATUS_SPAN,
            status_counts=self.status_counts[first:last],
            summaries=self.summaries.rows(start * width, end * width),
        )

    def relabelled(self, labels: Sequence[Labels]) -> "SeriesTable":
        """Return the same series with other ``labels``, which must ascend too."""
        return replace(self, labels=labels)

    def take(self, numbers: IntArray | Sequence[int]) -> "SeriesTable":
        """Return the series of these ``numbers``, in that order; one may be taken more than once."""
        series: IntArray = np.asarray(numbers, np.int64)
        places: list[int] = series.tolist()
        width = len(self.kind.measures)
        status, counts = runs_of(self.status, series * STATUS_SPAN, (series + 1) * STATUS_SPAN)
        return SeriesTable(
            kind=self.kind,
            labels=[self.labels[place] for place in places],
            events=self.events[series],
            estimated=self.estimated[series],
            status=np.repeat(np.arange(len(series)), counts) * STATUS_SPAN + self.status[status] % STATUS_SPAN,
            status_counts=self.status_counts[status],
            summaries=self.summaries.take((series[:, None] * width + np.arange(width)).ravel()),
        )

    def error_counts(self) -> IntArray:
        """Return how many events of each series failed: with a status of 500 or above, or with the flag ``failed``."""
        if FAILED in self.kind.measure_names:
            sums = self.summaries.totals.take(self.rows_of(FAILED)).sums()
            return np.array([round(float(one)) for one in sums], np.int64)
        is_error = self.status % STATUS_SPAN >= ERROR_STATUS
        return sum_by_row(self.status_counts[is_error], self.status[is_error] // STATUS_SPAN, len(self.labels))

    def outcome_counts(self) -> IntArray:
        """Return how many events of each series say whether they failed."""
        return self.summaries.counts[self.rows_of(FAILED)] if FAILED in self.kind.measure_names else self.events

    def counts_of_status(self, code: int) -> IntArray:
        """Return how many events of each series have a status."""
        has_code = self.status % STATUS_SPAN == code
        return sum_by_row(self.status_counts[has_code], self.status[has_code] // STATUS_SPAN, len(self.labels))

    def rows_of(self, measure: str) -> IntArray:
        """Return the row of a measure in ``summaries``, for each series.

        Raises:
            ValueError: The kind has no such measure.
        """
        width = len(self.kind.measures)
        return np.arange(len(self.labels)) * width + self.kind.measure_names.index(measure)

    @property
    def event_count(self) -> int:
        return int(self.events.sum())

    @property
    def estimated_count(self) -> int:
        return int(self.estimated.sum())

    @property
    def error_count(self) -> int:
        return int(self.status_counts[self.status % STATUS_SPAN >= ERROR_STATUS].sum())

    def series_summaries(self) -> Iterator[SeriesSummary]:
        """Yield each series in the order of its labels."""
        status: list[dict[int, int]] = [{} for _ in self.labels]
        for key, count in zip(self.status.tolist(), self.status_counts.tolist(), strict=True):
            status[key // STATUS_SPAN][key % STATUS_SPAN] = count
        summaries = self.summaries.summaries()
        names = self.kind.measure_names
        rows = zip(self.labels, self.events.tolist(), self.estimated.tolist(), strict=True)
        for index, (labels, count, estimated) in enumerate(rows):
            row = index * len(names)
            measures = dict(zip(names, summaries[row : row + len(names)], strict=True))
            failed = measures.get(FAILED)
            yield SeriesSummary(
                labels=labels,
                count=count,
                errors=sum(hits for code, hits in status[index].items() if code >= ERROR_STATUS)
                if failed is None
                else round(failed.sum),
                status=status[index],
                measures=measures,
                estimated=estimated,
            )
