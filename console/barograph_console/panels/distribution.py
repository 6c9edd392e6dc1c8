"""How the values of a measure are spread: a histogram for each series, on one scale. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from barograph_console.rows.figures import average_of
from barograph_console.rows.histogram import histogram
from barograph_console.serving.numbers import Finite, significant
from barograph_core.panes.pane import Pane


@dataclass(frozen=True, slots=True)
class SpreadRow:
    """One series: how many values lie between each edge and the next."""

    labels: dict[str, str]
    counts: list[int]
    mean: Finite | None


@dataclass(frozen=True, slots=True)
class Distribution:
    """Bins of equal width from the least value to the greatest; from 0 to 1 when all values are."""

    edges: list[Finite]
    series: list[SpreadRow]


def distribution_of(pane: Pane, kind: str, measure: str, by: Sequence[str], bins: int) -> Distribution:
    """Return the distribution of one measure; no edges where there is no value."""
    rows = [row for row in pane.group(kind, tuple(by)) if row.measures[measure].count]
    if not rows:
        return Distribution([], [])
    least = min(row.measures[measure].minimum for row in rows)
    greatest = max(row.measures[measure].maximum for row in rows)
    if least >= 0 and greatest <= 1:
        least, greatest = 0.0, 1.0
    edges = np.linspace(least, greatest if greatest > least else least + 1, bins + 1)
    return Distribution(
        [significant(edge) or 0.0 for edge in edges.tolist()],
        [
            SpreadRow(
                dict(zip(by, row.labels, strict=True)),
                histogram(row.measures[measure], edges),
                average_of(row.measures[measure]),
            )
            for row in rows
        ],
    )
