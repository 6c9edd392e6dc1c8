"""Makes the files of a control group below a folder of the test's own."""

from collections.abc import Mapping
from pathlib import Path

MIB = 1_048_576


def make_group(root: Path, cgroup: str, files: Mapping[str, str]) -> Path:
    """Write ``/proc/self/cgroup`` and, below ``/sys/fs/cgroup``, ``files``; return ``root``."""
    own = root / "proc/self/cgroup"
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text(cgroup)
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root
