"""What a span of time is made of, next to the span before it: which routes, versions and labels stand out. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import Field

from barograph_console.serving.numbers import Finite, significant
from barograph_core.events.kinds import KINDS
from barograph_core.events.labels import free_label_names
from barograph_core.numerics.sketch import bins_of
from barograph_core.panes.pane import Pane
from barograph_core.panes.summary import SeriesSummary

OfName = Literal["errors", "count", "time", "slow"]
_REQUEST: Final = KINDS["request"]
_MOST_LABELS: Final = 16


@dataclass(frozen=True, slots=True)
class SpanAmount:
    """A span of time, and how much there was in it."""

    from_ms: int
    to_ms: int
    amount: Annotated[Finite, Field(description="errors, requests, ms, or slow requests, as asked")]


@dataclass(frozen=True, slots=True)
class Share:
    """The share that the requests with one value of a label have of the amount."""

    label: str
    value: str
    inside_ratio: Finite
    before_ratio: Annotated[Finite | None, Field(description="null when there was nothing before")]


@dataclass(frozen=True, slots=True)
class Contributors:
    """Shares, the largest difference between the two spans first."""

    of: OfName
    inside: SpanAmount
    before: SpanAmount
    shares: list[Share]


def amount_of(row: SeriesSummary, of: OfName, slow_ms: float) -> float:
    """Return how much a series contributes.

    A request is slow when it takes longer than ``slow_ms``, rounded up to the end of its sketch bin.
    """
    duration = row.measures["duration_ms"]
    if of == "slow":
        (last_bin,) = bins_of(np.array([slow_ms], np.float64))
        return int(duration.bin_counts[duration.bins > last_bin].sum())
    return {"errors": row.errors, "count": row.count, "time": duration.sum}[of]


def shares_of(inside: Pane, before: Pane, of: OfName, slow_ms: float, limit: int) -> list[Share]:
    """Return the ``limit`` shares that differ most between two panes.

    Labels of different kinds are not joined: a request's version is known only when it is a label of the request.
    """
    shares: list[Share] = []
    for name in _label_names((inside, before)):
        now, then = _amounts(inside, name, of, slow_ms), _amounts(before, name, of, slow_ms)
        total, total_before = sum(now.values()), sum(then.values())
        if total:
            shares += [
                Share(
                    name,
                    value,
                    significant(amount / total) or 0.0,
                    significant(then.get(value, 0.0) / total_before) if total_before else None,
                )
                for value, amount in now.items()
            ]
    return sorted(shares, key=_by_difference)[:limit]


def total_of(pane: Pane, of: OfName, slow_ms: float) -> float:
    """Return the amount of all requests of a pane."""
    return sum(amount_of(row, of, slow_ms) for row in pane.group(_REQUEST.name))


def _by_difference(share: Share) -> tuple[float, float, str, str]:
    return -abs(share.inside_ratio - (share.before_ratio or 0.0)), -share.inside_ratio, share.label, share.value


def _label_names(panes: Iterable[Pane]) -> Sequence[str]:
    free = {
        name for pane in panes for labels in pane.labels(_REQUEST.name) for name in free_label_names(_REQUEST, labels)
    }
    return [*_REQUEST.labels, *sorted(free)][:_MOST_LABELS]


def _amounts(pane: Pane, name: str, of: OfName, slow_ms: float) -> dict[str, float]:
    return {row.labels[0]: amount_of(row, of, slow_ms) for row in pane.group(_REQUEST.name, (name,))}
