"""Where the options before a command's name end, and the parsing of commands that have commands of their own."""

import argparse
from collections.abc import Sequence
from typing import Final

# Those of `add_server_arguments`, named here because the command of a base install cannot import it; a test compares.
VALUE_FLAGS: Final = ("--config", "--url", "--prefix", "--shards", "--keep")


def split_argv(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split the command line before the command's name.

    Returns:
        The options that stand before it, and the rest: ``--url X status -v`` gives ``[--url, X]``, ``[status, -v]``.
    """
    at = 0
    while at < len(argv) and argv[at].startswith("-"):
        at += 2 if argv[at] in VALUE_FLAGS else 1
    return list(argv[:at]), list(argv[at:])


def parse_action(parser: argparse.ArgumentParser, argv: Sequence[str]) -> argparse.Namespace:
    """Parse the command line of a command with subcommands.

    Options that stood before the command's name come first in ``argv``; the subcommands are the ones that take them.
    """
    options, rest = split_argv(argv)
    if not rest:
        return parser.parse_args(options)
    return parser.parse_args([rest[0], *options, *rest[1:]])
