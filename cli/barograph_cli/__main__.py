"""The `barograph` command: finds the command's module, and turns its outcome into an exit code.

Importing this module needs nothing but the standard library and core's errors, so that the command of a base
install can say what is missing.
"""

import errno
import io
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Final, Literal, Protocol, cast

from barograph_cli.command_line import split_argv
from barograph_cli.failure import DONE, FAILED, USAGE, CommandError
from barograph_core.errors import BarographError, SettingsError

Extra = Literal["server", "demo", "streamlit"]


class Command(Protocol):
    """Entry point of a command: takes its arguments and returns the exit code."""

    def __call__(self, argv: list[str], /) -> int: ...


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """One command.

    Attributes:
        module: Imported only when the command runs.
        function: Its entry point, ``(argv) -> exit code``.
        extra: What must be installed for it.
    """

    name: str
    help: str
    module: str
    function: str = "run"
    extra: Extra = "server"


COMMAND_GROUPS: Final[tuple[tuple[str, tuple[CommandEntry, ...]], ...]] = (
    (
        "See it work",
        (
            CommandEntry("demo", "watch a real ML API through an incident", "barograph_cli.demo.command", extra="demo"),
            CommandEntry("up", "run everything here, with a server of its own or --url", "barograph_cli.local.up"),
        ),
    ),
    (
        "Stages, one process each; run as many as you like",
        (
            CommandEntry("aggregator", "events -> windows", "barograph_aggregator.__main__", "main"),
            CommandEntry("alerter", "windows -> alerts", "barograph_alerter.__main__", "main"),
            CommandEntry("notifier", "alerts -> people", "barograph_notifier.__main__", "main"),
            CommandEntry(
                "console", "REST over windows and alerts, /metrics for Prometheus", "barograph_console.__main__", "main"
            ),
        ),
    ),
    (
        "The log as history",
        (
            CommandEntry(
                "replay", "panes rebuilt from the events log, into a new prefix", "barograph_cli.history.replay"
            ),
            CommandEntry("export", "events as JSON Lines or Parquet", "barograph_cli.history.export"),
            CommandEntry(
                "import", "such a file or an access log back, as a stream", "barograph_cli.history.import_events"
            ),
        ),
    ),
    (
        "On call",
        (
            CommandEntry("alert", "what fires: list, show, acknowledge, resolve", "barograph_cli.respond.alert"),
            CommandEntry("silence", "mute alerts for a time: add, list, expire", "barograph_cli.respond.silence"),
            CommandEntry("mark", "say what was done to a service: a deploy", "barograph_cli.respond.mark"),
            CommandEntry("alerts", "a report: what fired, how soon people came", "barograph_cli.report.command"),
            CommandEntry("slo", "objectives: budget left, burn rate, time left", "barograph_cli.rules.slos"),
        ),
    ),
    (
        "Look and check",
        (
            CommandEntry("status", "streams, lag, workers, producers, dead letters", "barograph_cli.look.status"),
            CommandEntry("top", "one service live in the terminal, over the console", "barograph_cli.top.command"),
            CommandEntry("tail", "the newest entries of a stream, decoded", "barograph_cli.look.tail"),
            CommandEntry(
                "explore",
                "a page for analysis over the console's REST",
                "barograph_cli.explore.command",
                extra="streamlit",
            ),
            CommandEntry("service", "the services there are; retire or delete one", "barograph_cli.manage.service"),
            CommandEntry("drill", "errors through everything: the time at each stage", "barograph_cli.drill.command"),
            CommandEntry("notify", "channels and routes: test, preview, route, forget", "barograph_cli.notify.command"),
            CommandEntry("dead", "what was given up: list, show, try again, drop", "barograph_cli.manage.dead"),
            CommandEntry("token", "tokens that open the console: make, list, revoke", "barograph_cli.manage.token"),
            CommandEntry("shards", "how services are spread over shards; change it", "barograph_cli.manage.shards"),
            CommandEntry(
                "check", "every mistake in the configuration, with line and key", "barograph_cli.manage.check"
            ),
            CommandEntry("rules", "rules before they page: check, test, backtest", "barograph_cli.rules.command"),
            CommandEntry("install", "load the function library into the server", "barograph_cli.manage.install"),
        ),
    ),
)
COMMANDS: Final = {entry.name: entry for _, entries in COMMAND_GROUPS for entry in entries}
_NEEDS: Final[dict[Extra, tuple[str, ...]]] = {
    "server": ("numpy", "fastapi", "uvicorn", "rich"),
    "demo": ("numpy", "fastapi", "uvicorn", "rich", "river"),
    "streamlit": ("streamlit", "altair", "urllib3"),
}


