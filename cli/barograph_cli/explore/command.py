"""``barograph explore``: serves the analysis page on this machine."""

import argparse
import os
import sys
from pathlib import Path
from typing import Final

from barograph_cli.command_line import python_module
from barograph_cli.explore.theme import streamlit_options
from barograph_cli.failure import CommandError
from barograph_cli.local.ports import free_port, is_port_free
from barograph_cli.rest.source import TOKEN_VARIABLE, add_source_arguments, read_source, source_environment

HOST: Final = "127.0.0.1"
_USUAL_PORT: Final = 8501
_APP: Final = Path(__file__).with_name("app.py")
# Whoever opens the page sees what the token may read: it listens on loopback, and only pages under these names may
# connect to it, so that no other site can through a browser.
_OPTIONS: Final = (
    f"--server.address={HOST}",
    "--server.fileWatcherType=none",
    "--server.runOnSave=false",
    "--server.allowedHosts=127.0.0.1",
    "--server.allowedHosts=localhost",
    "--server.showEmailPrompt=false",
    "--browser.gatherUsageStats=false",
    # A traceback in the page could hold what no viewer should read; it is in the log.
    "--client.showErrorDetails=none",
    "--client.showErrorLinks=false",
    "--client.toolbarMode=viewer",
    "--ui.hideTopBar=true",
    "--logger.hideWelcomeMessage=true",
    "--logger.level=warning",
)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of ``barograph explore``."""
    parser = argparse.ArgumentParser(
        prog="barograph explore",
        description="Serve a page for analysis over the console's REST API, on this machine. "
        f"A token that may read comes from {TOKEN_VARIABLE} or a file.",
    )
    add_source_arguments(parser)
    parser.add_argument("--port", type=_port, help=f"port of the page (default {_USUAL_PORT}, or a free one)")
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65_535:
        raise argparse.ArgumentTypeError("must be 0 to 65535")
    return port


def run(argv: list[str]) -> int:
    """Run ``barograph explore``: this process becomes Streamlit, so that signals reach it."""
    arguments = make_parser().parse_args(argv)
    # The page reads its environment. Others on this machine can read arguments, so nothing is passed there.
    environ = source_environment(arguments, os.environ)
    source = read_source(environ)
    port = _chosen_port(arguments.port)
    print(f"The analysis page of {source.url}: http://{HOST}:{port}", flush=True)
    os.execve(sys.executable, streamlit_command(port, is_opened=arguments.open), environ)  # noqa: S606 - no shell


def streamlit_command(port: int, *, is_opened: bool) -> list[str]:
    """Return the command that serves the page. A configuration of Streamlit's own does not overrule its options."""
    return python_module(
        "streamlit",
        "run",
        str(_APP),
        f"--server.port={port}",
        f"--server.headless={str(not is_opened).lower()}",
        *_OPTIONS,
        *streamlit_options(),
    )


def _chosen_port(asked: int | None) -> int:
    if asked == 0:
        return free_port()
    port = _USUAL_PORT if asked is None else asked
    if is_port_free(HOST, port):
        return port
    if asked is None:
        return free_port()
    raise CommandError(f"port {port} of {HOST} is taken; --port 0 takes a free one")
