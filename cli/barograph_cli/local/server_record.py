"""``server.json``: which server process serves a state directory, so that one that outlived its parent is found."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, cast

import psutil

SERVER_FILE: Final = "server.json"
# Greatest difference between two reports of one start time: a correction of the clock moves them. The time is
# compared because process ids are used again.
_START_TOLERANCE_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class ServerRecord:
    """The content of ``server.json``.

    Attributes:
        port: The port it listens on; the next run asks for the same.
        pid: Process id of the server, 0 after an orderly stop.
        started_s: When that process started, as the kernel reports it: a process id alone may name a stranger.
        host_pid: Process id of the process that looks after the server, 0 after an orderly stop.
        host_started_s: When that one started.
    """

    port: int
    pid: int = 0
    started_s: float = 0.0
    host_pid: int = 0
    host_started_s: float = 0.0


def read_record(state_dir: Path) -> ServerRecord | None:
    """Return the record, or ``None`` when there is none that can be read."""
    try:
        loaded: object = json.loads((state_dir / SERVER_FILE).read_text(encoding="utf-8"))
        fields = cast("dict[str, float]", loaded)
        return ServerRecord(
            port=int(fields["port"]),
            pid=int(fields["pid"]),
            started_s=float(fields["started_s"]),
            host_pid=int(fields["host_pid"]),
            host_started_s=float(fields["host_started_s"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_record(state_dir: Path, record: ServerRecord) -> None:
    """Replace the record in one step, so that a reader never sees half of it."""
    temporary = state_dir / f"{SERVER_FILE}.{os.getpid()}"
    temporary.write_text(json.dumps(asdict(record)) + "\n", encoding="utf-8")
    temporary.replace(state_dir / SERVER_FILE)


def process_started_s(pid: int) -> float:
    """Return when process ``pid`` started, 0.0 when there is none."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return 0.0


def find_process(pid: int, started_s: float) -> psutil.Process | None:
    """Return the process that had this id and start time, or ``None`` when it has ended."""
    if pid <= 0:
        return None
    try:
        process = psutil.Process(pid)
        if abs(process.create_time() - started_s) > _START_TOLERANCE_S:
            return None
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.Error:
        return None


def end_process(process: psutil.Process, timeout_s: float) -> None:
    """Ask the process to end, wait up to ``timeout_s``, then kill it."""
    try:
        process.terminate()
        process.wait(timeout_s)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait(timeout_s)
    except psutil.NoSuchProcess:
        return
