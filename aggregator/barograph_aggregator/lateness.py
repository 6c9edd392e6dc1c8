"""Which events are too late, or too early, to count: a function of the log alone, so that a replay decides alike."""

import dataclasses
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from barograph_core.decode import EventBatch

BoolArray: TypeAlias = npt.NDArray[np.bool_]


def within_bounds(
    batch: EventBatch, arrived_ms: int, *, allowed_lateness_ms: int, max_future_ms: int
) -> tuple[EventBatch | None, int]:
    """Drop the events of ``batch`` that lie too far from their arrival.

    Args:
        batch: A decoded entry.
        arrived_ms: The ms of the entry's id: the server's clock when it was appended.
        allowed_lateness_ms: How far an event may lie before ``arrived_ms``.
        max_future_ms: How far after it; producers' clocks differ.

    Returns:
        The batch with what is left (the same object when all is), or ``None`` when nothing is, and how
        many events were dropped.
    """
    earliest, latest = arrived_ms - allowed_lateness_ms, arrived_ms + max_future_ms
    # The decoder has made sure that the header is right; this spares most entries every array operation.
    if earliest <= batch.first_ms and batch.last_ms <= latest:
        return batch, 0
    is_inside = (batch.times_ms >= earliest) & (batch.times_ms <= latest)
    return keep_events(batch, is_inside), batch.n - int(is_inside.sum())


def keep_events(batch: EventBatch, mask: BoolArray) -> EventBatch | None:
    """Return ``batch`` with the events where ``mask`` is true, or ``None`` when there are none."""
    n = int(mask.sum())
    if not n:
        return None
    times_ms = batch.times_ms[mask]
    return dataclasses.replace(
        batch,
        n=n,
        first_ms=int(times_ms.min()),
        last_ms=int(times_ms.max()),
        series=batch.series[mask],
        times_ms=times_ms,
        columns=tuple(None if column is None else column[mask] for column in batch.columns),
        weights=None if batch.weights is None else batch.weights[mask],
    )
