"""Runs the stages as child processes, starts again what dies, and stops all of them in good order."""

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from barograph_cli.command_line import python_module
from barograph_cli.failure import USAGE, CommandError
from barograph_core.backoff import Backoff
from barograph_core.clock import Clock

STOP_TIMEOUT_MS: Final = 12_000
RESTART: Final = Backoff(first_ms=500, longest_ms=30_000)
# Time after which a death counts as a first one: its cause is probably new.
_STEADY_MS: Final = 60_000
_LOG_LIMIT_BYTES: Final = 5_000_000
_TAIL_BYTES: Final = 2_000
READY_LINE: Final = re.compile(r"\Abarograph [a-z -]+ ready\b")


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One process to run.

    Attributes:
        name: Shown to people, and the name of the log.
        module: Run as ``python -P -m``.
        log: Where its output goes.
        environ: Added to our own environment. The server's URL goes this way: it may hold a password, and command
            lines can be read by every user of the machine.
    """

    name: str
    module: str
    argv: tuple[str, ...]
    log: Path
    environ: Mapping[str, str] = field(default_factory=dict[str, str])


class Child:
    """One supervised process and its history.

    Attributes:
        is_ready: Set when the process has printed the line that every worker prints when it is ready.
    """

    def __init__(self, spec: ChildSpec, clock: Clock, hear: Callable[[str], None]) -> None:
        self.spec = spec
        self.is_ready = threading.Event()
        self._clock = clock
        self._hear = hear
        self._process: subprocess.Popen[bytes] | None = None
        self._deaths = 0
        self._started_ms = 0.0
        self._next_start_ms = 0.0

    @property
    def pid(self) -> int:
        """Return the process id, 0 while none runs."""
        return 0 if self._process is None else self._process.pid

    def start(self) -> None:
        rotate_log(self.spec.log)
        with self.spec.log.open("ab") as log:
            self._process = subprocess.Popen(
                python_module("barograph_cli.local.child", self.spec.module, *self.spec.argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **self.spec.environ},
                # Ctrl-C must reach only us: we then stop the children one after the other.
                start_new_session=True,
            )
        self._started_ms = self._clock.monotonic_ms()
        threading.Thread(target=self._listen, args=(self._process,), name=self.spec.name, daemon=True).start()

    def _listen(self, process: "subprocess.Popen[bytes]") -> None:
        """Read what the process prints until it ends: into the log, and line by line to the listener."""
        if process.stdout is None:
            return
        with process.stdout, self.spec.log.open("ab", buffering=0) as log:
            for line in process.stdout:
                log.write(line)
                text = line.decode(errors="replace").rstrip()
                if READY_LINE.search(text):
                    self.is_ready.set()
                elif text:
                    self._hear(text)

    def exit_code(self) -> int | None:
        """Return how the process ended, ``None`` while it runs or before it was started."""
        return None if self._process is None else self._process.poll()

    def revive(self) -> bool:
        """Start the process again if it died and has waited long enough; say whether it was started."""
        now_ms = self._clock.monotonic_ms()
        if self._process is not None:
            if self._process.poll() is None:
                return False
            self._forget()
            self._deaths = deaths_in_a_row(self._deaths, now_ms - self._started_ms)
            self._next_start_ms = now_ms + RESTART.wait_ms(self._deaths)
        if now_ms < self._next_start_ms:
            return False
        self.start()
        return True

    def terminate(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def join(self, deadline_ms: float) -> None:
        """Wait until the process ends, and kill it when ``deadline_ms`` (monotonic) has passed."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, deadline_ms - self._clock.monotonic_ms()) / 1_000)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._forget()

    def _forget(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
        self._process = None


class Supervisor:
    """Holds children, in the order in which they are started; they are stopped in groups, newest first."""

    def __init__(self, clock: Clock, say: Callable[[str], None], hear: Callable[[str], None]) -> None:
        """Make a supervisor without children.

        Args:
            clock: Measures waits.
            say: Called with a sentence on what happens to the children.
            hear: Called from threads with each line that a child prints, except the one that says it is ready.
        """
        self._clock = clock
        self._say = say
        self._hear = hear
        self._groups: list[list[Child]] = []

    @property
    def children(self) -> list[Child]:
        return [child for group in self._groups for child in group]

    def start(self, specs: Sequence[ChildSpec]) -> list[Child]:
        """Start ``specs`` as one group: its members are asked to stop at the same moment."""
        group: list[Child] = []
        self._groups.append(group)
        for spec in specs:
            child = Child(spec, self._clock, self._hear)
            group.append(child)
            child.start()
        return group

    def check(self) -> None:
        """Start again what has died, and rotate logs that have grown.

        Raises:
            CommandError: A child ended with exit code 2: its settings are wrong, and another start cannot mend them.
        """
        for child in self.children:
            rotate_log(child.spec.log)
            code = child.exit_code()
            if code == USAGE:
                raise CommandError(f"{child.spec.name} does not start:\n{log_tail(child.spec.log)}", USAGE)
            if code is not None:
                self._say(f"{child.spec.name} ended with exit code {code}; its log is {child.spec.log}")
            if child.revive():
                self._say(f"{child.spec.name} was started again (pid {child.pid})")

    def stop_newest(self) -> None:
        """Stop the group that was started last and wait for it."""
        if self._groups:
            self._stop_group(self._groups.pop())

    def stop(self) -> None:
        """Stop every group, newest first: what sends events before what works on them."""
        while self._groups:
            self.stop_newest()

    def _stop_group(self, group: Sequence[Child]) -> None:
        for child in group:
            child.terminate()
        deadline_ms = self._clock.monotonic_ms() + STOP_TIMEOUT_MS
        for child in group:
            child.join(deadline_ms)


def deaths_in_a_row(before: int, ran_ms: float) -> int:
    """Count the death of a process that ran for ``ran_ms``, after ``before`` earlier ones."""
    return 1 if ran_ms >= _STEADY_MS else before + 1


def rotate_log(log: Path) -> None:
    """Copy a log that has grown past 5 MB aside, over the one copied before, and empty it.

    The process keeps its log open and appends, so a log that was moved would go on growing under its new name.
    """
    with suppress(OSError):
        if log.stat().st_size > _LOG_LIMIT_BYTES:
            shutil.copyfile(log, log.with_suffix(".log.1"))
            os.truncate(log, 0)


def log_tail(log: Path) -> str:
    """Return the last lines of a log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            return file.read().decode(errors="replace").strip()
    except OSError:
        return ""
