"""Apdex from a sketch: how content users are with response times, 0 to 1 (Apdex Alliance, version 1.1)."""

from typing import Final

import numpy as np

from barograph_console.serving.numbers import significant
from barograph_core.numerics.sketch import bins_of
from barograph_core.panes.summary import Summary

# A tolerable response takes up to this many times the target.
_TOLERATED: Final = 4


def apdex_of(duration: Summary | None, errors: int, requests: int, target_ms: float) -> float | None:
    """Return ``(satisfied + tolerated / 2) / all``, or ``None`` without a duration.

    Satisfied is up to ``target_ms``, tolerated up to four times as long; each bound is rounded up to the end of its
    sketch bin, by at most 1.6 %. An error is neither. A pane does not say how long its errors took, so they are
    taken to be spread over durations as the other requests are.

    Args:
        duration: Durations in ms.
        errors: How many of ``requests`` failed.
        requests: With a duration or without.
        target_ms: The T of Apdex.
    """
    if duration is None or not duration.count or not requests:
        return None
    satisfied_bin, tolerated_bin = bins_of(np.array([target_ms, _TOLERATED * target_ms], np.float64))
    satisfied = int(duration.bin_counts[duration.bins <= satisfied_bin].sum())
    within = int(duration.bin_counts[duration.bins <= tolerated_bin].sum())
    score = (satisfied + within) / (2 * duration.count)
    return significant(score * (1 - errors / requests))
