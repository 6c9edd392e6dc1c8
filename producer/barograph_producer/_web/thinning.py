"""Samples one of every N events at random positions, so that N times the number of samples estimates the total."""

import itertools
import random
from typing import Final

from barograph_core.events.kinds import MAX_WEIGHT

_SEED_BITS: Final = 62


class Thinning:
    """Decides for each event whether it is kept, without bias: each is kept with probability 1/N.

    Events are counted in blocks of N, and one random position of each block is kept. The error of a total is then
    less than N; with independent draws it would be a multiple of the total's square root. Keeping every N-th event
    would be as exact, but would see a regular pattern in the traffic (every tenth request is slow) always or never.

    The position is computed from the number of the block, so nothing is stored between calls. Counting is one call
    into C, which other threads cannot interrupt.
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
        """Count one event, and return whether it is kept."""
        block, place = divmod(self._count(), self._every)
        return place == hash((self._seed, block)) % self._every
