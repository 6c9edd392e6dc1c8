"""``barograph notify forget``: deletes what a channel left that no configuration has any more."""

import argparse
import json
import os

from barograph_cli.failure import DONE, FAILED, USAGE, CommandError
from barograph_cli.options import add_server_arguments, read_server_options, read_shards
from barograph_core.events.kinds import is_service_name
from barograph_notifier.outbox.forgetting import ChannelInUseError, ForgettingChannel


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``barograph notify forget``."""
    parser.add_argument("name", metavar="NAME", help="the channel's name")
    add_server_arguments(parser)
    parser.add_argument("--yes", action="store_true", help="also if notifications wait; each is recorded as suppressed")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run ``barograph notify forget``."""
    name = arguments.name
    if not is_service_name(name):
        raise CommandError(f"{name!r} is not the name of a channel", USAGE)
    options = read_server_options(arguments, os.environ)
    if any(table.get("name") == name for table in options.config.tables("channel")):
        raise CommandError(f"{name!r} is a channel of {options.config.path}: take it out, and restart the notifiers")
    connection = options.connect("barograph-notify-forget")
    channels = [ForgettingChannel(connection, keys, name) for keys in read_shards(connection, options.server)]
    try:
        found = [channel.look() for channel in channels]
        if not any(one.is_known for one in found):
            raise CommandError(f"nothing is known of a channel {name!r}")
        waiting = sum(one.waiting for one in found)
        if waiting and not arguments.yes:
            raise CommandError(f"{_count(waiting, 'notification')} of {name!r} still wait: --yes drops them", FAILED)
        done = [channel.forget() for channel in channels]
    except ChannelInUseError as error:
        raise CommandError(str(error)) from error
    alerts, dropped = sum(one.alerts for one in done), sum(one.waiting for one in done)
    if arguments.json:
        print(json.dumps({"channel": name, "alerts": alerts, "dropped": dropped}))
    else:
        drops = f", and dropped {_count(dropped, 'notification')}" if dropped else ""
        print(f"{name}: forgot what it remembered of {_count(alerts, 'alert')}{drops}")
    return DONE


def _count(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
