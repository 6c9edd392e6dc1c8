"""Runs the `barograph` command as a person would, and sees to it that nothing is left."""

import contextlib
import subprocess
import sys
from collections.abc import Generator, Sequence
from pathlib import Path

import psutil

from tests.support import wait_until


@contextlib.contextmanager
def barograph(log: Path, *arguments: str) -> Generator["subprocess.Popen[bytes]", None, None]:
    """Run `barograph` with its output in ``log``; whatever is left of it at the end is killed."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "barograph_cli", *arguments], stdout=output, stderr=output, stdin=subprocess.DEVNULL
        )
    family = [psutil.Process(process.pid)]
    try:
        yield process
        with contextlib.suppress(psutil.NoSuchProcess):
            family = family_of(process.pid)
    finally:
        end_all(family)
        process.wait(timeout=60)


def family_of(pid: int) -> list[psutil.Process]:
    """Return the process and everything it has started."""
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def end_all(family: Sequence[psutil.Process]) -> None:
    """Kill what still runs of ``family``."""
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def is_running(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def names_of_running(family: Sequence[psutil.Process]) -> list[str]:
    """Return the command lines of what still runs of ``family``."""
    return [" ".join(process.cmdline()) for process in family if is_running(process)]


def wait_for_line(log: Path, text: str, timeout_s: float = 40.0) -> str:
    """Wait until ``text`` stands in the log and return its line."""

    def found() -> str:
        return next((line for line in log.read_text().splitlines() if text in line), "")

    try:
        wait_until(lambda: bool(found()), timeout_s=timeout_s, what=repr(text))
    except AssertionError as error:
        raise AssertionError(f"{error}; the log says:\n{log.read_text()}") from error
    return found()
