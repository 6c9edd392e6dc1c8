"""``barograph up``: the whole pipeline on this machine, with a server of its own unless one is named."""

import argparse
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from barograph_cli.check import find_all_problems
from barograph_cli.failure import DONE, CommandError
from barograph_cli.options import ServerOptions, add_server_arguments, read_server_options
from barograph_cli.server import Server, open_server
from barograph_cli.stages import CONSOLE, Readiness, free_port, is_port_free, local_url, stage_specs
from barograph_cli.state_dir import default_state_dir, prepare_state_dir
from barograph_cli.supervisor import Supervisor
from barograph_console.settings import ConsoleSettings
from barograph_core.clock import Clock, SystemClock
from barograph_core.errors import SettingsError
from barograph_core.settings import DEFAULT_URL, build_settings, hide_password
from barograph_core.worker import stop_on_signals

LOG_DIR: Final = "logs"
_CHECK_EVERY_S: Final = 0.25
# Where producers, examples and the other commands look for a server when nobody names one.
_USUAL_PORT: Final = urlsplit(DEFAULT_URL).port or 0


class Say:
    """Prints a line at once, also into a pipe."""

    def __call__(self, text: str) -> None:
        print(text, flush=True)


def is_server_named(arguments: argparse.Namespace, environ: Mapping[str, str], options: ServerOptions) -> bool:
    """Say whether flag, environment or file name a server: then none is embedded."""
    return bool(arguments.url or environ.get("BAROGRAPH_URL") or "url" in options.config.table("server"))


def _tell(server: Server, console_url: str, state_dir: Path, say: Say) -> None:
    url, embedded = server.settings.url, server.embedded
    adopted = " (found running)" if embedded is not None and embedded.is_adopted else ""
    say(
        f"barograph is up: console {console_url}   server {hide_password(url)}{adopted}   "
        f"state {state_dir}   Ctrl-C stops it"
    )
    if embedded is not None and url != DEFAULT_URL:
        say(f"the server is not on port {_USUAL_PORT}: tell producers and other commands where they find it, by")
        say(f"export BAROGRAPH_URL={url}")


def _serve(server: Server, options: ServerOptions, console: ConsoleSettings, state_dir: Path, clock: Clock) -> int:
    # SIGHUP: the terminal was closed, the same as Ctrl-C.
    say, stop = Say(), stop_on_signals(signal.SIGHUP)
    port = console.port or free_port()
    supervisor = Supervisor(clock, say, say)
    try:
        specs = stage_specs(state_dir / LOG_DIR, server.environ(options.config.path), console.host, port)
        url = local_url(console.host, port)
        children = supervisor.start(specs)
        if Readiness(supervisor, clock, stop).wait(children, {CONSOLE: f"{url}/livez"}):
            _tell(server, url, state_dir, say)
        while not stop.wait(_CHECK_EVERY_S):
            server.revive(say)
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
    state_dir = prepare_state_dir(arguments.state_dir or default_state_dir(os.environ, Path.home()))
    clock = SystemClock()
    is_named = is_server_named(arguments, os.environ, options)
    server = open_server(options.server, state_dir, is_named=is_named, clock=clock, wanted_port=_USUAL_PORT)
    try:
        return _serve(server, options, console, state_dir, clock)
    finally:
        server.stop()
