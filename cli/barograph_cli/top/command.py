"""``barograph top``: one service live in the terminal."""

import argparse
import contextlib
import getpass
import os
import sys
from collections.abc import Sequence
from typing import Final

from rich.console import Console, RenderableType
from rich.layout import Layout
from rich.live import Live
from rich.text import Text

from barograph_cli.failure import DONE, FAILED
from barograph_cli.rest.client import ConsoleClient
from barograph_cli.rest.source import TOKEN_VARIABLE, add_source_arguments, read_source, source_environment
from barograph_cli.top.acting import Actions
from barograph_cli.top.feed import Feed
from barograph_cli.top.keyboard import read_keys, single_keys
from barograph_cli.top.rows import Alert
from barograph_cli.top.verdict import in_order
from barograph_cli.top.view import Choice, keys_line, render
from barograph_core.clock import Clock, SystemClock

_DRAW_EVERY_S: Final = 0.25
_ONCE_S: Final = 15.0
_PLAIN_WIDTH: Final = 100
_PLAIN_HEIGHT: Final = 60
_SERVICES: Final = {"tab": 1, "right": 1, "back-tab": -1, "left": -1}


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of ``barograph top``."""
    parser = argparse.ArgumentParser(
        prog="barograph top",
        description="Show one service live in this terminal, over the console's REST API and live connection. "
        f"A token that may read comes from {TOKEN_VARIABLE} or a file.",
    )
    parser.add_argument("service", nargs="?", default="", help="the service; Tab goes to the next (default: the first)")
    add_source_arguments(parser)
    parser.add_argument("--range", default="15m", help="what the courses span (default 15m)")
    parser.add_argument("--once", action="store_true", help="print the screen once and end; so it does in a pipe")
    return parser


def run(argv: list[str]) -> int:
    """Run ``barograph top``."""
    arguments = make_parser().parse_args(argv)
    source = read_source(source_environment(arguments, os.environ))
    screen = Console()
    client = ConsoleClient(source, "top")
    with Feed(client, SystemClock(), arguments.service, arguments.range) as feed:
        if arguments.once or not (screen.is_terminal and sys.stdin.isatty()):
            return _print_once(feed, SystemClock(), screen if screen.is_terminal else Console(width=_PLAIN_WIDTH))
        with contextlib.suppress(KeyboardInterrupt), single_keys(sys.stdin.fileno()):
            _watch(feed, client, SystemClock(), screen)
    return DONE


def _print_once(feed: Feed, clock: Clock, screen: Console) -> int:
    """Print the screen as soon as something is known, or why nothing is."""
    look = feed.wait(_ONCE_S)
    screen.print(render(look, Choice(), clock.now_ms(), screen.width, _PLAIN_HEIGHT, is_live=False))
    return FAILED if look.state is None else DONE


def _watch(feed: Feed, client: ConsoleClient, clock: Clock, screen: Console) -> None:
    """Draw four times a second, and at each key, until a person leaves."""
    choice = Choice()
    actions = Actions(client, getpass.getuser())
    with Live(console=screen, screen=True, auto_refresh=False) as live:
        while True:
            with feed.looking():
                look = feed.look()
                alerts = [] if look.state is None else in_order(look.state.alerts.values())
                body = render(look, choice, clock.now_ms(), screen.width, screen.height)
                live.update(_filled(body, keys_line(actions.said)), refresh=True)
            for key in read_keys(_DRAW_EVERY_S, sys.stdin.fileno()):
                if key == "q":
                    return
                if key in _SERVICES:
                    feed.step_service(_SERVICES[key])
                    choice = Choice()
                elif key == "a" and alerts:
                    actions.toggle(_chosen(alerts, choice))
                elif key == "s" and alerts:
                    actions.silence(_chosen(alerts, choice))
                else:
                    actions.said = ""
                    choice.press(key, [one.id for one in alerts])


def _chosen(alerts: Sequence[Alert], choice: Choice) -> Alert:
    """Return the alert that keys act on: the chosen one, or the first."""
    return next((one for one in alerts if one.id == choice.alert_id), alerts[0])


def _filled(body: RenderableType, keys: Text) -> RenderableType:
    """Return the screen with the keys on its last line, however long the body is."""
    layout = Layout()
    layout.split_column(Layout(body, name="body"), Layout(keys, name="keys", size=1))
    return layout
