"""Settings of the process for CPython's garbage collector and the C library's allocator."""

import ctypes
import gc
from typing import Final

# CPython's defaults are 700 (2,000 since 3.13), 10, 10.
_THRESHOLDS: Final = (100_000, 20, 20)
# From malloc.h of the GNU C library.
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
# The second is the maximum that the library accepts for M_MMAP_THRESHOLD.
_KEPT_BYTES: Final = 64 * 1_048_576
_LARGEST_KEPT_BYTES: Final = 32 * 1_048_576


def collect_garbage_rarely() -> None:
    """Let the collector run about once a commit, instead of once every few entries.

    A thousand decoded entries are tens of thousands of tuples without a cycle: reference counting frees them. Scanning
    them repeatedly took as long as decoding them.
    """
    gc.set_threshold(*_THRESHOLDS)


def keep_freed_memory() -> bool:
    """Let the process keep up to 64 MB of freed memory, instead of giving each array back to the system.

    Columns of a quarter of a MB are allocated and freed thousands of times a second. Getting their pages from the
    system each time took twice as long as all work on them (48 ns an event instead of 17).

    Returns:
        Whether the C library accepted the settings: the GNU library does, musl and Apple's do not.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)) and bool(mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT_BYTES))
