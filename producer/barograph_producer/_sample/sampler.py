"""Records figures of the process, and of the host if this process is elected."""

import math
import os
from collections.abc import Callable, Iterable
from typing import Final
from weakref import WeakValueDictionary

import psutil

from barograph_core.clock import Clock
from barograph_producer._record.signatures import RecordSystem
from barograph_producer._sample.control_group import ControlGroup
from barograph_producer._sample.election import HostElection
from barograph_producer._sample.rates import Rates
from barograph_producer._sample.readings import (
    HostReadings,
    ProcessReadings,
    ProcessSource,
    attempt,
    machine_memory_bytes,
    read_host,
    read_process,
)

_MIB: Final = 1_048_576
_FEWEST_CORES: Final = 0.01

# The sampler that is active in this process, by process id, because a fork copies this dictionary. It is held weakly:
# one whose producer is gone without a close keeps no other from sampling.
_active: WeakValueDictionary[int, "ProcessSampler"] = WeakValueDictionary()


class ProcessSampler:
    """Records one ``system`` event in each period, for any number of producers in the process.

    It runs on the shipping thread. All percentages are relative to the limits of the process's control group. If the
    group has a limit, the host's figures are those of the group: in a container, the container is the host. Limit and
    use are always of one group; if groups above it have limits too, the fullest counts.
    """

    def __init__(
        self,
        *,
        recorder: Callable[[], RecordSystem],
        instance: Callable[[], str],
        election: HostElection,
        clock: Clock,
        every_ms: float,
        group: ControlGroup | None = None,
        open_process: Callable[[], ProcessSource] = psutil.Process,
        look_at_host: Callable[[], HostReadings] = read_host,
    ) -> None:
        """Make one; nothing is read before the first sample.

        Args:
            recorder: Returns the function that records a sample.
            instance: Returns the name of the producer.
            election: Decides which process samples the host.
            clock: Provides wall time for the election.
            every_ms: Time between two samples.
            group: The control group; by default the one of this process.
            open_process: Opens the process.
            look_at_host: Reads the host.
        """
        self._recorder = recorder
        self._instance = instance
        self._election = election
        self._clock = clock
        self._every_ms = every_ms
        self._group = group
        self._open_process = open_process
        self._look_at_host = look_at_host
        self._due_ms: float | None = None
        self._process: ProcessSource | None = None
        self._machine_bytes: int | None = None
        self._rates = Rates()
        self._host_rates = Rates()

    def sample(self, now_ms: float) -> None:
        """Record a sample if one is due at the monotonic time ``now_ms``. Never raises."""
        if (self._due_ms is not None and now_ms < self._due_ms) or not self._is_active():
            return
        self._due_ms = now_ms + self._every_ms
        if self._group is None:
            self._group = ControlGroup()
        if self._process is None:
            self._process = attempt(self._open_process)
            self._machine_bytes = machine_memory_bytes()
        if self._process is not None:
            self._record_process(read_process(self._process), self._group, now_ms / 1_000)
        if self._election.is_won(self._instance(), self._clock.now_ms()):
            self._record_host(self._look_at_host(), self._group, now_ms / 1_000)
        else:
            self._host_rates.forget()

    def stop(self) -> None:
        """Let another producer of this process take over."""
        if _active.get(os.getpid()) is self:
            del _active[os.getpid()]

    def _is_active(self) -> bool:
        return _active.setdefault(os.getpid(), self) is self

    def _record_process(self, seen: ProcessReadings, group: ControlGroup, now_s: float) -> None:
        rates, (read, written) = self._rates, seen.disk or (None, None)
        self._recorder()(
            instance=self._instance(),
            scope="process",
            memory_mb=_in_mb(seen.rss_bytes),
            cpu_percent=_percent(rates.per_s("cpu", seen.cpu_s, now_s), usable_cores(group)),
            memory_percent=_percent(seen.rss_bytes, usable_memory_bytes(group, self._machine_bytes)),
            threads=seen.threads,
            open_files=seen.open_files,
            disk_read_mb_per_s=_mb_per_s(rates, "read", read, now_s),
            disk_write_mb_per_s=_mb_per_s(rates, "written", written, now_s),
            gc_collections=rates.growth("collections", seen.collections),
        )

    def _record_host(self, seen: HostReadings, group: ControlGroup, now_s: float) -> None:
        rates = self._host_rates
        read, written = seen.disk or (None, None)
        sent, received = seen.network or (None, None)
        self._recorder()(
            instance=self._instance().partition(":")[0],
            scope="host",
            cpu_percent=self._host_cpu_percent(seen, group, now_s),
            memory_percent=_host_memory_percent(seen, group),
            disk_percent=seen.disk_percent,
            disk_read_mb_per_s=_mb_per_s(rates, "read", read, now_s),
            disk_write_mb_per_s=_mb_per_s(rates, "written", written, now_s),
            network_sent_mb_per_s=_mb_per_s(rates, "sent", sent, now_s),
            network_received_mb_per_s=_mb_per_s(rates, "received", received, now_s),
            load_1m=seen.load_1m,
        )

    def _host_cpu_percent(self, seen: HostReadings, group: ControlGroup, now_s: float) -> float | None:
        rates, cores = self._host_rates, machine_cores()
        limits = [limit for limit in group.cpu_limits() if limit.limit < cores]
        if not limits:
            return _percent(rates.per_s("busy", seen.busy_s, now_s), rates.per_s("all", seen.all_s, now_s))
        return _fullest(
            _percent(rates.per_s(f"group {limit.group}", limit.used, now_s), max(limit.limit, _FEWEST_CORES))
            for limit in limits
        )


def machine_cores() -> float:
    """Return how many cores this process may run on, regardless of any quota."""
    return float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def usable_cores(group: ControlGroup) -> float:
    """Return how many cores this process may use: its affinity, or its control group's quota if that is lower.

    psutil uses neither, and would return 400 % for a process that fills its 4 of 64 cores.
    """
    return max(_FEWEST_CORES, min(machine_cores(), group.cores() or math.inf))


def usable_memory_bytes(group: ControlGroup, machine_bytes: int | None) -> int | None:
    """Return how much memory this process may use: the machine's, or its control group's limit if that is lower."""
    known = [size for size in (group.memory_limit_bytes(), machine_bytes) if size]
    return min(known, default=None)


def _host_memory_percent(seen: HostReadings, group: ControlGroup) -> float | None:
    limits = [limit for limit in group.memory_limits() if seen.memory_bytes is None or limit.limit < seen.memory_bytes]
    if not limits:
        return seen.memory_percent
    return _fullest(_percent(limit.used, limit.limit) for limit in limits)


def _fullest(percents: Iterable[float | None]) -> float | None:
    """Return the percentage of the fullest group: the first to be throttled or to lose a process."""
    return max((percent for percent in list(percents) if percent is not None), default=None)


def _percent(part: float | None, whole: float | None) -> float | None:
    """Return ``part`` of ``whole`` in per cent, at most 100, because one reading may be a tick ahead of the other."""
    return None if part is None or not whole else min(100.0, 100.0 * part / whole)


def _in_mb(size_bytes: float | None) -> float | None:
    return None if size_bytes is None else size_bytes / _MIB


def _mb_per_s(rates: Rates, name: str, total_bytes: float | None, now_s: float) -> float | None:
    return _in_mb(rates.per_s(name, total_bytes, now_s))
