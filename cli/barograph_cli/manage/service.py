"""``barograph service``: the services there are, and the end of one: it retires, or it is deleted."""

import argparse
import json
import os
import sys
from dataclasses import asdict
from typing import Final

from rich.console import Console
from rich.table import Table

from barograph_cli.command_line import parse_action
from barograph_cli.failure import DONE, FAILED, USAGE, CommandError
from barograph_cli.manage.service_command import Removed, Retired, ServiceCommand
from barograph_cli.options import ServerOptions, add_server_arguments, read_server_options
from barograph_core.events.kinds import is_service_name
from barograph_core.keyspace.layout import read_layout
from barograph_core.server.connection import Connection
from barograph_core.services.listing import ListedService, list_services
from barograph_core.text.ages import format_age

_DEFAULT_WAIT_S: Final = 10


def _confirm(service: str, arguments: argparse.Namespace) -> None:
    if arguments.yes:
        return
    if not sys.stdin.isatty():
        raise CommandError(f"this deletes everything of {service!r} for good: say --yes", USAGE)
    print(f"This deletes everything of {service!r} for good. Its name once more, to go on: ", end="", flush=True)
    if sys.stdin.readline().strip() != service:
        raise CommandError("nothing was deleted")


def _show(outcome: Retired | Removed) -> None:
    if isinstance(outcome, Retired):
        print(f"{outcome.service} is retired; alerts ended: {outcome.alerts_ended}.")
        print("Its panes stay until their retention ends. An event of it that comes later brings it back.")
        return
    print(f"{outcome.service} is deleted: {outcome.keys} keys.")
    words = "Entries deleted" if outcome.are_entries_deleted else "Entries left until trimmed"
    print(f"{words}: {', '.join(f'{name} {count}' for name, count in outcome.entries.items())}.")
    if not outcome.are_entries_deleted and any(outcome.entries.values()):
        print("They hold what its producers sent. To delete them too: the same command with --streams.")
    if outcome.waits_for:
        print(f"Not at its end: {outcome.waits_for}. What is unread is dropped as it is read; run it again then.")


def _print_list(services: list[ListedService]) -> None:
    table = Table(box=None, pad_edge=False)
    for title in ("service", "shard", "closed", "last event", "producers", "live", "alerts"):
        table.add_column(title, header_style="dim", justify="left" if title == "service" else "right", no_wrap=True)
    for one in services:
        heard = "-" if one.heard_age_ms is None else f"{format_age(one.heard_age_ms)} ago"
        closed = f"{format_age(one.closed_age_ms)} ago"
        table.add_row(one.service, one.shard, closed, heard, str(one.producers), str(one.live), str(one.alerts))
    Console(highlight=False).print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="barograph service", description="The services there are, and their end.")
    actions = parser.add_subparsers(dest="action", required=True)
    texts = {
        "list": "the services that are not retired",
        "retire": "the service says goodbye for good: it leaves the lists, its alerts end, its panes expire",
        "delete": "remove every key of the service: panes, series, parts, producers, alert state, cooldowns",
    }
    for action, text in texts.items():
        one = actions.add_parser(action, help=text, description=text)
        if action != "list":
            one.add_argument("name", metavar="NAME")
            one.add_argument(
                "--wait", type=float, default=_DEFAULT_WAIT_S, metavar="SECONDS",
                help="how long to wait for the aggregators (default 10)",
            )  # fmt: skip
        if action == "delete":
            one.add_argument("--yes", action="store_true", help="do not ask")
            one.add_argument("--streams", action="store_true", help="delete its entries on the streams too")
        add_server_arguments(one)
        one.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _act(connection: Connection, options: ServerOptions, arguments: argparse.Namespace) -> int:
    layout = read_layout(connection, options.server.prefix)
    if arguments.action == "list":
        services = [one for keys in layout.shards for one in list_services(connection, keys)]
        if arguments.json:
            print(json.dumps([asdict(one) for one in services]))
        else:
            _print_list(services)
        return DONE
    if not is_service_name(arguments.name):
        raise CommandError(f"{arguments.name!r} is not a service's name: 1 to 64 of A-Z a-z 0-9 . _ -", USAGE)
    command = ServiceCommand(connection, layout.keys_of(arguments.name), arguments.name, wait_s=arguments.wait)
    outcome: Retired | Removed
    if arguments.action == "retire":
        outcome = command.retire()
    else:
        _confirm(arguments.name, arguments)
        outcome = command.delete(is_with_streams=arguments.streams)
    if arguments.json:
        print(json.dumps(asdict(outcome)))
    else:
        _show(outcome)
    return DONE if isinstance(outcome, Retired) or not outcome.waits_for else FAILED


def run(argv: list[str]) -> int:
    """Run ``barograph service``."""
    arguments = parse_action(_parser(), argv)
    options = read_server_options(arguments, os.environ)
    connection = options.connect("barograph-service")
    try:
        return _act(connection, options, arguments)
    finally:
        connection.close()
