"""Keeps one of every N events at random places, so that N times what was kept estimates the whole."""

import itertools
import random
from typing import Final

from barograph_core.events import MAX_WEIGHT

_SEED_BITS: Final = 62


class Thinning:
    """Decides for each event whether it is kept, and is free of bias: each is kept with probability 1/N.

    Events are counted off in blocks of N, and one place in each block, drawn anew, is kept: a total is off by
    less than N, where independent draws would be off by a multiple of its square root. Every N-th event would
    do as well for totals, but one rhythm in the traffic (a slow request each tenth) is then seen always or never.

    The place follows from the block's number, so that nothing is stored between calls: counting off is one
    call into C, and threads cannot disturb it.
    """

    def __init__(self, every: int, seed: int | None = None) -> None:
        """Keep one of ``every`` events.

        Raises:
            ValueError: ``every`` is not 1 to 1,000, the weights that an event can carry.
        """
        if not 1 <= every <= MAX_WEIGHT:
            raise ValueError(f"sample_every must be 1 to {MAX_WEIGHT}, not {every!r}")
        self._every = every
        self._seed = random.getrandbits(_SEED_BITS) if seed is None else seed
        self._count = itertools.count().__next__

    def keeps(self) -> bool:
        """Count one event off, and say whether it is kept."""
        block, place = divmod(self._count(), self._every)
        return place == hash((self._seed, block)) % self._every
