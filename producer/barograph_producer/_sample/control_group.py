"""Reads the limits and the usage of the process's control group (cgroup v1 or v2), which psutil does not know.

In a container psutil returns the machine's memory and cores: a process about to be killed would look healthy.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

_NS: Final = 1e9
_US: Final = 1e6
# cgroup v1 writes "no limit" as 2**63 less a page.
_NO_LIMIT_BYTES: Final = 1 << 60


class _Mount(NamedTuple):
    """The place of a controller's files: the top of the hierarchy, the group's path below it, and the version."""

    top: Path
    path: str
    is_v2: bool


class GroupLimit(NamedTuple):
    """A limit of one group, and what this same group uses of it.

    Attributes:
        group: The path of the group, "." for the top.
        limit: Cores or bytes.
        used: CPU seconds since the start of the group, or bytes that cannot be reclaimed; ``None`` if not readable.
    """

    group: str
    limit: float
    used: float | None


class ControlGroup:
    """Reads limits and usage of the group of this process, and of the groups above it.

    Each of these groups may have a limit. The lowest is what this process may use at most, but a group above it with a
    higher limit, shared with others, may be full before. If files are missing or unreadable, the group has no limit.
    Limits are read each time, because they may change while the process runs; the place of the files is found once.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        """Find the group.

        Args:
            root: The directory that contains ``proc/self/cgroup`` and ``sys/fs/cgroup``.
        """
        self._fs = root / "sys/fs/cgroup"
        self._paths: dict[str, str] = {}
        with contextlib.suppress(OSError, ValueError):
            for line in (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines():
                _, controllers, path = line.split(":", 2)
                self._paths.update(dict.fromkeys(controllers.split(","), path))
        self._memory = self._mount("memory")
        self._cpu = self._mount("cpu")
        self._usage = self._mount("cpuacct")

    def cores(self) -> float | None:
        """Return the lowest CPU quota, in cores."""
        return min((limit.limit for limit in self.cpu_limits()), default=None)

    def memory_limit_bytes(self) -> int | None:
        """Return the lowest memory limit."""
        return min((int(limit.limit) for limit in self.memory_limits()), default=None)

    def cpu_limits(self) -> list[GroupLimit]:
        """Return the CPU quota of each group that has one, in cores, from this process's group upwards."""
        return [
            GroupLimit(group, cores, self._cpu_used_s(group))
            for group, folder in _upwards(self._cpu)
            if (cores := self._quota(folder)) is not None
        ]

    def memory_limits(self) -> list[GroupLimit]:
        """Return the memory limit of each group that has one, in bytes, from this process's group upwards."""
        name = "memory.max" if self._memory.is_v2 else "memory.limit_in_bytes"
        return [
            GroupLimit(group, limit, self._memory_used_bytes(folder))
            for group, folder in _upwards(self._memory)
            if (limit := _read_int(folder / name)) is not None and limit < _NO_LIMIT_BYTES
        ]

    def _memory_used_bytes(self, folder: Path) -> int | None:
        """Return the memory of a group that cannot be reclaimed: its usage without file pages not used lately.

        Orchestrators use the same figure (cAdvisor's working set).
        """
        usage, inactive = (
            ("memory.current", "inactive_file")
            if self._memory.is_v2
            else ("memory.usage_in_bytes", "total_inactive_file")
        )
        used = _read_int(folder / usage)
        return None if used is None else max(0, used - (_read_entry(folder / "memory.stat", inactive) or 0))

    def _cpu_used_s(self, group: str) -> float | None:
        """Return the CPU time of a whole group. In v1 another hierarchy may have it, with the same groups."""
        if self._cpu.is_v2:
            used_us = _read_entry(self._cpu.top / group / "cpu.stat", "usage_usec")
            return None if used_us is None else used_us / _US
        used_ns = _read_int(self._usage.top / group / "cpuacct.usage")
        return None if used_ns is None else used_ns / _NS

    def _quota(self, folder: Path) -> float | None:
        if self._cpu.is_v2:
            quota, _, period = _read(folder / "cpu.max").partition(" ")
        else:
            quota, period = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
        with contextlib.suppress(ValueError, ZeroDivisionError):  # "max", and -1 in v1, mean that there is no quota
            if int(quota) > 0:
                return int(quota) / int(period)
        return None

    def _mount(self, controller: str) -> _Mount:
        """Return the place of ``controller``: a v1 hierarchy if one has it, otherwise the unified hierarchy."""
        if controller not in self._paths:
            return _Mount(self._fs, self._paths.get("", "/"), is_v2=True)
        # Distributions mount cpu and cpuacct together under both names, with a link for each.
        for name in (controller, "cpu,cpuacct", "cpuacct,cpu"):
            if (self._fs / name).is_dir():
                return _Mount(self._fs / name, self._paths[controller], is_v2=False)
        return _Mount(self._fs / controller, self._paths[controller], is_v2=False)


def _upwards(mount: _Mount) -> Iterator[tuple[str, Path]]:
    """Yield the path and the folder of the group and of those above it, up to the top of the hierarchy.

    In a container the path is often that of the host and does not exist; the group itself is then mounted as the top.
    """
    parts = [part for part in mount.path.split("/") if part not in ("", ".", "..")]
    if not mount.top.joinpath(*parts).is_dir():
        parts = []
    for end in range(len(parts), -1, -1):
        group = Path(*parts[:end])
        yield group.as_posix(), mount.top / group


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def _read_int(path: Path) -> int | None:
    try:
        return int(_read(path))
    except ValueError:  # missing, or "max"
        return None


def _read_entry(path: Path, name: str) -> int | None:
    """Return the number after ``name`` in a file of lines ``name number``."""
    for line in _read(path).splitlines():
        key, _, number = line.partition(" ")
        if key == name and number.isdecimal():
            return int(number)
    return None
