"""Samples the process, and the host where this process is the elected one, with psutil."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import psutil

from barograph_core.clock import Clock
from barograph_producer._election import HostElection

_MIB: Final = 1_048_576
_CPU_QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")

# Which sampler of this process is at work: (process id, sampler). A fork changes the first.
_at_work: dict[int, object] = {}


class RecordSystem(Protocol):
    """Records a system event."""

    def __call__(
        self,
        *,
        instance: str | None = None,
        scope: str = "process",
        memory_mb: float | None = None,
        cpu_percent: float | None = None,
        memory_percent: float | None = None,
        disk_percent: float | None = None,
        threads: float | None = None,
        open_files: float | None = None,
    ) -> None: ...


def usable_cores(quota_file: Path = _CPU_QUOTA) -> float:
    """Return how many cores this process may use: its affinity, or its control group's quota if that is less.

    psutil knows neither, and would report 400 % of a process that fills its four cores of 64.
    """
    cores = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    with contextlib.suppress(OSError, ValueError):
        quota, period = quota_file.read_text(encoding="ascii").split()
        cores = min(cores, int(quota) / int(period))
    return max(cores, 0.01)


class ProcessSampler:
    """Records one ``system`` event a period, however many producers the process has. Runs on the shipper thread."""

    def __init__(
        self,
        *,
        record: RecordSystem,
        instance: Callable[[], str],
        election: HostElection,
        clock: Clock,
        every_ms: float,
    ) -> None:
        self._record = record
        self._instance = instance
        self._election = election
        self._clock = clock
        self._every_ms = every_ms
        self._due_ms: float | None = None
        self._process: psutil.Process | None = None
        self._has_host_base = False

    def sample(self, now_ms: float) -> None:
        """Record what is due at the monotonic time ``now_ms``. Never raises."""
        if (self._due_ms is not None and now_ms < self._due_ms) or not self._is_at_work():
            return
        self._due_ms = now_ms + self._every_ms
        with contextlib.suppress(psutil.Error, OSError):
            self._sample_process()
        with contextlib.suppress(psutil.Error, OSError):
            self._sample_host()

    def stop(self) -> None:
        """Let another producer of this process take over."""
        if _at_work.get(os.getpid()) is self:
            del _at_work[os.getpid()]

    def _is_at_work(self) -> bool:
        return _at_work.setdefault(os.getpid(), self) is self

    def _sample_process(self) -> None:
        is_first = self._process is None
        if self._process is None:
            self._process = psutil.Process()
        process = self._process
        with process.oneshot():
            cpu_percent = process.cpu_percent() / usable_cores()
            self._record(
                instance=self._instance(),
                scope="process",
                memory_mb=process.memory_info().rss / _MIB,
                # The first reading has no span to be of; psutil returns 0.0.
                cpu_percent=None if is_first else min(cpu_percent, 100.0),
                threads=process.num_threads(),
                open_files=process.num_fds() if hasattr(process, "num_fds") else None,
            )

    def _sample_host(self) -> None:
        if not self._election.is_won(self._instance(), self._clock.now_ms()):
            self._has_host_base = False
            return
        cpu_percent = psutil.cpu_percent()
        self._record(
            instance=self._instance().partition(":")[0],
            scope="host",
            cpu_percent=cpu_percent if self._has_host_base else None,
            memory_percent=psutil.virtual_memory().percent,
            disk_percent=psutil.disk_usage("/").percent,
        )
        self._has_host_base = True
