"""The garbage collector of an aggregator's process."""

import gc
from typing import Final

# CPython's defaults are 700 (2,000 since 3.13), 10, 10.
_THRESHOLDS: Final = (100_000, 20, 20)


def calm_collector() -> None:
    """Let the collector run once a commit or so, not once a few entries.

    A thousand decoded entries are tens of thousands of tuples and no cycle: they go when their last reference
    does. Looking through them again and again took as long as decoding them.
    """
    gc.set_threshold(*_THRESHOLDS)
