"""Reads raw figures of the process and of the host; ``None`` for each that is not available."""

import contextlib
import gc
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol, TypeVar

import psutil

T = TypeVar("T")

# Errors that psutil raises for a figure that is forbidden, unknown, or missing on this system.
_MISSING: Final = (psutil.Error, OSError, AttributeError, NotImplementedError, RuntimeError, ValueError, IndexError)
_IDLE: Final = ("idle", "iowait")
_NOT_BUSY: Final = (*_IDLE, "guest", "guest_nice")


class MemoryInfo(Protocol):
    @property
    def rss(self) -> int: ...


class CpuTimes(Protocol):
    @property
    def user(self) -> float: ...
    @property
    def system(self) -> float: ...


class ProcessSource(Protocol):
    """The methods used of ``psutil.Process``. Others are looked up by name, because not every system has them."""

    def oneshot(self) -> AbstractContextManager[None]: ...
    def cpu_times(self) -> CpuTimes: ...
    def memory_info(self) -> MemoryInfo: ...
    def num_threads(self) -> int: ...


class Bytes(NamedTuple):
    """Two byte counters that only grow: read and written, or sent and received."""

    first: int
    second: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessReadings:
    """One reading of the process. Times, bytes and collections count from its start."""

    cpu_s: float | None
    rss_bytes: int | None
    threads: int | None
    open_files: int | None
    disk: Bytes | None
    collections: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HostReadings:
    """One reading of the host. Times (summed over the cores) and bytes count from its start."""

    busy_s: float | None
    all_s: float | None
    memory_bytes: int | None
    memory_percent: float | None
    disk_percent: float | None
    disk: Bytes | None
    network: Bytes | None
    load_1m: float | None


def read_process(process: ProcessSource) -> ProcessReadings:
    """Read the available figures of ``process``. Never raises."""
    with contextlib.suppress(*_MISSING), process.oneshot():
        return _read_process(process)
    return _read_process(process)


def read_host() -> HostReadings:
    """Read the available figures of the host. Never raises."""
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
        # psutil's load average would start a thread on Windows.
        load_1m=attempt(lambda: os.getloadavg()[0]),
    )


def machine_memory_bytes() -> int | None:
    """Return the memory of the machine, regardless of any control group."""
    return attempt(lambda: psutil.virtual_memory().total)


def attempt(read: Callable[[], T]) -> T | None:
    """Return the result of ``read``; ``None`` if the figure is forbidden or unknown."""
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
    """Return the busy and the total CPU seconds of all cores together.

    ``psutil.cpu_percent`` is not usable, because it stores its last reading for the whole thread, and the host may
    call it too. The time of guests is part of the time of users (Linux), so it is not added again. Busy time is a sum
    and not a difference, because rounding cannot make a sum of growing counters go back.
    """
    times = psutil.cpu_times()._asdict()
    busy = sum(seconds for name, seconds in times.items() if name not in _NOT_BUSY)
    return busy, busy + sum(times.get(name, 0.0) for name in _IDLE)


def _host_disk() -> Bytes | None:
    counters = psutil.disk_io_counters()
    return None if counters is None else Bytes(counters.read_bytes, counters.write_bytes)


def _host_network() -> Bytes | None:
    """Return bytes sent and received by all interfaces except the loopback, whose traffic stays on the host."""
    counters = [count for name, count in psutil.net_io_counters(pernic=True).items() if name not in ("lo", "lo0")]
    if not counters:
        return None
    return Bytes(sum(count.bytes_sent for count in counters), sum(count.bytes_recv for count in counters))
