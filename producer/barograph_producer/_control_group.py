"""What the process's control group (cgroup v1 or v2) allows and uses, which psutil does not know.

In a container psutil tells the machine's memory and cores: a process a step from being killed would look well.
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
    """Where a controller's files lie: the hierarchy's top, the group's path below it, and the version."""

    top: Path
    path: str
    is_v2: bool


class ControlGroup:
    """Reads limits and usage of the group this process is in, and of the groups above it.

    A limit of any group on the way up binds. Files that are missing or unreadable say nothing: each method
    then returns ``None``. Limits are read afresh each time, because they may be changed under a running
    process; where the files lie is found once.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        """Find the group.

        Args:
            root: What ``/proc/self/cgroup`` and ``/sys/fs/cgroup`` are looked up below.
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
        """Return the least CPU quota that binds, in cores."""
        return min(self._quotas(), default=None)

    def memory_limit_bytes(self) -> int | None:
        """Return the least memory limit that binds."""
        name = "memory.max" if self._memory.is_v2 else "memory.limit_in_bytes"
        limits = (_read_int(folder / name) for folder in _upwards(self._memory))
        return min((limit for limit in limits if limit is not None and limit < _NO_LIMIT_BYTES), default=None)

    def memory_used_bytes(self) -> int | None:
        """Return what the group uses and cannot be taken from it: without file pages not used lately.

        That is the figure the orchestrators go by (cAdvisor's working set).
        """
        folder = next(_upwards(self._memory))
        usage, inactive = (
            ("memory.current", "inactive_file")
            if self._memory.is_v2
            else ("memory.usage_in_bytes", "total_inactive_file")
        )
        used = _read_int(folder / usage)
        return None if used is None else max(0, used - (_read_entry(folder / "memory.stat", inactive) or 0))

    def cpu_used_s(self) -> float | None:
        """Return the CPU time that the whole group has used."""
        folder = next(_upwards(self._usage))
        if self._usage.is_v2:
            used_us = _read_entry(folder / "cpu.stat", "usage_usec")
            return None if used_us is None else used_us / _US
        used_ns = _read_int(folder / "cpuacct.usage")
        return None if used_ns is None else used_ns / _NS

    def _quotas(self) -> Iterator[float]:
        for folder in _upwards(self._cpu):
            if self._cpu.is_v2:
                quota, _, period = _read(folder / "cpu.max").partition(" ")
            else:
                quota, period = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
            with contextlib.suppress(ValueError, ZeroDivisionError):  # "max", and v1's -1, stand for none
                if int(quota) > 0:
                    yield int(quota) / int(period)

    def _mount(self, controller: str) -> _Mount:
        """Return where ``controller`` is: in a v1 hierarchy when one has it, else in the unified one."""
        if controller not in self._paths:
            return _Mount(self._fs, self._paths.get("", "/"), is_v2=True)
        # Distributions mount cpu and cpuacct together, under a name of both and a link of each.
        for name in (controller, "cpu,cpuacct", "cpuacct,cpu"):
            if (self._fs / name).is_dir():
                return _Mount(self._fs / name, self._paths[controller], is_v2=False)
        return _Mount(self._fs / controller, self._paths[controller], is_v2=False)


def _upwards(mount: _Mount) -> Iterator[Path]:
    """Yield the group's folder and those above it, up to the hierarchy's top.

    In a container the path is often the host's, and not there: its own group is then mounted as the top.
    """
    parts = [part for part in mount.path.split("/") if part not in ("", ".", "..")]
    if not mount.top.joinpath(*parts).is_dir():
        parts = []
    for end in range(len(parts), -1, -1):
        yield mount.top.joinpath(*parts[:end])


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def _read_int(path: Path) -> int | None:
    try:
        return int(_read(path))
    except ValueError:  # not there, or "max"
        return None


def _read_entry(path: Path, name: str) -> int | None:
    """Return the number after ``name`` in a file of lines ``name number``."""
    for line in _read(path).splitlines():
        key, _, number = line.partition(" ")
        if key == name and number.isdecimal():
            return int(number)
    return None
