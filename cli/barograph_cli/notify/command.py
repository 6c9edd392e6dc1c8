"""``barograph notify``: the channels and routes of the configuration."""

import argparse
from collections.abc import Callable
from typing import Final

from barograph_cli.command_line import parse_action
from barograph_cli.notify import forget, preview, route, samples

_ACTIONS: Final[
    dict[str, tuple[str, Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int]]]
] = {
    "test": (
        "send a marked sample through channels and print what came back; needs no server",
        samples.add_arguments,
        samples.run,
    ),
    "preview": (
        "print what each channel would send about an alert, its templates filled in; sends nothing, needs no server",
        preview.add_arguments,
        preview.run,
    ),
    "forget": (
        "delete what a channel left that no configuration has any more: its group, its outbox, its memory",
        forget.add_arguments,
        forget.run,
    ),
    "route": (
        "print where an alert goes at a moment, and what each route says of it; needs no server",
        route.add_arguments,
        route.run,
    ),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="barograph notify", description="The channels and routes of the configuration."
    )
    actions = parser.add_subparsers(dest="action", required=True)
    for name, (text, add_arguments, _) in _ACTIONS.items():
        add_arguments(actions.add_parser(name, help=text, description=text))
    return parser


def run(argv: list[str]) -> int:
    """Run ``barograph notify``."""
    arguments = parse_action(_parser(), argv)
    return _ACTIONS[arguments.action][2](arguments)
