"""Counts good and bad events by pane, so that sliding sums over weeks read each pane once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Final, Protocol, TypeAlias

import numpy as np

from barograph_core.matching.matcher import Matcher
from barograph_core.numerics.arrays import IntArray
from barograph_core.objectives.event_test import EventTest, Passed
from barograph_core.panes.grouping import Groupings
from barograph_core.panes.pane import Pane
from barograph_core.steps import Step
from barograph_core.store.cover import Run, coarsest_step, cover

Values: TypeAlias = tuple[str, ...]


class RevisedPane(Protocol):
    """A closed pane, as it is now."""

    @property
    def start_ms(self) -> int: ...

    @property
    def revision(self) -> int: ...

    @property
    def pane(self) -> Pane: ...


class ChangedPanes(Protocol):
    """Where panes are read."""

    def read_changed(
        self, service: str, step_ms: int, from_ms: int, to_ms: int, known: Mapping[int, int]
    ) -> Sequence[RevisedPane]:
        """Return the closed panes that begin in ``[from_ms, to_ms)``, without those whose revision is known."""
        ...


@dataclass(frozen=True, slots=True)
class Counted:
    """What is counted: a test of the events of one kind, for each set of values of the labels ``by``."""

    good: EventTest
    kind: str
    by: tuple[str, ...] = ()
    where: Mapping[str, str | Matcher] = field(default_factory=dict[str, str | Matcher])

    def of(self, pane: Pane, groupings: Groupings) -> "Counts":
        """Return the counts of one pane."""
        table = pane.table(self.kind)
        if table is None:
            return _NOTHING
        grouping = groupings.of(table.kind, table.labels, self.by, self.where)
        each = self.good.count_each(table)
        numbers = np.zeros((len(grouping.labels), each.shape[1]), np.int64)
        np.add.at(numbers, grouping.rows, each if grouping.kept is None else each[grouping.kept])
        return Counts(grouping.labels, numbers)


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """How many events passed, as columns.

    Attributes:
        labels: Label values, in the order of ``by``, ascending. Panes whose series are the same share them.
        numbers: For each of them a line of the numbers of ``Passed``.
    """

    labels: Sequence[Values]
    numbers: IntArray

    def passed(self) -> dict[Values, Passed]:
        """Return label values -> how many events passed."""
        return {labels: Passed(*line) for labels, line in zip(self.labels, self.numbers.tolist(), strict=True)}

    @staticmethod
    def sum(parts: Iterable["Counts"]) -> "Counts":
        """Return the sum of ``parts``: those that follow each other mostly have the same labels."""
        sums: list[Counts] = []
        for part in parts:
            last = sums[-1] if sums else None
            if last is not None and (last.labels is part.labels or last.labels == part.labels):
                sums[-1] = Counts(last.labels, last.numbers + part.numbers)
            else:
                sums.append(part)
        if len(sums) <= 1:
            return sums[0] if sums else _NOTHING
        labels = sorted({values for one in sums for values in one.labels})
        place = {values: number for number, values in enumerate(labels)}
        numbers = np.zeros((len(labels), sums[0].numbers.shape[1]), np.int64)
        for one in sums:
            numbers[[place[values] for values in one.labels]] += one.numbers
        return Counts(labels, numbers)


_NOTHING: Final = Counts((), np.zeros((0, len(fields(Passed))), np.int64))


@dataclass(frozen=True, slots=True)
class _CountedPane:
    """A pane's revision, and the counts of each objective in it."""

    revision: int
    counts: Mapping[str, Counts]


