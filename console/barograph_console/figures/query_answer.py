"""Answers a planned query: from the figures next to the roll-ups where these are what is asked, else from the panes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from barograph_console.figures.folding import PaneFold, StatusFold
from barograph_console.figures.formats import SeriesColumns
from barograph_console.figures.points import Question, build_series
from barograph_console.reading.panes import Reading, read_unpacked
from barograph_console.reading.query_plan import QueryError, QueryPlan, auto_steps_ms, plan_query
from barograph_console.store.ports import PaneSource
from barograph_core.events.kinds import OTHER_LABEL, Labels
from barograph_core.store.blocks import WHOLE
from barograph_core.store.figure_records import STORED_QUANTILES
from barograph_core.store.figure_store import FigureRange
from barograph_core.store.figures import Figures

# How far the figures that are read at once may exceed an answer, most of whose points may be empty.
_READ_AHEAD: Final = 4

# A step of 0 asks for one that suits the range.
AUTO: Final = 0


@dataclass(frozen=True, slots=True)
class TimeRange:
    """What range is asked for.

    Attributes:
        from_ms: First moment, included.
        to_ms: Last moment, excluded.
        step_ms: Length of a point, ``None`` for one point over the range, or ``AUTO``.
    """

    from_ms: int
    to_ms: int
    step_ms: int | None


@dataclass(frozen=True, slots=True)
class Answer:
    """How the range was read, the series, and the most instances ever missing."""

    plan: QueryPlan
    series: list[SeriesColumns]
    missing: int


@dataclass(frozen=True, slots=True, eq=False)
class Collected:
    """Figures of all points, the labels of their series, and the most instances missing from a pane of the range."""

    figures: Figures
    labels: list[Labels]
    missing: int


class QueryReader:
    """Reads what a plan names, and keeps an answer within bounds."""

    def __init__(self, panes: PaneSource, *, max_series: int, max_points: int) -> None:
        self._panes = panes
        self._max_series = max_series
        self._max_points = max_points

    def answer(self, reading: Reading, asked: TimeRange, question: Question) -> Answer:
        """Return the answer.

        Raises:
            QueryError: As ``plan_query``; ``too_many_series`` or ``too_many_points``, over all series.
        """
        lengths: list[int | None] = [asked.step_ms]
        if asked.step_ms == AUTO:
            lengths = [*auto_steps_ms(reading.steps, asked.from_ms, asked.to_ms, reading.now_ms)]
        *others, last = lengths
        for step_ms in others:
            try:
                return self._answer(reading, self.plan(reading, asked.from_ms, asked.to_ms, step_ms), question)
            except QueryError as error:
                if error.code != "too_many_points":
                    raise
        return self._answer(reading, self.plan(reading, asked.from_ms, asked.to_ms, last), question)

    def plan(self, reading: Reading, from_ms: int, to_ms: int, step_ms: int | None) -> QueryPlan:
        """Return how a range is read at one step.

        Raises:
            QueryError: As ``plan_query``.
        """
        return plan_query(
            reading.steps,
            from_ms=from_ms,
            to_ms=to_ms,
            step_ms=step_ms,
            closed_through_ms=reading.closed_ms,
            now_ms=reading.now_ms,
            pending=reading.pending,
            max_points=self._max_points,
        )

    def _answer(self, reading: Reading, plan: QueryPlan, question: Question) -> Answer:
        found = self.collect(reading, plan, question)
        return Answer(plan, build_series(found.figures, found.labels, question), found.missing)

    def collect(self, reading: Reading, plan: QueryPlan, question: Question) -> Collected:
        """Return the figures that answer a question, as columns.

        Raises:
            QueryError: ``too_many_series`` or ``too_many_points``, over all series; ``too_much_work``;
                ``unknown_label``.
        """
        parts: list[tuple[Figures, Sequence[Labels]]] = []
        missing = 0
        by_length = {step.step_ms: step for step in reading.steps}
        stored_question = question.without_status() if question.asks_status else question
        fold = (StatusFold if question.asks_status else PaneFold)(plan, stored_question, question)
        for run in plan.runs:
            where = FigureRange(reading.service, by_length[run.step_ms], run.from_ms, run.to_ms)
            groups = self._single_series(where, plan, question, fold, is_base=run.step_ms == reading.steps[0].step_ms)
            if groups is None:
                for panes in read_unpacked(self._panes, reading, run):
                    fold.add(panes)
                    self._check_points(fold.points)
                continue
            for piece in self._pieces(where, len(groups)):
                reading.work.check_time()
                stored = list(groups.values())
                figures, lacking = self._panes.figures(piece, question.kind, question.measure_index, stored)
                parts.append((figures, list(groups)))
                missing = max(missing, lacking)
                self._check_points(sum(len(part.counts) for part, _ in parts))
        parts.append(fold.result())
        figures, labels = _joined(parts)
        fold.check_labels(has_series=bool(labels))
        self._check_series(labels)
        self._check_points(len(figures.counts))
        return Collected(figures, labels, max(missing, fold.missing))

    def _single_series(
        self, where: FigureRange, plan: QueryPlan, question: Question, fold: PaneFold, *, is_base: bool
    ) -> dict[Labels, Labels] | None:
        """Return the stored series of each series asked for, ``None`` when figures must be merged to answer."""
        if (
            is_base
            or question.asks_status
            or plan.step_ms != where.step.step_ms
            or not set(question.quantiles.values()) <= set(STORED_QUANTILES)
        ):
            return None
        if not question.by and not question.where:
            return {WHOLE: WHOLE}
        groups: dict[Labels, Labels] = {}
        for labels in self._panes.series(where, question.kind.name):
            group = fold.group_of(labels)
            if group is not None and groups.setdefault(group, labels) != labels:
                return None
        self._check_series(groups)
        return groups

    def _pieces(self, where: FigureRange, series: int) -> list[FigureRange]:
        """Cut the range so that no piece is much more than an answer may hold."""
        blocks = max(1, _READ_AHEAD * self._max_points * where.step.step_ms // (where.step.span_ms * max(1, series)))
        starts = [max(where.from_ms, start) for start in where.blocks()[::blocks]]
        ends = [*starts[1:], where.to_ms]
        return [FigureRange(where.service, where.step, *ends_of) for ends_of in zip(starts, ends, strict=True)]

    def _check_series(self, labels: Collection[Labels]) -> None:
        # Next to as many series as a service may keep apart stands the one that took all others in.
        if len(labels) - sum(OTHER_LABEL in one for one in labels) > self._max_series:
            raise QueryError("too_many_series", f"more than {self._max_series} series; ask fewer labels in 'by'")

    def _check_points(self, points: int) -> None:
        if points > self._max_points:
            raise QueryError(
                "too_many_points", f"more than {self._max_points} points; ask a larger step or fewer labels"
            )


def _joined(parts: Sequence[tuple[Figures, Sequence[Labels]]]) -> tuple[Figures, list[Labels]]:
    """Return the figures of all parts with the labels they have in common."""
    labels = sorted({one for _, own in parts for one in own})
    index = {one: position for position, one in enumerate(labels)}
    renumbered: list[Figures] = []
    for figures, own in parts:
        places = np.array([index[one] for one in own], np.int64)
        renumbered.append(figures.of_series(places[figures.series]))
    return Figures.concatenate(renumbered), labels
