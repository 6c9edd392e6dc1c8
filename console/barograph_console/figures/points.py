"""Turns panes into the series and rows of answers. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np

from barograph_console.figures.formats import SeriesColumns
from barograph_console.reading.query_plan import QueryError
from barograph_console.serving.numbers import known_each
from barograph_console.serving.problems import did_you_mean, suggestions_for
from barograph_core.events.kinds import KINDS, Kind, Labels
from barograph_core.events.labels import has_label, label_values
from barograph_core.store.figures import Figures

_FIELDS: Final = ("t", "count", "sum", "min", "max", "avg", "events", "errors", "error_rate", "estimated")
# What a request can be told apart by besides its labels: 503, or 5xx.
STATUS: Final = "status"
STATUS_CLASS: Final = "status_class"
_STATUS_VALUE: Final = {STATUS: re.compile(r"[0-9]{1,3}\Z"), STATUS_CLASS: re.compile(r"[0-9]xx\Z")}
DEFAULT_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def check_measure(kind_name: str, measure: str) -> tuple[Kind, str]:
    """Return the kind and the measure asked for; the kind's first measure when none is.

    Raises:
        QueryError: ``unknown_kind`` or ``unknown_measure``.
    """
    kind = KINDS.get(kind_name)
    if kind is None:
        raise QueryError("unknown_kind", f"kind {kind_name!r} is none of {', '.join(KINDS)}")
    if measure and measure not in kind.measure_names:
        raise QueryError(
            "unknown_measure", f"{kind.name} has no measure {measure!r}, only {', '.join(kind.measure_names)}"
        )
    return kind, measure or kind.measure_names[0]


def check_labels(kind: Kind, names: Iterable[str]) -> None:
    """Check that a kind can have these labels.

    Raises:
        QueryError: ``unknown_label``.
    """
    for name in names:
        if not has_label(kind, name):
            raise unknown_label(kind, name, kind.labels)


def check_status(kind: Kind, where: Mapping[str, str]) -> None:
    """Check that the values of a status that are asked for can be some.

    Raises:
        QueryError: ``invalid_filter``.
    """
    for name, value in where.items():
        if kind.has_status and name in _STATUS_VALUE and not _STATUS_VALUE[name].match(value):
            raise QueryError("invalid_filter", f"where {name}={value[:20]!r}: write status=503 or status_class=5xx")


def unknown_label(kind: Kind, name: str, known: Iterable[str]) -> QueryError:
    """Return the refusal of a label that no series has: the answer would look as if there had been no events."""
    names = sorted({*known, *((STATUS, STATUS_CLASS) if kind.has_status else ())})
    message = f"no {kind.name} of the range has a label {name[:60]!r}, only {', '.join(names[:20])}"
    return QueryError("unknown_label", message + did_you_mean(suggestions_for(name, names)))


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a range.

    Attributes:
        kind: The kind of the events.
        measure: One of its measures.
        by: Labels that tell the series of the answer apart.
        where: Label -> value that a stored series must have to be counted.
        quantiles: Name of a point's field -> quantile.
        only: The series of the answer that are wanted; all when ``None``.
    """

    kind: Kind
    measure: str
    by: tuple[str, ...]
    where: Mapping[str, str]
    quantiles: Mapping[str, float]
    only: frozenset[Labels] | None = None

    @property
    def measure_index(self) -> int:
        """Return the place of the measure among those of its kind."""
        return self.kind.measure_names.index(self.measure)

    @property
    def asks_status(self) -> bool:
        """Return whether events are told apart by their status."""
        return self.kind.has_status and any(name in _STATUS_VALUE for name in (*self.by, *self.where))

    @property
    def free_names(self) -> list[str]:
        """Return the names among ``by`` and ``where`` that only some series may have."""
        fixed = {*self.kind.labels, *(_STATUS_VALUE if self.kind.has_status else ())}
        return [name for name in (*self.by, *self.where) if name not in fixed]

    def without_status(self) -> "Question":
        """Return the same question without the status: it is no label of a series, but counted in each."""
        return replace(
            self,
            by=tuple(name for name in self.by if name not in _STATUS_VALUE),
            where={name: value for name, value in self.where.items() if name not in _STATUS_VALUE},
        )

    def with_status(self, values: Labels, code: int) -> Labels | None:
        """Return the series of the answer for events of one status, ``None`` when they are not counted.

        Args:
            values: What ``without_status().group_of`` returned.
            code: Their status.
        """
        own = {STATUS: str(code), STATUS_CLASS: f"{code // 100}xx"}
        if any(own[name] != value for name, value in self.where.items() if name in own):
            return None
        others = iter(values)
        return tuple(own[name] if name in own else next(others) for name in self.by)

    def group_of(self, labels: Labels) -> Labels | None:
        """Return which series of the answer a stored one belongs to, ``None`` when it is not counted."""
        values = label_values(self.kind, labels, (*self.by, *self.where))
        group = values[: len(self.by)]
        if values[len(self.by) :] != tuple(self.where.values()) or (self.only is not None and group not in self.only):
            return None
        return group


def build_series(figures: Figures, labels: Sequence[Labels], question: Question) -> list[SeriesColumns]:
    """Return the series of an answer, with the fields that ``field_names`` gives.

    Plain values: to check each of twenty thousand points against its model takes longer than to read them.
    """
    figures = figures.take(np.lexsort((figures.starts_ms, figures.series)))
    counts, is_known = figures.counts.tolist(), figures.counts > 0
    # By status nothing is known of the measure, and a count of 0 would say that there was nothing.
    nothing: Sequence[object] | None = [None] * len(counts) if question.asks_status else None
    columns: list[Sequence[object]] = [
        figures.starts_ms.tolist(),
        counts if nothing is None else nothing,
        figures.totals.tolist() if nothing is None else nothing,
        *(known_each(values, is_known) for values in (figures.minimum, figures.maximum, figures.averages)),
        figures.events.tolist(),
        figures.errors.tolist(),
        known_each(figures.errors / np.maximum(figures.outcomes, 1), (figures.outcomes > 0) & question.kind.has_errors),
        figures.estimated.tolist(),
        *(known_each(figures.quantiles[quantile], is_known) for quantile in question.quantiles.values()),
    ]
    names = field_names(question)
    ends = np.searchsorted(figures.series, np.arange(len(labels) + 1)).tolist()
    return [
        SeriesColumns(
            dict(zip(question.by, one, strict=True)),
            {name: column[start:end] for name, column in zip(names, columns, strict=True)},
        )
        for one, (start, end) in zip(labels, pairwise(ends), strict=True)
        if start < end
    ]


def field_names(question: Question) -> tuple[str, ...]:
    """Return the fields of a point, in order."""
    return (*_FIELDS, *question.quantiles)
