"""Interval arithmetic: what a number can still become while events may come into its window."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from barograph_core.numerics.sketch import bin_values
from barograph_core.panes.summary import SeriesSummary, Summary


class Bounds(NamedTuple):
    """The lowest and the highest value that a number can have in the end; equal when it is known."""

    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class Rest:
    """What is known of the events that may still come into a window.

    Attributes:
        events: How many may come; infinity when that is not known.
        unsigned: Names of the measures that are never negative.
        open_ms: How long before the end of the window events may come.
    """

    events: float
    unsigned: frozenset[str]
    open_ms: float = 0.0

    def floor(self, measure: str) -> float:
        """Return the least value that a measure can have."""
        return 0.0 if measure in self.unsigned else -math.inf


def counted(count: float, rest: Rest) -> Bounds:
    return Bounds(count, count + rest.events)


def ratio(series: SeriesSummary, rest: Rest) -> Bounds | None:
    """Return the bounds of the error rate: all that comes succeeds, or all of it fails."""
    return share(series.errors, series.outcomes, rest)


def share(part: float, total: float, rest: Rest) -> Bounds | None:
    """Return the bounds of ``part / total``: all that comes counts for the part, or none of it."""
    if not total:
        return None
    if math.isinf(rest.events):
        return Bounds(0.0, 1.0)
    return Bounds(part / (total + rest.events), (part + rest.events) / (total + rest.events))


def average(summary: Summary, floor: float, rest: Rest) -> Bounds:
    """Return the bounds of a mean: all that comes is as small or as large as the measure can be."""
    if not rest.events:
        return Bounds(summary.average, summary.average)
    if floor == -math.inf or math.isinf(rest.events):
        return Bounds(floor, math.inf)
    return Bounds((summary.sum + floor * rest.events) / (summary.count + rest.events), math.inf)


def quantile(summary: Summary, q: float, floor: float, rest: Rest) -> Bounds:
    """Return the bounds of a percentile: all that comes is below the values there are, or above."""
    if math.isinf(rest.events):
        return Bounds(floor, math.inf)
    more = math.ceil(rest.events)
    rank = math.floor(q * (summary.count + more - 1))
    lowest = _value_at(summary, rank - more) if rank >= more else floor
    # Of the bin, not cut at the greatest value so far, which may be exceeded yet.
    highest = _value_at(summary, rank) if rank < summary.count else math.inf
    return Bounds(min(lowest, summary.maximum), max(highest, summary.minimum))


def _value_at(summary: Summary, rank: int) -> float:
    index = int(np.searchsorted(np.cumsum(summary.bin_counts), rank, side="right"))
    return float(bin_values(summary.bins[index : index + 1])[0])


def combined(operation: Callable[[float, float], float], left: Bounds, right: Bounds) -> Bounds | None:
    """Return the bounds of ``left operation right``; ``None`` when it can be missing, as by a division by zero.

    ``operation`` is monotone in each side where it is defined, so its extremes lie at the ends.
    """
    ends: list[float] = []
    if right.lowest <= 0 <= right.highest and not _is_defined_at_zero(operation):
        return None
    for one in left:
        for other in right:
            try:
                result = operation(one, other)
            except (ZeroDivisionError, OverflowError):
                return None
            if math.isnan(result):
                return None
            ends.append(result)
    return Bounds(min(ends), max(ends))


def _is_defined_at_zero(operation: Callable[[float, float], float]) -> bool:
    try:
        operation(1.0, 0.0)
    except ZeroDivisionError:
        return False
    return True
