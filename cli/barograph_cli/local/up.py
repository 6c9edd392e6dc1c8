"""``barograph up``: the whole pipeline on this machine, with a server of its own unless one is named."""

import argparse
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from barograph_cli.failure import DONE, USAGE, CommandError
from barograph_cli.local.browser import open_page
from barograph_cli.local.ports import free_port, is_port_free
from barograph_cli.local.server import StreamServer, open_server
from barograph_cli.local.stages import CONSOLE, Readiness, local_url, stage_specs
from barograph_cli.local.state_dir import default_state_dir, prepare_state_dir
from barograph_cli.local.supervisor import Supervisor
from barograph_cli.manage.check import find_all_problems
from barograph_cli.options import ServerOptions, add_server_arguments, read_server_options
from barograph_console.settings import ConsoleSettings
from barograph_core.clock import Clock, SystemClock
from barograph_core.errors import SettingsError
from barograph_core.settings.load import build_settings
from barograph_core.settings.secrets import hide_password
from barograph_core.settings.server import DEFAULT_URL
from barograph_core.workers.process import stop_on_signals

LOG_DIR: Final = "logs"
_CHECK_EVERY_S: Final = 0.25
# Default port of producers, examples and the other commands.
_USUAL_PORT: Final = urlsplit(DEFAULT_URL).port or 0


def _say(text: str) -> None:
    # Flushed, so that a pipe gets each line at once.
    print(text, flush=True)


def is_server_named(arguments: argparse.Namespace, environ: Mapping[str, str], options: ServerOptions) -> bool:
    """Say whether flag, environment or file name a server: then none is embedded."""
    return bool(arguments.url or environ.get("BAROGRAPH_URL") or "url" in options.config.table("server"))


def _announce(server: StreamServer, console_url: str, state_dir: Path) -> None:
    url, embedded = server.settings.url, server.embedded
    adopted = " (found running)" if embedded is not None and embedded.is_adopted else ""
    lines = [
        f"barograph is up: {console_url}/   server {hide_password(url)}{adopted}   state {state_dir}   Ctrl-C stops it"
    ]
    if server.has_newer_library:
        lines.append("the server holds a newer function library than ours: of a newer barograph, or of a stranger")
    if embedded is not None and not embedded.is_protected:
        lines.append("every user of this machine can use the server; where there are others: barograph up --protect")
    if embedded is not None and url != DEFAULT_URL:
        why = "asks for a password" if embedded.is_protected else f"is not on port {_USUAL_PORT}"
        lines.append(f"the server {why}: tell producers and other commands where they find it, by")
        lines.append(f"export BAROGRAPH_URL={url}")
    # At once: who waits for the first line may read the others next.
    _say("\n".join(lines))


def _serve(
    server: StreamServer,
    options: ServerOptions,
    console: ConsoleSettings,
    state_dir: Path,
    clock: Clock,
    *,
    is_opened: bool,
) -> int:
    # SIGHUP: the terminal was closed, the same as Ctrl-C.
    stop = stop_on_signals(signal.SIGHUP)
    port = console.port or free_port()
    supervisor = Supervisor(clock, _say, _say)
    try:
        specs = stage_specs(state_dir / LOG_DIR, server.environ(options.config.path), console.host, port)
        url = local_url(console.host, port)
        children = supervisor.start(specs)
        if Readiness(supervisor, clock, stop).wait(children, {CONSOLE: f"{url}/livez"}):
            _announce(server, url, state_dir)
            if is_opened:
                open_page(f"{url}/", _say)
        while not stop.wait(_CHECK_EVERY_S):
            server.revive(_say)
            supervisor.check()
    finally:
        supervisor.stop()
    return DONE


def run(argv: list[str]) -> int:
    """Run ``barograph up`` until SIGTERM, SIGINT or SIGHUP."""
    parser = argparse.ArgumentParser(
        prog="barograph up",
        description="Run the whole pipeline here. Starts a server of its own unless one is named.",
    )
    add_server_arguments(parser)
    parser.add_argument("--host", help="where the console listens (default 127.0.0.1)")
    parser.add_argument("--port", help="where the console listens (default 8642)")
    parser.add_argument("--open", action="store_true", help="open the console's page in a browser")
    parser.add_argument("--protect", action="store_true", help="let the embedded server ask for a password")
    parser.add_argument("--state-dir", type=Path, help="data of the embedded server, and logs")
    arguments = parser.parse_args(argv)
    options = read_server_options(arguments, os.environ)
    problems = find_all_problems(options.config, os.environ)
    if problems:
        raise SettingsError(problems)
    flags = {"host": arguments.host, "port": arguments.port}
    console = build_settings(ConsoleSettings, "console", flags, os.environ, options.config)
    if console.port and not is_port_free(console.host, console.port):
        raise CommandError(f"{console.host}:{console.port} is in use: choose another port with --port")
    state_dir = prepare_state_dir(arguments.state_dir or default_state_dir(os.environ))
    clock = SystemClock()
    is_named = is_server_named(arguments, os.environ, options)
    if is_named and arguments.protect:
        raise CommandError("--protect is for the embedded server: let the one that is named ask for a password", USAGE)
    server = open_server(
        options.server,
        state_dir,
        is_named=is_named,
        clock=clock,
        wanted_port=_USUAL_PORT,
        is_protected=arguments.protect,
    )
    try:
        return _serve(server, options, console, state_dir, clock, is_opened=arguments.open)
    finally:
        server.stop()
