"""Counts the panes that events would make, so that one commit makes a bounded number."""

from collections.abc import Iterable
from typing import Final

import numpy as np

from barograph_core.decode.block import EventBlock

# Limit of the panes of one commit of several entries. Each is a key of the call, which blocks the server; the events of
# one entry may lie in a thousand.
MOST_PANES: Final = 2_000


def has_too_many_panes(blocks: Iterable[EventBlock], step_ms: int) -> bool:
    """Say whether events lie in more than ``MOST_PANES`` panes. A pane of two kinds counts twice."""
    return sum(_count(block, step_ms) for block in blocks) > MOST_PANES


def _count(block: EventBlock, step_ms: int) -> int:
    if not len(block):
        return 0
    # Of most blocks the span says enough, without a look at each event.
    span = (int(block.times_ms.max()) // step_ms - int(block.times_ms.min()) // step_ms + 1) * len(block.services)
    if min(span, len(block)) <= MOST_PANES:
        return min(span, len(block))
    places = block.times_ms // step_ms
    if block.service_of is not None:
        places = places * len(block.services) + block.service_of
    return len(np.unique(places))
