"""A histogram with given edges, from the bins of a sketch."""

import numpy as np

from barograph_core.numerics.arrays import FloatArray
from barograph_core.numerics.sketch import bin_values
from barograph_core.panes.summary import Summary


def histogram(summary: Summary, edges: FloatArray) -> list[int]:
    """Return how many values lie between each edge and the next.

    A sketch bin counts where its middle lies, so a value within 0.8 % of an edge may count on the other side of it.
    The first bin also takes all smaller values, the last all larger ones: the counts add up to ``summary.count``.
    """
    places = np.searchsorted(edges, bin_values(summary.bins), side="right") - 1
    counts = np.zeros(len(edges) - 1, np.int64)
    np.add.at(counts, np.clip(places, 0, len(counts) - 1), summary.bin_counts)
    found: list[int] = counts.tolist()
    return found