def usage() -> str:
    """Return the text of ``barograph --help``."""
    lines = [
        "usage: barograph [--url URL] [--config FILE] [--json] COMMAND [OPTIONS]",
        "",
        "Event-sourced monitoring and alerting for ML APIs over Redis Streams.",
    ]
    for title, entries in COMMAND_GROUPS:
        lines += ["", f"{title}:", *(f"  {entry.name:<12}{entry.help}" for entry in entries)]
    return "\n".join(
        [
            *lines,
            "",
            "Everywhere:",
            "  --url URL     server with the streams (BAROGRAPH_URL; default redis://127.0.0.1:6379/0)",
            "  --config FILE configuration (BAROGRAPH_CONFIG; default ./barograph.toml if there is one)",
            "  --json        figures as JSON, where figures are printed",
            "  --help        more about a command: barograph COMMAND --help",
            "  --version     print the version",
            "",
            "Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.",
        ]
    )


def missing_packages(extra: Extra) -> list[str]:
    """Return the packages of an extra that are not installed."""
    return [name for name in _NEEDS[extra] if find_spec(name) is None]


def installed_version() -> str:
    try:
        return version("barograph")
    except PackageNotFoundError:
        return "unknown (not installed)"


def main(argv: list[str]) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 wrong usage or configuration."""
    try:
        code = _command(argv)
        # A full disk shows only here where little was printed.
        print(end="", flush=True)
    except BrokenPipeError:
        # `barograph tail … | head`: the reader has gone.
        _drop_output()
        return DONE
    except OSError as error:
        _drop_output()
        _complain(f"barograph: {_sentence(error)}")
        return FAILED
    return code


def _command(argv: list[str]) -> int:
    options, rest = split_argv(argv)
    if "--version" in options or "-V" in options:
        print(f"barograph {installed_version()}")
        return DONE
    if "--help" in options or "-h" in options or rest[:1] == ["help"]:
        print(usage())
        return DONE
    if not rest:
        hint = "\n\nThis is a base install: pip install 'barograph[server]'" if missing_packages("server") else ""
        return _complain(usage() + hint)
    entry = COMMANDS.get(rest[0])
    if entry is None:
        return _complain(f"barograph: there is no command {rest[0]!r}{_did_you_mean(rest[0])}")
    missing = missing_packages(entry.extra)
    if missing:
        return _complain(
            f"barograph: `barograph {entry.name}` needs {', '.join(missing)}, "
            f"which a base install leaves out: pip install 'barograph[{entry.extra}]'"
        )
    return _run(entry, [*options, *rest[1:]])


def _run(entry: CommandEntry, argv: list[str]) -> int:
    try:
        return cast(Command, getattr(import_module(entry.module), entry.function))(argv)
    except SettingsError as error:
        return _complain("\n".join(str(problem) for problem in error.problems))
    except CommandError as error:
        _complain(f"barograph {entry.name}: {error}")
        return error.exit_code
    except BarographError as error:
        _complain(f"barograph {entry.name}: {error}")
        return FAILED
    except SystemExit as error:  # argparse
        return error.code if isinstance(error.code, int) else FAILED if error.code else DONE
    except KeyboardInterrupt:
        # Commands that end normally at Ctrl-C (the stages, `up`, `demo`, `tail -f`) catch the signal and return.
        _complain(f"barograph {entry.name}: stopped")
        return FAILED


def _sentence(error: OSError) -> str:
    """Return what the system refused. Commands name what they were about to do where they know it."""
    if error.filename is None and error.errno in (errno.ENOENT, errno.EACCES):
        return "the working directory is gone or cannot be read: change to another"
    what = f"{error.filename}: " if error.filename else "the output cannot be written: " if error.errno else ""
    return f"{what}{error.strerror or error}"


def _drop_output() -> None:
    """Send what is still to be printed nowhere: Python would complain again when it flushes at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _did_you_mean(word: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(word, COMMANDS, n=1)
    return f"; did you mean {close[0]!r}?" if close else "; see barograph --help"


def _complain(text: str) -> int:
    from barograph_core.text.one_line import safe_lines

    print(safe_lines(text), file=sys.stderr)
    return USAGE


def run() -> None:
    """Run the command line of this process: the console script."""
    for stream in (sys.stdout, sys.stderr):
        # Where the terminal's encoding has no such character, as in the locale C: shown as \\u2026, not a traceback.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