class Ledger:
    """The counts of one service. What it holds is small: some numbers for each pane, whatever the pane weighs."""

    def __init__(self, service: str, counted: Mapping[str, Counted]) -> None:
        """Begin to count.

        Args:
            service: Its name.
            counted: What is counted, by the name of its objective.
        """
        self.service = service
        self.counted = dict(counted)
        self._steps: dict[int, dict[int, _CountedPane]] = {}
        self._groupings = Groupings()

    def read(self, source: ChangedPanes, runs: Iterable[Run]) -> None:
        """Read what is new or revised of the panes in ``runs``, and forget the panes before them."""
        spans: dict[int, tuple[int, int]] = {}
        for run in runs:
            from_ms, to_ms = spans.get(run.step_ms, (run.from_ms, run.to_ms))
            spans[run.step_ms] = min(from_ms, run.from_ms), max(to_ms, run.to_ms)
        for step_ms, (from_ms, to_ms) in spans.items():
            held = {at: one for at, one in self._steps.get(step_ms, {}).items() if at >= from_ms}
            known = {at: one.revision for at, one in held.items()}
            for stored in source.read_changed(self.service, step_ms, from_ms, to_ms, known):
                counts = {name: one.of(stored.pane, self._groupings) for name, one in self.counted.items()}
                held[stored.start_ms] = _CountedPane(stored.revision, counts)
            self._steps[step_ms] = held

    def total(self, name: str, runs: Iterable[Run]) -> dict[Values, Passed]:
        """Return the counts of one objective over ``runs``, which were read."""
        return Counts.sum(counts for _, counts in self._in(name, runs)).passed()

    def first_ms(self, name: str, runs: Iterable[Run]) -> int | None:
        """Return when the first pane of ``runs`` begins that has an event of an objective; ``None`` when none has."""
        starts = (
            at
            for run in runs
            for at, one in self._steps.get(run.step_ms, {}).items()
            if run.from_ms <= at < run.to_ms and one.counts[name].numbers.any()
        )
        return min(starts, default=None)

    def lines(
        self, name: str, runs: Iterable[Run], from_ms: int, to_ms: int, points: int
    ) -> dict[Values, list[Passed | None]]:
        """Return for each label set the sums of all events until the end of each of ``points`` equal parts of a time.

        ``None`` before its first event. A pane counts in the part in which it ends.
        """
        length_ms = max(1, to_ms - from_ms)
        of_part: dict[int, list[Counts]] = {}
        for end_ms, counts in self._in(name, runs):
            place = min(points - 1, max(0, (min(end_ms, to_ms) - from_ms - 1) * points // length_ms))
            of_part.setdefault(place, []).append(counts)
        lines: dict[Values, list[Passed | None]] = {}
        so_far = _NOTHING
        for place in range(points):
            so_far = Counts.sum([so_far, *of_part.get(place, ())])
            for labels, passed in so_far.passed().items():
                lines.setdefault(labels, [None] * points)[place] = passed
        return lines

    def _in(self, name: str, runs: Iterable[Run]) -> Iterator[tuple[int, Counts]]:
        """Yield end and counts of the panes of ``runs`` that have any."""
        for run in runs:
            held = self._steps.get(run.step_ms, {})
            for at in range(run.from_ms, run.to_ms, run.step_ms):
                one = held.get(at)
                if one is not None:
                    yield at + run.step_ms, one.counts[name]


@dataclass(frozen=True, slots=True)
class StoreNow:
    """What is known of the store at one moment.

    Attributes:
        steps: From the finest to the coarsest, each with how long it is kept.
        closed_ms: How far the service is closed.
        now_ms: The moment that decides which panes have expired.
        pending: Step and start of each roll-up that is still to be made.
    """

    steps: Sequence[Step]
    closed_ms: int
    now_ms: int
    pending: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True, slots=True)
class Reach:
    """The panes of a window that ends with what is closed.

    Attributes:
        step_ms: Step at which most of it is read.
        from_ms: Where it begins: later than asked for where nothing is kept for so long.
        runs: The panes.
    """

    step_ms: int
    from_ms: int
    runs: tuple[Run, ...]


def reach_of(store: StoreNow, span_ms: int) -> Reach:
    """Return the panes of the last ``span_ms``, at the steps at which an alerter reads such a window."""
    kept_ms = kept_span_ms(span_ms, store.steps)
    index = coarsest_step(kept_ms, kept_ms, store.steps)
    chosen = len(store.steps) - 1 if index is None else index
    from_ms = max(0, store.closed_ms - kept_ms)
    if store.closed_ms <= from_ms:
        return Reach(store.steps[chosen].step_ms, from_ms, ())
    runs = cover(
        store.steps[: chosen + 1],
        from_ms,
        store.closed_ms,
        closed_through_ms=store.closed_ms,
        spare=1,
        pending=store.pending,
        now_ms=store.now_ms,
    )
    return Reach(store.steps[chosen].step_ms, runs[0].from_ms, tuple(runs))


def kept_span_ms(span_ms: int, steps: Sequence[Step]) -> int:
    """Return how much of a window of ``span_ms`` that ends now is kept in panes of some step."""
    return min(span_ms, max(step.keep_ms - step.step_ms for step in steps))
