"""Where the options before a command's name end, and who takes them."""

import argparse

import pytest

from barograph_cli.command_line import VALUE_FLAGS, parse_action, split_argv
from barograph_cli.options import add_server_arguments


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    actions = parser.add_subparsers(dest="action", required=True)
    for name in ("list", "delete"):
        one = actions.add_parser(name)
        one.add_argument("name", nargs="?")
        add_server_arguments(one)
    return parser


def test_options_before_the_command_are_handed_to_it() -> None:
    argv = ["--url", "redis://h:1/0", "--json", "status", "--prefix", "x"]
    assert split_argv(argv) == (["--url", "redis://h:1/0", "--json"], ["status", "--prefix", "x"])


def test_every_option_of_the_server_is_known_to_take_a_value() -> None:
    """Else its value would be taken for the command."""
    parser = argparse.ArgumentParser(add_help=False)
    add_server_arguments(parser)
    assert sorted(VALUE_FLAGS) == sorted(vars(parser)["_option_string_actions"])


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--url", "u", "list"], ("list", None, "u", None)),
        (["delete", "web", "--url", "u"], ("delete", "web", "u", None)),
        (["--prefix", "delete", "list", "web"], ("list", "web", None, "delete")),
    ],
)
def test_a_subcommand_takes_the_options_that_stand_before_it(
    argv: list[str], expected: tuple[str, str | None, str | None, str | None]
) -> None:
    """The value of an option is never taken for the subcommand: to list is not to delete."""
    found = parse_action(_parser(), argv)
    assert (found.action, found.name, found.url, found.prefix) == expected


def test_options_without_a_subcommand_are_wrong_usage() -> None:
    with pytest.raises(SystemExit, match="2"):
        parse_action(_parser(), ["--url", "u"])
