"""Splits a command line at the command's name, parses subcommands, and makes command lines of further Pythons."""

import argparse
import sys
from collections.abc import Sequence
from typing import Final

# Options of `add_server_arguments`. The command of a base install cannot import it; a test compares the two.
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


def python_module(module: str, *argv: str) -> list[str]:
    """Return the command line that runs ``module`` with this Python.

    Unlike ``python -m`` it does not look for modules in the current folder first: that may be a download, a checkout
    or /tmp, with a ``psutil.py`` of somebody else. The `barograph` command itself does not look there either.
    """
    return [sys.executable, "-P", "-m", module, *argv]
