"""Answers a planned query: from the figures beside the roll-ups where these are what is asked, else from the panes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from barograph_console.points import Question, build_series, fold_panes, most_missing
from barograph_console.ports import PaneSource
from barograph_console.query_plan import QueryError, QueryPlan, auto_steps_ms, plan_query
from barograph_core.events import Labels
from barograph_core.figure_records import STORED_QUANTILES, WHOLE
from barograph_core.figure_store import FigureRange
from barograph_core.figures import Figures
from barograph_core.steps import Step
from barograph_core.store import StoredPane

# How far the figures that are read at once may exceed an answer, most of whose points may be empty.
_READ_AHEAD: Final = 4


# A step of 0 asks for one that suits the range.
AUTO: Final = 0


@dataclass(frozen=True, slots=True)
class AskedRange:
    """What range is asked for, and when.

    Attributes:
        from_ms: First moment, included.
        to_ms: Last moment, excluded.
        step_ms: Length of a point, ``None`` for one point over the range, or ``AUTO``.
        now_ms: Tells what has expired.
    """

    from_ms: int
    to_ms: int
    step_ms: int | None
    now_ms: int


@dataclass(frozen=True, slots=True)
class Answer:
    """How the range was read, the series as ``models.Series`` describes them, and the most instances ever missing."""

    plan: QueryPlan
    series: list[dict[str, object]]
    missing: int


class QueryReader:
    """Reads what a plan names, and keeps an answer within its bounds."""

    def __init__(self, panes: PaneSource, *, max_series: int, max_points: int) -> None:
        self._panes = panes
        self._max_series = max_series
        self._max_points = max_points

    def answer(self, service: str, asked: AskedRange, closed_through_ms: int, question: Question) -> Answer:
        """Return the answer.

        Raises:
            QueryError: As ``plan_query``; ``too_many_series`` or ``too_many_points``, over all series.
        """
        steps = self._panes.steps(service, asked.now_ms)
        lengths: list[int | None] = [asked.step_ms]
        if asked.step_ms == AUTO:
            lengths = [*auto_steps_ms(steps, asked.from_ms, asked.to_ms, asked.now_ms)]
        *others, last = lengths
        for step_ms in others:
            try:
                return self._answer(service, steps, self._plan(steps, asked, step_ms, closed_through_ms), question)
            except QueryError as error:
                if error.code != "too_many_points":
                    raise
        return self._answer(service, steps, self._plan(steps, asked, last, closed_through_ms), question)

    def _plan(self, steps: Sequence[Step], asked: AskedRange, step_ms: int | None, closed_through_ms: int) -> QueryPlan:
        return plan_query(
            steps,
            from_ms=asked.from_ms,
            to_ms=asked.to_ms,
            step_ms=step_ms,
            closed_through_ms=closed_through_ms,
            now_ms=asked.now_ms,
            max_points=self._max_points,
        )

    def _answer(self, service: str, steps: Sequence[Step], plan: QueryPlan, question: Question) -> Answer:
        parts: list[tuple[Figures, Sequence[Labels]]] = []
        panes: list[StoredPane] = []
        missing = 0
        by_length = {step.step_ms: step for step in steps}
        for segment in plan.segments:
            where = FigureRange(service, by_length[segment.step_ms], segment.from_ms, segment.to_ms)
            groups = self._single_series(where, plan, question, is_base=segment.step_ms == steps[0].step_ms)
            if groups is None:
                panes += self._panes.read(service, segment.step_ms, segment.from_ms, segment.to_ms)
                continue
            for piece in self._pieces(where, len(groups)):
                stored = list(groups.values())
                figures, lacking = self._panes.figures(piece, question.kind, question.measure_index, stored)
                parts.append((figures, list(groups)))
                missing = max(missing, lacking)
                self._check_points(sum(len(part.counts) for part, _ in parts))
        parts.append(fold_panes(panes, plan, question))
        figures, labels = _joined(parts)
        if len(labels) > self._max_series:
            raise QueryError("too_many_series", f"more than {self._max_series} series; ask fewer labels in 'by'")
        self._check_points(len(figures.counts))
        return Answer(plan, build_series(figures, labels, question), max(missing, most_missing(panes)))

    def _single_series(
        self, where: FigureRange, plan: QueryPlan, question: Question, *, is_base: bool
    ) -> dict[Labels, Labels] | None:
        """Return the stored series of each series asked for, ``None`` when figures must be merged to answer."""
        if (
            is_base
            or plan.step_ms != where.step.step_ms
            or not set(question.quantiles.values()) <= set(STORED_QUANTILES)
        ):
            return None
        if not question.by and not question.where:
            return {WHOLE: WHOLE}
        groups: dict[Labels, Labels] = {}
        for labels in self._panes.series(where, question.kind.name):
            group = question.group_of(labels)
            if group is not None and groups.setdefault(group, labels) != labels:
                return None
        if len(groups) > self._max_series:
            raise QueryError("too_many_series", f"more than {self._max_series} series; ask fewer labels in 'by'")
        return groups

    def _pieces(self, where: FigureRange, series: int) -> list[FigureRange]:
        """Cut the range so that no piece is much more than an answer may hold."""
        blocks = max(1, _READ_AHEAD * self._max_points * where.step.step_ms // (where.step.span_ms * max(1, series)))
        starts = [max(where.from_ms, start) for start in where.blocks()[::blocks]]
        ends = [*starts[1:], where.to_ms]
        return [FigureRange(where.service, where.step, *ends_of) for ends_of in zip(starts, ends, strict=True)]

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
