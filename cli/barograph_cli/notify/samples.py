"""``barograph notify test``: a marked sample through a channel, and what came back."""

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import asdict

from barograph_cli.failure import DONE, FAILED, USAGE, CommandError
from barograph_cli.options import add_server_arguments
from barograph_core.clock import SystemClock
from barograph_core.errors import Problem, SettingsError
from barograph_core.pipeline.channel_tests import TriedMessage
from barograph_core.settings.config_file import load_config, suggestion
from barograph_core.settings.load import build_settings
from barograph_core.text.ages import format_age
from barograph_core.text.one_line import one_line, safe_json
from barograph_notifier.channels.reading import ChannelSpec, parse_channels
from barograph_notifier.sending.trying import TriedChannel, try_channel
from barograph_notifier.settings import NotifierSettings


def send_samples(spec: ChannelSpec, settings: NotifierSettings) -> list[TriedMessage]:
    """Send the sample's beginning, and its end when the beginning was sent and the channel takes ends."""
    tried = TriedChannel(
        name=spec.name,
        channel=spec.channel,
        sends_resolved=spec.sends_resolved,
        timeout_s=(spec.timeout_ms or settings.timeout_ms) / 1_000,
        console_url=settings.console_url,
    )
    return try_channel(tried, SystemClock(), sent_by="barograph notify test")


def _line(channel: str, one: TriedMessage) -> str:
    line = f"{channel}  {one.status:8}  {one.result:7}  {format_age(one.took_ms):>8}"
    return f"{line}  {one_line(one.answer)}" if one.answer else line


def chosen_channels(channels: dict[str, ChannelSpec], names: Sequence[str]) -> list[ChannelSpec]:
    """Return the channels that the command line names, or all.

    Raises:
        CommandError: There is no such channel.
    """
    for name in names:
        if name not in channels:
            raise CommandError(f"{name!r} is not a channel{suggestion(name, list(channels))}", USAGE)
    return [channels[name] for name in names] if names else list(channels.values())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``barograph notify test``."""
    parser.add_argument("names", nargs="*", metavar="CHANNEL", help="default: every channel")
    add_server_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run ``barograph notify test``."""
    config = load_config(arguments.config, os.environ)
    settings = build_settings(NotifierSettings, "notifier", {}, os.environ, config)
    problems: list[Problem] = []
    channels = parse_channels(config, os.environ, problems)
    if problems:
        raise SettingsError(problems)
    rows: list[dict[str, object]] = []
    for spec in chosen_channels(channels, arguments.names):
        for one in send_samples(spec, settings):
            rows.append({"channel": spec.name, **asdict(one)})
            if not arguments.json:
                print(_line(spec.name, one), flush=True)
    if arguments.json:
        print(safe_json(json.dumps(rows, ensure_ascii=False)))
    return DONE if all(row["result"] == "sent" for row in rows) else FAILED
