"""A part of a pane as it lies in a list on the server: a mark that no other part has, then what packed it.

Closing tells by the mark of the last part whether a list is still the one that was read. Its length does not say that:
somebody else may have closed the pane meanwhile, and as many late parts may have come again.
"""

import os
from typing import Final

# close.lua compares as many.
_MARK_BYTES: Final = 8


def new_mark() -> bytes:
    """Return a mark. Random, not counted: a failover may take a counter back."""
    return os.urandom(_MARK_BYTES)


def marked(blob: bytes) -> bytes:
    """Return a packed pane as a part with a mark of its own."""
    return new_mark() + blob


def mark_of(part: bytes) -> bytes:
    """Return what ``marked`` put in front."""
    return part[:_MARK_BYTES]


def unmarked(part: bytes) -> bytes:
    """Return the packed pane that ``marked`` took; of foreign data, bytes that no pane packs to."""
    return part[_MARK_BYTES:]
