"""The start and end of every worker process: arguments, settings, logs, signals, the library."""

import argparse
import json
import logging
import os
import queue
import re
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from barograph_core.errors import BarographError, Problem, SettingsError
from barograph_core.functions.library import ensure_library
from barograph_core.log_limit import ONCE, LogLimit
from barograph_core.server.connection import Connection
from barograph_core.settings.config_file import ConfigFile, load_config
from barograph_core.settings.load import add_arguments, build_settings, describe
from barograph_core.settings.server import ServerSettings
from barograph_core.text.one_line import safe_lines
from barograph_core.workers.repeat_filter import RepeatFilter

log = logging.getLogger(__name__)

T = TypeVar("T")
_RETRY_S = 0.5
_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON: the message is the name of an event, the facts are fields."""

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
    """The settings with which a stage's ``main`` starts.

    Attributes:
        server: The section ``[server]``.
        stage: The stage's own section.
        name: The consumer name of this worker, unique among all past and present workers.
    """

    server: ServerSettings
    stage: T
    config: ConfigFile
    environ: Mapping[str, str]
    name: str


def begin(stage: str, argv: Sequence[str] | None, settings_class: type[T]) -> Start[T]:
    """Parse arguments and settings of a worker, and turn its logs into JSON lines on standard error.

    Raises:
        SettingsError: Flags, environment or file have mistakes; the error names all of them.
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
    handler.addFilter(RepeatFilter())
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
    host = re.sub("[^A-Za-z0-9._-]", "-", socket.gethostname())
    return f"{host}:{os.getpid()}:{secrets.token_hex(4)}"


def wait_for_library(connection: Connection, stop: threading.Event) -> None:
    """Load the function library as soon as the server answers; return early when ``stop`` is set."""
    wait_for_server(lambda: ensure_library(connection), stop)


def wait_for_server(ask: Callable[[], T], stop: threading.Event) -> T | None:
    """Call ``ask`` until it raises no ``BarographError``, and return its result; ``None`` if ``stop`` is set first."""
    log_limit = LogLimit(ONCE)
    while not stop.is_set():
        try:
            return ask()
        except BarographError as error:
            if log_limit.allows("server.unavailable"):
                log.warning("server.unavailable", extra={"error": str(error)})
            stop.wait(_RETRY_S)
    return None


def stop_on_signals(*numbers: signal.Signals) -> threading.Event:
    """Return an event that SIGTERM, SIGINT or one of ``numbers`` sets. Call it in the main thread.

    A signal handler interrupts the main thread anywhere. Setting the event there deadlocks if the main thread is in
    ``Event.wait``, which holds the same lock. ``SimpleQueue.put`` is safe to call there.
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
    """Run ``main``; for wrong settings print them on standard error and return exit code 2."""
    try:
        return main()
    except SettingsError as error:
        print(safe_lines(f"wrong settings:\n{error}"), file=sys.stderr)  # noqa: T201 - for the person who started us
        return 2
