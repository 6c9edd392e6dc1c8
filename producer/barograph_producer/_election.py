"""Chooses one process of a host to report the host's figures, with nothing but a file."""

import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import Final

if sys.platform != "win32":
    import fcntl

_MAX_LEASE_BYTES: Final = 256


class HostElection:
    """A lease in the temporary directory, one for each service and user.

    The file holds who samples and until when; it is locked only while it is read and written, so a fork
    cannot inherit the office and a killed holder loses it when its lease runs out.
    """

    def __init__(self, service: str, *, lease_ms: float, directory: Path | None = None) -> None:
        user = os.getuid() if hasattr(os, "getuid") else 0
        self._path = (directory or Path(tempfile.gettempdir())) / f"barograph-host-{user}-{service}"
        self._lease_ms = lease_ms

    def is_won(self, candidate: str, now_ms: int) -> bool:
        """Say whether ``candidate`` is to sample the host now, and extend its lease.

        Args:
            candidate: An instance name.
            now_ms: Wall time, which the processes of a host share.
        """
        if sys.platform == "win32":  # no such lock: the host is not sampled
            return False
        try:
            # Another user could have put a link or a pipe there: never follow, never wait.
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            handle = os.open(self._path, flags, 0o600)
        except OSError:
            return False
        try:
            facts = os.fstat(handle)
            if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.getuid():
                return False
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return self._claim(handle, candidate, now_ms)
        except OSError:
            return False  # another process is at it this very moment: it will hold the lease
        finally:
            os.close(handle)

    def _claim(self, handle: int, candidate: str, now_ms: int) -> bool:
        until, _, holder = os.read(handle, _MAX_LEASE_BYTES).decode(errors="replace").partition(" ")
        until_ms = int(until) if until.isdecimal() else 0
        # A lease that reaches further than one can was written before the clock was set back.
        is_held = now_ms < until_ms <= now_ms + self._lease_ms
        if is_held and holder != candidate:
            return False
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{now_ms + int(self._lease_ms)} {candidate}".encode(), 0)
        return True
