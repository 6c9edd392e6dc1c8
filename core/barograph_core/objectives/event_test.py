"""A comparison that every single event passes or fails: ``errors == 0``, ``status < 500``, ``duration_ms < 300``.

Errors and status codes are counted exactly. Values of a measure are counted by the bins of their sketch: exactly where
the bound is the edge of a bin, as 100, 250, 300 and 500 are. Another bound is counted at the nearest edge, which is
within 0.79 % of it, and the values of the bin that holds it are in doubt.
"""

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Self, TypeVar

import numpy as np

from barograph_core.events.kinds import KINDS, Kind
from barograph_core.numerics.arrays import BoolArray, IntArray
from barograph_core.numerics.grouping import sum_by_row
from barograph_core.numerics.sketch import bin_values, bins_of
from barograph_core.panes.series_table import STATUS_SPAN, SeriesTable
from barograph_core.panes.summary import SeriesSummary, Summary
from barograph_core.settings.config_file import suggestion

_OPERATORS: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_ARRAY_OPERATORS: Final[Mapping[str, Callable[[IntArray, float], BoolArray]]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}
_NEGATED: Final = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
_PATTERN: Final = re.compile(
    r"\s*([a-z_][a-z0-9_]{0,63})\s*(<=|>=|==|!=|<|>)\s*([+-]?[0-9][0-9_]*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?)\s*\Z",
    re.ASCII,
)
_EXAMPLES: Final = "'errors == 0', 'status < 500' or 'duration_ms < 300'"
# One count, or one for each series.
_Counts = TypeVar("_Counts", int, IntArray)
ERRORS: Final = "errors"
STATUS: Final = "status"


class EventTestError(ValueError):
    """A text is no test of an event; the message says what to write."""


@dataclass(frozen=True, slots=True)
class Passed:
    """How many events pass a test.

    Attributes:
        passed: Those that do.
        total: Those that can be tested: that say whether they failed, or have a value of the measure.
        in_doubt: How many of ``total`` are in the bin of the sketch that holds the bound, so that they may be on either
            side of it.
    """

    passed: int = 0
    total: int = 0
    in_doubt: int = 0

    def __add__(self, other: "Passed") -> "Passed":
        return Passed(self.passed + other.passed, self.total + other.total, self.in_doubt + other.in_doubt)


