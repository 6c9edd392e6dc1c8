"""The configuration's ``[[channel]]`` and ``[[route]]`` entries, read with every mistake named."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from barograph_core.alerts import Severity
from barograph_core.clock import Clock, SystemClock
from barograph_core.config_file import ConfigFile, suggestion
from barograph_core.errors import Problem
from barograph_core.table_entry import TableEntry
from barograph_notifier.channel import Channel
from barograph_notifier.console_channel import ConsoleChannel
from barograph_notifier.plugin import PLUGIN_PREFIX, load_plugin
from barograph_notifier.routing import Route
from barograph_notifier.webhook_options import read_webhook

DEFAULT_CHANNEL: Final = "console"
_TYPES: Final = ("console", "webhook", f"{PLUGIN_PREFIX}module:Class")


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """One configured channel.

    Attributes:
        name: Unique; names the consumer group and the outbox.
        timeout_ms: Its own bound on an attempt, or ``None``.
    """

    name: str
    channel: Channel
    timeout_ms: int | None = None


def parse_channels(
    config: ConfigFile, environ: Mapping[str, str], problems: list[Problem], clock: Clock | None = None
) -> dict[str, ChannelSpec]:
    """Return the channels by name, those without mistakes; append every mistake to ``problems``.

    A configuration without channels has one: the console.

    Args:
        config: The configuration file.
        environ: For ``env:NAME``.
        problems: Grows.
        clock: Given to channels that need one.
    """
    found: dict[str, ChannelSpec] = {}
    taken: set[str] = set()
    for entry in TableEntry.all_of(config, "channel", problems, environ):
        name = entry.name(taken)
        timeout_ms = entry.duration_ms("timeout", minimum=100, maximum=120_000)
        channel = _read_channel(entry, clock or SystemClock())
        entry.complain_of_unknown_keys()
        if channel is not None and not entry.has_problems:
            found[name] = ChannelSpec(name, channel, timeout_ms)
    if not config.tables("channel"):
        found[DEFAULT_CHANNEL] = ChannelSpec(DEFAULT_CHANNEL, ConsoleChannel())
    return found


def _read_channel(entry: TableEntry, clock: Clock) -> Channel | None:
    kind = entry.text("type", is_required=True)
    if kind == "console":
        return ConsoleChannel()
    if kind == "webhook":
        return read_webhook(entry, clock)
    if kind.startswith(PLUGIN_PREFIX):
        return _read_plugin(entry, kind)
    # The other keys belong to a type we do not know: only the type is wrong.
    entry.take_rest()
    if kind:
        entry.complain("type", f"{kind!r} is not a channel type of this version{suggestion(kind, _TYPES)}")
    return None


def _read_plugin(entry: TableEntry, kind: str) -> Channel | None:
    options = entry.take_rest(are_secrets=True)
    if entry.has_problems:
        return None
    try:
        return load_plugin(kind, options)
    except ValueError as error:
        entry.complain("type", str(error))
    return None


def parse_routes(config: ConfigFile, problems: list[Problem]) -> tuple[Route, ...]:
    """Return the routes in order, those without mistakes; append every mistake to ``problems``.

    A configuration without routes has one: everything to every channel.
    """
    channels = [str(table.get("name", "")) for table in config.tables("channel")] or [DEFAULT_CHANNEL]
    if not config.tables("route"):
        return (Route(channels=tuple(channels)),)
    routes: list[Route] = []
    for entry in TableEntry.all_of(config, "route", problems):
        severity = entry.choice("min_severity", [item.value for item in Severity], default=Severity.INFO.value)
        route = Route(
            min_severity=Severity(severity),
            services=entry.texts("services"),
            rules=entry.texts("rules"),
            labels=entry.text_table("labels"),
            channels=entry.texts("channels", is_required=True),
            continues=entry.flag("continue"),
        )
        for name in route.channels:
            if name not in channels:
                entry.complain("channels", f"{name!r} is not a channel{suggestion(name, channels)}")
        entry.complain_of_unknown_keys()
        if not entry.has_problems:
            routes.append(route)
    return tuple(routes)
