"""One look at the process and one at the host: raw figures, ``None`` for each that cannot be had."""

import contextlib
import gc
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol, TypeVar

import psutil

T = TypeVar("T")

# What psutil raises where a figure is not allowed, not known, or not of this system.
_MISSING: Final = (psutil.Error, OSError, AttributeError, NotImplementedError, RuntimeError, ValueError, IndexError)
_IDLE: Final = ("idle", "iowait")
_NOT_BUSY: Final = (*_IDLE, "guest", "guest_nice")


class Memory(Protocol):
    @property
    def rss(self) -> int: ...


class CpuTimes(Protocol):
    @property
    def user(self) -> float: ...
    @property
    def system(self) -> float: ...


class ProcessSource(Protocol):
    """What is asked of ``psutil.Process``; further figures are asked for by name, as not every system has them."""

    def oneshot(self) -> AbstractContextManager[None]: ...
    def cpu_times(self) -> CpuTimes: ...
    def memory_info(self) -> Memory: ...
    def num_threads(self) -> int: ...


class Bytes(NamedTuple):
    """Two counters that only grow: read and written, or sent and received."""

    first: int
    second: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessReadings:
    """The process at one moment. Times, bytes and collections count from its start."""

    cpu_s: float | None
    rss_bytes: int | None
    threads: int | None
    open_files: int | None
    disk: Bytes | None
    collections: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HostReadings:
    """The host at one moment. Times, sums over its cores, and bytes count from its start."""

    busy_s: float | None
    all_s: float | None
    memory_bytes: int | None
    memory_percent: float | None
    disk_percent: float | None
    disk: Bytes | None
    network: Bytes | None
    load_1m: float | None


def read_process(process: ProcessSource) -> ProcessReadings:
    """Read what can be had of ``process``. Never raises."""
    with contextlib.suppress(*_MISSING), process.oneshot():
        return _read_process(process)
    return _read_process(process)


def read_host() -> HostReadings:
    """Read what can be had of the host. Never raises."""
    cpu = attempt(_cpu_times)
    memory = attempt(psutil.virtual_memory)
    return HostReadings(
        busy_s=None if cpu is None else cpu[0],
        all_s=None if cpu is None else cpu[1],
        memory_bytes=None if memory is None else memory.total,
        memory_percent=None if memory is None else memory.percent,
        disk_percent=attempt(lambda: psutil.disk_usage("/").percent),
        disk=attempt(_host_disk),
        network=attempt(_host_network),
        # Not psutil's, which starts a thread on Windows.
        load_1m=attempt(lambda: os.getloadavg()[0]),
    )


def machine_memory_bytes() -> int | None:
    """Return the memory of the machine, whatever a control group allows."""
    return attempt(lambda: psutil.virtual_memory().total)


def attempt(read: Callable[[], T]) -> T | None:
    """Return what ``read`` finds, ``None`` where that is not allowed or not known."""
    try:
        return read()
    except _MISSING:
        return None


def _read_process(process: ProcessSource) -> ProcessReadings:
    cpu = attempt(process.cpu_times)
    memory = attempt(process.memory_info)
    return ProcessReadings(
        cpu_s=None if cpu is None else cpu.user + cpu.system,
        rss_bytes=None if memory is None else memory.rss,
        threads=attempt(process.num_threads),
        open_files=attempt(lambda: int(getattr(process, "num_fds")())),  # noqa: B009  # not on Windows
        disk=attempt(lambda: _process_disk(process)),
        collections=sum(generation["collections"] for generation in gc.get_stats()),
    )


def _process_disk(process: ProcessSource) -> Bytes:
    counters: object = getattr(process, "io_counters")()  # noqa: B009  # not on macOS
    return Bytes(int(getattr(counters, "read_bytes")), int(getattr(counters, "write_bytes")))  # noqa: B009


def _cpu_times() -> tuple[float, float]:
    """Return busy and all CPU seconds of the cores together.

    Not ``psutil.cpu_percent``, which keeps its last reading for the whole thread and may be asked by others.
    Time of guests is within that of users (Linux), so it is not added again. Added up and not subtracted from the
    total: a sum of counters that only grow does not go back by a rounding.
    """
    times = psutil.cpu_times()._asdict()
    busy = sum(seconds for name, seconds in times.items() if name not in _NOT_BUSY)
    return busy, busy + sum(times.get(name, 0.0) for name in _IDLE)


def _host_disk() -> Bytes | None:
    counters = psutil.disk_io_counters()
    return None if counters is None else Bytes(counters.read_bytes, counters.write_bytes)


def _host_network() -> Bytes | None:
    """Return bytes sent and received by all interfaces but the loopback, whose traffic leaves nothing."""
    counters = [count for name, count in psutil.net_io_counters(pernic=True).items() if name not in ("lo", "lo0")]
    if not counters:
        return None
    return Bytes(sum(count.bytes_sent for count in counters), sum(count.bytes_recv for count in counters))
