"""The functions of the language in one table: what each name needs, how it is computed, who accounts for its value.

A further function is a further entry; parser, rows, templates and contributors read the table.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from barograph_alerter.conditions import columns
from barograph_alerter.conditions.bounds import Bounds, Rest, average, counted, quantile, ratio, share
from barograph_core.events.kinds import Kind
from barograph_core.numerics.arrays import FloatArray
from barograph_core.numerics.sketch import bin_values
from barograph_core.objectives.event_test import EventTest
from barograph_core.panes.series_table import SeriesTable
from barograph_core.panes.summary import SeriesSummary, Summary

BoundsOf = Callable[["Quantity", SeriesSummary, int, Rest], Bounds | None]
ColumnOf = Callable[["Quantity", SeriesTable, int], FloatArray]


@dataclass(frozen=True, slots=True)
class Function:
    """How a number is computed from the events of one series in one window.

    Attributes:
        value: Computes it; ``None`` where there is no data for it. The last argument is the window's length in ms.
        bounds: Computes the lowest and the highest value that it can have when what may still come has come; ``None``
            where it may be missing then. The arguments are those of ``value`` and what may still come.
        column: Computes ``value`` of all series of a table at once, with the same bits, NaN for ``None``. ``None``:
            there is no faster way than one by one.
        part: What one series contributes to the value of several. ``None``: the number of its values beyond the
            threshold, as for averages and percentiles.
        part_name: What ``part`` counts; empty for the quantity itself.
        needs_status: Whether the kind must have a status.
        needs_errors: Whether events of the kind must be able to say that they failed.
    """

    value: Callable[["Quantity", SeriesSummary, int], float | None]
    bounds: BoundsOf
    column: ColumnOf | None = None
    part: Callable[["Quantity", SeriesSummary], float] | None = None
    part_name: str = ""
    needs_status: bool = False
    needs_errors: bool = False


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something that a row has a number for.

    Attributes:
        name: ``count``, ``rate``, ``errors``, ``error_rate``, ``status``, ``share`` or the name of a measure.
        statistic: Of a measure: ``avg``, ``sum``, ``p95``; else empty.
        code: Of ``status``.
        test: Of ``share``: which events count.
        quantile: 0 to 1 when ``statistic`` is a percentile.
        key: As a condition has it. This and ``function`` are looked up once, because rows need them thousands of
            times a second.
        function: The entry of the table that computes it.
    """

    name: str
    statistic: str = ""
    code: int | None = None
    quantile: float | None = None
    test: EventTest | None = None
    key: str = field(init=False, compare=False)
    function: Function = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        text = f"{self.name}.{self.statistic}" if self.statistic else self.name
        text = text if self.code is None else f"status[{self.code}]"
        object.__setattr__(self, "key", text if self.test is None else f'share["{self.test}"]')
        object.__setattr__(self, "function", self._find_function())

    def __str__(self) -> str:
        return self.key

    def _find_function(self) -> Function:
        if self.quantile is not None:
            return _QUANTILE
        return STATISTICS[self.statistic] if self.statistic else PLAIN[self.name]

    @property
    def is_count(self) -> bool:
        """Say whether it only says how much data there is."""
        return "count" in (self.name, self.statistic)

    @property
    def is_ratio(self) -> bool:
        """Say whether it lies between 0 and 1."""
        return self.name in ("error_rate", "share")

    @property
    def is_total(self) -> bool:
        """Say whether it grows with the length of the window, as counts and sums do."""
        return self.is_count or self.name in ("errors", "status") or self.statistic == "sum"

    def part_of(self, series: SeriesSummary, threshold: float | None, *, is_below: bool) -> float:
        """Return what ``series`` contributes to a breach.

        Args:
            series: One of those that make up the window.
            threshold: Other side of the comparison, if it has a value.
            is_below: Whether small values breach.
        """
        part = self.function.part
        if part is not None:
            return part(self, series)
        summary = _values(self, series)
        if summary is None:
            return 0.0
        if threshold is None:
            return _positive_sum(self, series)
        middles = bin_values(summary.bins)
        return float(summary.bin_counts[middles < threshold if is_below else middles > threshold].sum())

    def part_name(self, threshold: float | None, *, is_below: bool) -> str:
        """Return what ``part_of`` counts: ``errors``, ``duration_ms.sum`` or ``duration_ms > 500``."""
        if self.test is not None:
            return str(self.test)
        if self.function.part is not None or threshold is None:
            return self.function.part_name or self.key
        return f"{self.name} {'<' if is_below else '>'} {threshold:g}"


