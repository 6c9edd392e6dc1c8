"""A part of a pane in its list on the server: a mark that no other part has, then the packed pane.

``baro_close_1`` compares the mark of the last part to decide whether the list is still the one that was read. Its
length does not show that: another worker may have closed the pane meanwhile, and as many late parts may have come.
"""

import os
from typing import Final

# Length of a mark; ``close.lua`` has the same number.
_MARK_BYTES: Final = 8


def new_mark() -> bytes:
    """Return a mark. It is random and not a counter, because a failover may set a counter back."""
    return os.urandom(_MARK_BYTES)


def marked(blob: bytes) -> bytes:
    """Return a packed pane as a part with a new mark."""
    return new_mark() + blob


def mark_of(part: bytes) -> bytes:
    """Return the mark of a part."""
    return part[:_MARK_BYTES]


def unmarked(part: bytes) -> bytes:
    """Return the packed pane of a part. Of foreign data the result is no packed pane."""
    return part[_MARK_BYTES:]