@dataclass(frozen=True, slots=True)
class EventTest:
    """``subject symbol bound``.

    Attributes:
        subject: ``errors`` (0 or 1 of an event), ``status`` or the name of a measure.
    """

    subject: str
    symbol: str
    bound: float

    @classmethod
    def parse(cls, text: str, kind: Kind) -> Self:
        """Read ``duration_ms < 300``.

        Raises:
            EventTestError: It is no comparison of an event of this kind, or one that all events pass or none.
        """
        match = _PATTERN.match(text)
        if match is None:
            raise EventTestError(f"{text[:60]!r} is no comparison of one event with a number: write {_EXAMPLES}")
        subject, symbol, number = match[1], match[2], float(match[3].replace("_", ""))
        if not math.isfinite(number):
            raise EventTestError("the number is too large")
        return cls(subject, symbol, number)._checked(kind)

    def _checked(self, kind: Kind) -> Self:
        known = subjects_of(kind)
        if self.subject not in known:
            raise EventTestError(
                f"events of kind {kind.name!r} have no {self.subject!r}{suggestion(self.subject, known)}"
            )
        if self.subject == ERRORS and self._of_error(failed=True) == self._of_error(failed=False):
            raise EventTestError(f"{self} is the same for events that failed and that did not: write 'errors == 0'")
        if self.subject == STATUS or self.subject == ERRORS:
            return self
        if self.symbol in ("==", "!="):
            raise EventTestError(f"values of {self.subject} are kept within 0.79 %: compare with < <= > or >=")
        measure = next(one for one in kind.measures if one.name == self.subject)
        if not measure.is_signed and (self.bound < 0 or (self.bound == 0 and self.symbol in ("<", ">="))):
            raise EventTestError(f"{self.subject} is never below 0, so that {str(self)!r} is the same for every event")
        return self

    @property
    def negated(self) -> "EventTest":
        """Return the test that exactly the other events pass."""
        return EventTest(self.subject, _NEGATED[self.symbol], self.bound)

    @property
    def is_failure_bad(self) -> bool:
        """Say whether it is that an event has not failed."""
        return self.subject == ERRORS and self._of_error(failed=False)

    @property
    def is_of_measure(self) -> bool:
        return self.subject not in (ERRORS, STATUS)

    @property
    def counted_at(self) -> float:
        """Return the bound at which events are counted: the edge of a bin nearest to ``bound``."""
        if not self.is_of_measure or self.is_exact:
            return self.bound
        number = int(bins_of(np.array([self.bound]))[0])
        low, high = _edges(number)
        middle = float(bin_values(np.array([number]))[0])
        return low if self.bound < middle else high

    @property
    def is_exact(self) -> bool:
        """Say whether no event is ever in doubt."""
        if not self.is_of_measure or self.bound == 0:
            return True
        low, high = _edges(int(bins_of(np.array([self.bound]))[0]))
        # A bin has its edge towards zero, and not the other one.
        return self.bound == (low if self.bound > 0 else high) and self._splits_below == (self.bound > 0)

    @property
    def _splits_below(self) -> bool:
        """Say whether the bound itself is on the side of the greater values: ``< 300`` and ``>= 300``."""
        return self.symbol in ("<", ">=")

    def count(self, series: SeriesSummary) -> Passed:
        """Return how many events of ``series`` pass."""
        if self.subject == ERRORS:
            failed, fine = series.errors, series.outcomes - series.errors
            return Passed(failed if self._of_error(failed=True) else fine, series.outcomes)
        if self.subject == STATUS:
            compare = _OPERATORS[self.symbol]
            passed = sum(count for code, count in series.status.items() if compare(code, self.bound))
            return Passed(passed, sum(series.status.values()))
        summary = series.measures.get(self.subject)
        return Passed() if summary is None or not summary.count else self._count_values(summary)

    def count_each(self, table: SeriesTable) -> IntArray:
        """Return what ``count`` returns of each series of ``table``: a line of ``Passed``'s numbers for each."""
        size = len(table.labels)
        found = np.zeros((size, 3), np.int64)
        if self.subject == ERRORS:
            failed, found[:, 1] = table.error_counts(), table.outcome_counts()
            found[:, 0] = failed if self._of_error(failed=True) else found[:, 1] - failed
        elif self.subject == STATUS:
            series, codes = table.status // STATUS_SPAN, table.status % STATUS_SPAN
            passes = _ARRAY_OPERATORS[self.symbol](codes, self.bound)
            found[:, 0] = sum_by_row(table.status_counts[passes], series[passes], size)
            found[:, 1] = sum_by_row(table.status_counts, series, size)
        else:
            rows = table.rows_of(self.subject)
            found[:, 1] = table.summaries.counts[rows]
            below, found[:, 2] = self._below(*table.summaries.counts_around(rows, self._bin))
            found[:, 0] = below if self.symbol in ("<", "<=") else found[:, 1] - below
        return found

    def _of_error(self, *, failed: bool) -> bool:
        return _OPERATORS[self.symbol](float(failed), self.bound)

    def _count_values(self, summary: Summary) -> Passed:
        first, last = (int(place) for place in np.searchsorted(summary.bins, (self._bin, self._bin + 1)))
        counts = int(summary.bin_counts[:first].sum()), int(summary.bin_counts[first:last].sum())
        below, in_doubt = self._below(*counts)
        return Passed(below if self.symbol in ("<", "<=") else summary.count - below, summary.count, in_doubt)

    @property
    def _bin(self) -> int:
        """Return the bin that holds the bound."""
        return int(bins_of(np.array([self.bound]))[0])

    def _below(self, below: _Counts, within: _Counts) -> tuple[_Counts, _Counts]:
        """Return how many values count as below the bound, and how many of them are in doubt.

        Args:
            below: The number of those in the bins below that of the bound.
            within: Of those in that bin.
        """
        if self.is_exact:
            # Of the bin of 0 all values are 0: they are below ``<= 0`` and not below ``< 0``.
            return (below if self._splits_below else below + within), within * 0
        is_bin_below = self.bound >= float(bin_values(np.array([self._bin]))[0])
        return (below + within if is_bin_below else below), within

    def __str__(self) -> str:
        return f"{self.subject} {self.symbol} {self.bound:.12g}"


def subjects_of(kind: Kind) -> tuple[str, ...]:
    """Return what a test of an event of this kind may compare."""
    errors = (ERRORS,) if kind.has_errors else ()
    status = (STATUS,) if kind.has_status else ()
    return (*errors, *status, *kind.measure_names)


def kind_of_subject(text: str) -> Kind | None:
    """Return the first kind whose events have what ``text`` compares; ``None`` when no kind has it."""
    match = _PATTERN.match(text)
    return next((kind for kind in KINDS.values() if match is not None and match[1] in subjects_of(kind)), None)


def _edges(number: int) -> tuple[float, float]:
    """Return the ends of the values that fall into a bin other than that of 0, the lower first."""
    middle = float(bin_values(np.array([number]))[0])
    mantissa, exponent = math.frexp(abs(middle))
    # 64 bins to an octave, and frexp gives a mantissa from 0.5 on.
    place = math.floor(mantissa * 128)
    inner, outer = math.ldexp(place / 128, exponent), math.ldexp((place + 1) / 128, exponent)
    return (inner, outer) if number > 0 else (-outer, -inner)