def _values(quantity: Quantity, series: SeriesSummary) -> Summary | None:
    """Return the values of the measure, ``None`` where there are none."""
    summary = series.measures.get(quantity.name)
    return summary if summary and summary.count else None


def _of_values(compute: Callable[[Summary], float]) -> Callable[[Quantity, SeriesSummary, int], float | None]:
    """Return a function of the values of a measure: of no values it is missing.

    The sum too: values that stop coming must not look like a recovery.
    """

    def value(quantity: Quantity, series: SeriesSummary, window_ms: int) -> float | None:  # noqa: ARG001 - one shape
        summary = _values(quantity, series)
        return compute(summary) if summary else None

    return value


def _quantile(quantity: Quantity, series: SeriesSummary, window_ms: int) -> float | None:  # noqa: ARG001 - one shape
    summary = _values(quantity, series)
    return None if summary is None or quantity.quantile is None else summary.quantile(quantity.quantile)


def _status_count(quantity: Quantity, series: SeriesSummary) -> float:
    return float(0 if quantity.code is None else series.status.get(quantity.code, 0))


def _passed(quantity: Quantity, series: SeriesSummary) -> float:
    return 0.0 if quantity.test is None else float(quantity.test.count(series).passed)


def _share(quantity: Quantity, series: SeriesSummary, window_ms: int) -> float | None:  # noqa: ARG001 - one shape
    """Return which part of the events that can be tested pass; of none it is missing."""
    counted_events = None if quantity.test is None else quantity.test.count(series)
    return counted_events.passed / counted_events.total if counted_events and counted_events.total else None


def _shares(quantity: Quantity, table: SeriesTable, window_ms: int) -> FloatArray:  # noqa: ARG001 - one shape
    if quantity.test is None:
        return np.full(len(table.labels), math.nan)
    return columns.shares(table, quantity.test)


def _share_bounds(quantity: Quantity, series: SeriesSummary, window_ms: int, rest: Rest) -> Bounds | None:  # noqa: ARG001 - one shape
    counted_events = None if quantity.test is None else quantity.test.count(series)
    return None if counted_events is None else share(counted_events.passed, counted_events.total, rest)


def _value_count(quantity: Quantity, series: SeriesSummary) -> float:
    summary = _values(quantity, series)
    return float(summary.count) if summary else 0.0


def _positive_sum(quantity: Quantity, series: SeriesSummary) -> float:
    summary = _values(quantity, series)
    return max(0.0, summary.sum) if summary else 0.0


def _errors(_: Quantity, series: SeriesSummary) -> float:
    return float(series.errors)


def _count(_: Quantity, series: SeriesSummary) -> float:
    return float(series.count)


def _bounded(
    compute: Callable[[Summary, float, Rest], Bounds],
) -> BoundsOf:
    """Return the bounds of a function of the values of a measure; the second argument is the least value."""

    def bounds(quantity: Quantity, series: SeriesSummary, window_ms: int, rest: Rest) -> Bounds | None:  # noqa: ARG001 - one shape
        summary = _values(quantity, series)
        return compute(summary, rest.floor(quantity.name), rest) if summary else None

    return bounds


def _quantile_bounds(quantity: Quantity, series: SeriesSummary, window_ms: int, rest: Rest) -> Bounds | None:  # noqa: ARG001 - one shape
    summary = _values(quantity, series)
    if summary is None or quantity.quantile is None:
        return None
    return quantile(summary, quantity.quantile, rest.floor(quantity.name), rest)


def _sum_bounds(summary: Summary, floor: float, rest: Rest) -> Bounds:
    if not rest.events:
        return Bounds(summary.sum, summary.sum)
    return Bounds(summary.sum if floor == 0 else -math.inf, math.inf)


def _rate(_: Quantity, series: SeriesSummary, window_ms: int) -> float:
    return series.count * 1_000 / window_ms


def _rate_bounds(_: Quantity, series: SeriesSummary, window_ms: int, rest: Rest) -> Bounds:
    lowest, highest = counted(series.count, rest)
    return Bounds(lowest * 1_000 / window_ms, highest * 1_000 / window_ms)


