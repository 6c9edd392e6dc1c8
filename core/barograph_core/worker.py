"""What every worker process shares: arguments, settings, logs, signals, the library, and an orderly end."""

import argparse
import json
import logging
import os
import queue
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from barograph_core.errors import BarographError, Problem, SettingsError
from barograph_core.library import ensure_library
from barograph_core.settings import (
    ConfigFile,
    ServerSettings,
    add_arguments,
    build_settings,
    describe,
    load_config,
)
from barograph_core.stream import Connection

log = logging.getLogger(__name__)

T = TypeVar("T")
_RETRY_S = 0.5
_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: the message is an event's name, the facts are fields."""

    def format(self, record: logging.LogRecord) -> str:
        facts: dict[str, object] = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        facts |= {name: value for name, value in vars(record).items() if name not in _STANDARD_FIELDS}
        if record.exc_info:
            facts["traceback"] = self.formatException(record.exc_info)
        return json.dumps(facts, default=str)


@dataclass(frozen=True, slots=True)
class Start(Generic[T]):
    """What a stage's ``main`` begins with.

    Attributes:
        server: The section ``[server]``.
        stage: The stage's own section.
        name: This worker's consumer name, unique among all workers there ever were.
    """

    server: ServerSettings
    stage: T
    config: ConfigFile
    environ: Mapping[str, str]
    name: str


def begin(stage: str, argv: Sequence[str] | None, settings_class: type[T]) -> Start[T]:
    """Parse arguments and settings of a worker, and turn its logs into JSON lines on standard error.

    Raises:
        SettingsError: With every mistake in flags, environment and file.
        SystemExit: ``--help``, or an unknown flag (2).
    """
    parser = argparse.ArgumentParser(prog=f"barograph {stage}", allow_abbrev=False)
    parser.add_argument("--config", help="settings file (BAROGRAPH_CONFIG; default ./barograph.toml if there is one)")
    parser.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    add_arguments(parser, ServerSettings)
    add_arguments(parser, settings_class, stage)
    options = parser.parse_args(argv)
    flags = {name: value for name, value in vars(options).items() if value is not None}
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=options.log_level.upper(), handlers=[handler], force=True)
    config = load_config(options.config, os.environ)
    problems: list[Problem] = []
    built: list[object] = []
    for cls, section in ((ServerSettings, "server"), (settings_class, stage)):
        try:
            built.append(build_settings(cls, section, flags, os.environ, config))
        except SettingsError as error:
            problems.extend(error.problems)
    if problems:
        raise SettingsError(problems)
    server, own = built
    assert isinstance(server, ServerSettings)  # noqa: S101 - narrows what build_settings returned
    assert isinstance(own, settings_class)  # noqa: S101
    log.info("worker.settings", extra={"stage": stage, "settings": {**describe(server), **describe(own)}})
    return Start(server, own, config, dict(os.environ), consumer_name())


def consumer_name() -> str:
    """Return ``host:pid:`` and 8 random hex digits: containers share host names and pid 1."""
    host = "".join(char if char.isalnum() or char in "._-" else "-" for char in socket.gethostname())
    return f"{host}:{os.getpid()}:{secrets.token_hex(4)}"


def wait_for_library(connection: Connection, stop: threading.Event) -> None:
    """Load the function library as soon as the server answers; returns early when ``stop`` is set."""
    wait_for_server(lambda: ensure_library(connection), stop)


def wait_for_server(ask: Callable[[], T], stop: threading.Event) -> T | None:
    """Return what ``ask`` returns, as soon as it raises no ``BarographError``; ``None`` when ``stop`` is set first."""
    has_complained = False
    while not stop.is_set():
        try:
            return ask()
        except BarographError as error:
            if not has_complained:
                log.warning("server.unavailable", extra={"error": str(error)})
                has_complained = True
            stop.wait(_RETRY_S)
    return None


def stop_on_signals(*numbers: signal.Signals) -> threading.Event:
    """Return an event that SIGTERM, SIGINT or one of ``numbers`` sets. Call it in the main thread.

    A handler runs in the middle of whatever the main thread does. Setting the event there deadlocks when that
    is ``Event.wait``, which holds the same lock; SimpleQueue.put is made to be called there.
    """
    stop = threading.Event()
    arrived: queue.SimpleQueue[int] = queue.SimpleQueue()

    def forward() -> None:
        arrived.get()
        stop.set()

    threading.Thread(target=forward, name="stop-on-signals", daemon=True).start()
    for number in {signal.SIGTERM, signal.SIGINT, *numbers}:
        signal.signal(number, lambda received, _frame: arrived.put(received))
    return stop


def guarded(main: Callable[[], int]) -> int:
    """Run ``main`` and turn wrong settings into lines on standard error and exit code 2."""
    try:
        return main()
    except SettingsError as error:
        print(f"wrong settings:\n{error}", file=sys.stderr)  # noqa: T201 - for the person who started us
        return 2
