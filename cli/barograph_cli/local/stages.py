"""The four stages as child processes of ``up`` and ``demo``."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import urllib3

from barograph_cli.failure import CommandError
from barograph_cli.local.supervisor import Child, ChildSpec, Supervisor, log_tail
from barograph_core.clock import Clock

WORKERS: Final = ("aggregator", "alerter", "notifier")
CONSOLE: Final = "console"
READY_TIMEOUT_MS: Final = 60_000


def stage_specs(
    log_dir: Path, environ: Mapping[str, str], host: str, port: int, arguments: Sequence[str] = ()
) -> list[ChildSpec]:
    """Return one process per stage.

    Args:
        log_dir: Gets one log per stage.
        environ: Where the server is, as ``BAROGRAPH_…`` variables.
        host: Where the console listens.
        port: Where the console listens.
        arguments: Given to every stage.
    """
    log_dir.mkdir(parents=True, exist_ok=True)
    console_flags = ("--host", host, "--port", str(port))
    return [
        ChildSpec(
            name=stage,
            module=f"barograph_{stage}",
            argv=(*arguments, *(console_flags if stage == CONSOLE else ())),
            log=log_dir / f"{stage}.log",
            environ=environ,
        )
        for stage in (*WORKERS, CONSOLE)
    ]


def local_url(host: str, port: int) -> str:
    """Return the URL at which this machine reaches a server that listens on ``host``."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104  # compared with, not listened on
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Readiness:
    """Waits until children have started, while the supervisor looks after them."""

    def __init__(self, supervisor: Supervisor, clock: Clock, stop: threading.Event) -> None:
        self._supervisor = supervisor
        self._clock = clock
        self._stop = stop
        self._http = urllib3.PoolManager(timeout=urllib3.Timeout(total=1.0), retries=False)

    def wait(self, children: Sequence[Child], answers: Mapping[str, str]) -> bool:
        """Wait until each child has said that it is ready, or answers over HTTP.

        Args:
            children: What was started.
            answers: Name of a child to the URL at which it answers when it is ready.

        Returns:
            Whether all are ready; ``False`` when asked to stop before.

        Raises:
            CommandError: One is not ready within 60 s, or its settings are wrong. The message holds the end of its log.
        """
        deadline_ms = self._clock.monotonic_ms() + READY_TIMEOUT_MS
        waiting = list(children)
        while waiting:
            waiting = [child for child in waiting if not self._is_ready(child, answers.get(child.spec.name, ""))]
            self._supervisor.check()
            if waiting and self._clock.monotonic_ms() > deadline_ms:
                late = waiting[0].spec
                raise CommandError(f"{late.name} is not ready after 60 s; its log ends with\n{log_tail(late.log)}")
            if self._stop.wait(0.1 if waiting else 0):
                return False
        return True

    def _is_ready(self, child: Child, url: str) -> bool:
        if not url:
            return child.is_ready.is_set()
        try:
            return self._http.request("GET", url).status < 500
        except urllib3.exceptions.HTTPError:
            return False