def _counting(
    part: Callable[[Quantity, SeriesSummary], float],
    column: ColumnOf,
    part_name: str = "",
    *,
    needs_status: bool = False,
    needs_errors: bool = False,
) -> Function:
    """Return the function of what is counted: the parts of the series add up to it."""
    return Function(
        value=lambda quantity, series, _: part(quantity, series),
        bounds=lambda quantity, series, _, rest: counted(part(quantity, series), rest),
        column=column,
        part=part,
        part_name=part_name,
        needs_status=needs_status,
        needs_errors=needs_errors,
    )


# Functions of all events of a series; ``status`` takes a code, ``share`` a test, the others nothing.
PLAIN: Final[Mapping[str, Function]] = {
    "count": _counting(_count, lambda _, table, __: columns.counts(table)),
    "rate": Function(
        _rate,
        _rate_bounds,
        lambda _, table, window_ms: columns.counts(table) * 1_000 / window_ms,
        part=_count,
        part_name="count",
    ),
    "errors": _counting(_errors, lambda _, table, __: columns.errors(table), needs_errors=True),
    "error_rate": Function(
        lambda _, series, __: series.errors / series.outcomes if series.outcomes else None,
        lambda _, series, __, rest: ratio(series, rest),
        lambda _, table, __: columns.error_rates(table),
        part=_errors,
        part_name="errors",
        needs_errors=True,
    ),
    "status": _counting(
        _status_count, lambda quantity, table, _: columns.status_counts(table, quantity.code or 0), needs_status=True
    ),
    "share": Function(_share, _share_bounds, _shares, part=_passed),
}
# Names that stand alone in a condition or template.
PLAIN_NAMES: Final = tuple(name for name in PLAIN if name not in ("status", "share"))
# Functions of the values of one measure.
STATISTICS: Final[Mapping[str, Function]] = {
    "avg": Function(
        _of_values(lambda summary: summary.average),
        _bounded(average),
        lambda quantity, table, _: columns.averages(table, quantity.name),
    ),
    "min": Function(
        _of_values(lambda summary: summary.minimum),
        _bounded(lambda summary, floor, rest: Bounds(floor if rest.events else summary.minimum, summary.minimum)),
        lambda quantity, table, _: columns.minima(table, quantity.name),
    ),
    "max": Function(
        _of_values(lambda summary: summary.maximum),
        _bounded(lambda summary, _, rest: Bounds(summary.maximum, math.inf if rest.events else summary.maximum)),
        lambda quantity, table, _: columns.maxima(table, quantity.name),
    ),
    "sum": Function(
        _of_values(lambda summary: summary.sum),
        _bounded(_sum_bounds),
        lambda quantity, table, _: columns.sums(table, quantity.name),
        part=_positive_sum,
    ),
    "stddev": Function(
        _of_values(lambda summary: summary.stddev),
        _bounded(lambda summary, _, rest: Bounds(0.0, math.inf) if rest.events else Bounds(*[summary.stddev] * 2)),
    ),
    "count": _counting(_value_count, lambda quantity, table, _: columns.value_counts(table, quantity.name)),
}
_QUANTILE: Final = Function(
    _quantile,
    _quantile_bounds,
    lambda quantity, table, _: columns.quantiles(table, quantity.name, quantity.quantile or 0.0),
)
_PERCENTILE: Final = re.compile(r"p(\d{1,3})(?:_(\d{1,4}))?\Z", re.ASCII)


def plain_names(kind: Kind) -> tuple[str, ...]:
    """Return the names a condition over ``kind`` may use that are not measures."""
    return tuple(
        name
        for name in PLAIN_NAMES
        if (kind.has_status or not PLAIN[name].needs_status) and (kind.has_errors or not PLAIN[name].needs_errors)
    )


def parse_quantity(name: str, statistic: str) -> Quantity | None:
    """Return the quantity ``name.statistic`` (``duration_ms.p99_9``), or ``None`` if there is no such statistic."""
    if statistic in STATISTICS:
        return Quantity(name, statistic)
    match = _PERCENTILE.match(statistic)
    if match is None:
        return None
    quantile = float(f"{match[1]}.{match[2] or 0}") / 100
    return Quantity(name, statistic, quantile=quantile) if quantile <= 1 else None
