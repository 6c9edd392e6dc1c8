"""Elects one process of a host to record the host's figures, by means of a file."""

import logging
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import Final

if sys.platform != "win32":
    import fcntl

log = logging.getLogger(__name__)

_MAX_LEASE_BYTES: Final = 256


class HostElection:
    """A lease in the temporary directory, one for each service and user.

    The file contains the name of the holder and the end of its lease. It is locked only while it is read and written,
    so a fork cannot inherit the lease, and the lease of a killed holder expires. Where no temporary directory can be
    written, no process is elected.
    """

    def __init__(self, service: str, *, lease_ms: float, directory: Path | None = None) -> None:
        self._service = service
        self._directory = directory
        self._lease_ms = lease_ms
        self._path: Path | None = None
        self._has_no_place = False

    def is_won(self, candidate: str, now_ms: int) -> bool:
        """Say whether ``candidate`` holds the lease now; if it does, extend it.

        Args:
            candidate: The name of an instance.
            now_ms: Wall time, which all processes of a host share.
        """
        if sys.platform == "win32":  # it has no such lock, so the host is not sampled
            return False
        path = self._path or self._find_place()
        if path is None:
            return False
        try:
            # Neither follow nor wait: another user could have put a link or a pipe there.
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            handle = os.open(path, flags, 0o600)
        except OSError:
            return False
        try:
            facts = os.fstat(handle)
            if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.getuid():
                return False
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return self._claim(handle, candidate, now_ms)
        except OSError:
            return False  # another process has the file locked, and gets the lease
        finally:
            os.close(handle)

    def _find_place(self) -> Path | None:
        """Find the file at the first use, because the search for a directory writes files, and raises if it cannot."""
        if self._has_no_place:
            return None
        user = os.getuid() if hasattr(os, "getuid") else 0
        try:
            directory = self._directory or Path(tempfile.gettempdir())
        except OSError as error:
            self._has_no_place = True
            log.info("producer.no_host_figures", extra={"reason": str(error)})
            return None
        self._path = directory / f"barograph-host-{user}-{self._service}"
        return self._path

    def _claim(self, handle: int, candidate: str, now_ms: int) -> bool:
        until, _, holder = os.read(handle, _MAX_LEASE_BYTES).decode(errors="replace").partition(" ")
        until_ms = int(until) if until.isdecimal() else 0
        # A lease that ends later than a new one would was written before the clock was set back: ignore it.
        is_held = now_ms < until_ms <= now_ms + self._lease_ms
        if is_held and holder != candidate:
            return False
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{now_ms + int(self._lease_ms)} {candidate}".encode(), 0)
        return True
