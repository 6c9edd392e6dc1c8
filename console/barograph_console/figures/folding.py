"""Merges panes into points as they come, so that memory grows with the answer and not with the range. Pure."""

from collections.abc import Iterable, Sequence

import numpy as np

from barograph_console.figures.points import Question, unknown_label
from barograph_console.reading.query_plan import QueryPlan
from barograph_core.events.kinds import ERROR_STATUS, Labels
from barograph_core.events.labels import free_label_names
from barograph_core.numerics.arrays import IntArray
from barograph_core.panes.series_table import STATUS_SPAN, SeriesTable
from barograph_core.store.figures import Figures
from barograph_core.store.pane_store import StoredPane


class PaneFold:
    """Adds up the points of a question.

    Attributes:
        free_names: Names of all free labels that a series of the kind had.
        missing: The most instances that were missing from any pane.
    """

    def __init__(self, plan: QueryPlan, stored: Question, asked: Question) -> None:
        """Begin without a pane.

        Args:
            plan: Where the points begin.
            stored: The question as stored series answer it: without the status.
            asked: The question.
        """
        self._plan = plan
        self._question = stored
        self._asked = asked
        self._groups: dict[Labels, Labels | None] = {}
        self._table: SeriesTable | None = None
        self.free_names: set[str] = set()
        self.missing = 0

    @property
    def points(self) -> int:
        """Return how many points there are, over all series."""
        return 0 if self._table is None else len(self._table.labels)

    def add(self, panes: Iterable[StoredPane]) -> None:
        """Merge more panes, in one pass."""
        parts: list[SeriesTable] = []
        names: list[list[Labels]] = []
        for stored in panes:
            self.missing = max(self.missing, stored.missing)
            table = stored.pane.table(self._question.kind.name)
            if table is None:
                continue
            found = [self.group_of(labels) for labels in table.labels]
            kept = [index for index, group in enumerate(found) if group is not None]
            if not kept:
                continue
            # As one more label, the point's start makes a series of each point; equal widths sort like numbers.
            start = f"{self._plan.bucket_of(stored.start_ms):015d}"
            parts.append(table if len(kept) == len(found) else table.take(kept))
            names.append([(start, *group) for group in found if group is not None])
        if not parts:
            return
        if self._table is not None:
            parts.append(self._table)
            names.append(list(self._table.labels))
        self._table = SeriesTable.fold(parts, names)

    def result(self) -> tuple[Figures, list[Labels]]:
        """Return the figures of all points with the labels of their series."""
        table, quantiles = self._table, tuple(self._question.quantiles.values())
        if table is None:
            return Figures.empty(quantiles), []
        groups, series, starts_ms = _split(table.labels)
        return Figures.of_table(table, self._question.measure_index, quantiles, series, starts_ms), groups

    def group_of(self, labels: Labels) -> Labels | None:
        """Return which series of the answer a stored one belongs to, ``None`` when it is not counted."""
        if labels not in self._groups:
            self._groups[labels] = self._question.group_of(labels)
            self.free_names.update(free_label_names(self._question.kind, labels))
        return self._groups[labels]

    def check_labels(self, *, has_series: bool) -> None:
        """Refuse a label that no series has, where there are series at all.

        Raises:
            QueryError: ``unknown_label``.
        """
        if not (self._groups or has_series):
            return
        kind = self._asked.kind
        for name in self._asked.free_names:
            if name not in self.free_names:
                raise unknown_label(kind, name, {*kind.labels, *self.free_names})


class StatusFold(PaneFold):
    """Adds up how many events had which status, for a question that tells them apart by it.

    A pane does not say how long the requests of one status took, so the points have no values of the measure.
    """

    def result(self) -> tuple[Figures, list[Labels]]:
        table, question = self._table, self._asked
        quantiles = tuple(question.quantiles.values())
        if table is None:
            return Figures.empty(quantiles), []
        counts: dict[Labels, list[int]] = {}
        keys: list[int] = table.status.tolist()
        for key, count in zip(keys, table.status_counts.tolist(), strict=True):
            series, code = divmod(key, STATUS_SPAN)
            labels = table.labels[series]
            group = question.with_status(labels[1:], code)
            if group is not None:
                tally = counts.setdefault((labels[0], *group), [0, 0])
                tally[0] += count
                tally[1] += count if code >= ERROR_STATUS else 0
        names = sorted(counts)
        groups, series_of, starts_ms = _split(names)
        events = np.array([counts[name][0] for name in names], np.int64)
        nothing = np.zeros(len(names))
        return Figures(
            series=series_of,
            starts_ms=starts_ms,
            events=events,
            errors=np.array([counts[name][1] for name in names], np.int64),
            outcomes=events,
            estimated=np.full(len(names), bool(table.estimated.any())),
            counts=np.zeros(len(names), np.int64),
            totals=nothing,
            minimum=nothing,
            maximum=nothing,
            quantiles=dict.fromkeys(quantiles, nothing),
        ), groups


def _split(names: Sequence[Labels]) -> tuple[list[Labels], IntArray, IntArray]:
    """Return the distinct labels behind the starts of points, and for each name its labels' place and its start."""
    groups = sorted({name[1:] for name in names})
    index = {name: position for position, name in enumerate(groups)}
    series = np.array([index[name[1:]] for name in names], np.int64)
    return groups, series, np.array([int(name[0]) for name in names], np.int64)
