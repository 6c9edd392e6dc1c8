"""A flag that every fork clears, also one that is made in C (uWSGI) and calls none of Python's hooks."""

import ctypes
import mmap
import os
from typing import Final, Protocol, cast

# Linux since 4.14: the kernel gives each child a page of zeros in place of this one. Python does not name the advice.
_WIPE_ON_FORK: Final = 18


class ForkFlag(Protocol):
    """True once ``value`` was set to 1, until it is set to 0 or the process is forked: it is false in the child."""

    @property
    def value(self) -> int: ...

    @value.setter
    def value(self, new: int) -> None: ...

    def __bool__(self) -> bool: ...


class PidFlag:
    """Compares the process id each time, where the kernel has no such pages: some 200 ns instead of a few."""

    __slots__ = ("_pid",)

    def __init__(self) -> None:
        self._pid = 0

    @property
    def value(self) -> int:
        return int(bool(self))

    @value.setter
    def value(self, new: int) -> None:
        self._pid = os.getpid() if new else 0

    def __bool__(self) -> bool:
        return self._pid == os.getpid()


def make_fork_flag() -> ForkFlag:
    """Return a flag that is not set.

    Recorders ask it in each call. A C integer is asked for its truth without a call of Python's, and its byte lies on
    a page of its own.
    """
    try:
        page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        page.madvise(_WIPE_ON_FORK)
    except (AttributeError, OSError):  # not Linux, or a sandbox that does not know the advice
        return PidFlag()
    return cast("ForkFlag", ctypes.c_byte.from_buffer(page))
