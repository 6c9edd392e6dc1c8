"""Reads the ``[[channel]]`` entries of the configuration, and names every mistake."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from barograph_core.clock import Clock, SystemClock
from barograph_core.errors import Problem
from barograph_core.settings.config_file import ConfigFile, suggestion
from barograph_core.settings.table_entry import TableEntry
from barograph_notifier.channel import DEFAULT_CHANNEL, Channel
from barograph_notifier.channels.apprise import read_apprise
from barograph_notifier.channels.console import ConsoleChannel, read_console
from barograph_notifier.channels.email import read_email
from barograph_notifier.channels.grouping_options import read_grouping
from barograph_notifier.channels.pagerduty import read_pagerduty
from barograph_notifier.channels.plugin import PLUGIN_PREFIX, PluginMaker, installed_plugins, load_plugin, read_plugin
from barograph_notifier.channels.slack import read_slack
from barograph_notifier.channels.webhook_options import read_webhook
from barograph_notifier.outbox.grouping import PLAIN, Grouping
from barograph_notifier.posting.token_bucket import Rate, parse_rate
from barograph_notifier.wording.slack import escape
from barograph_notifier.wording.templates import NO_TEMPLATES, MessageTemplates, read_templates

# Reads the keys of one type, and returns the channel or None after recording what is wrong.
Reader: TypeAlias = Callable[[TableEntry, Clock], Channel | None]

READERS: Final[Mapping[str, Reader]] = {
    "console": read_console,
    "webhook": read_webhook,
    "email": read_email,
    "slack": read_slack,
    "pagerduty": read_pagerduty,
    "apprise": read_apprise,
}
DEFAULT_FALLBACK_AFTER_MS: Final = 300_000


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """One configured channel.

    Attributes:
        name: Unique; part of the names of the consumer group and the outbox.
        timeout_ms: The channel's own limit of an attempt, or ``None``.
        sends_resolved: Whether it sends resolutions.
        rate: How many messages it may send, or ``None`` for as many as there are.
        fallback: Name of the channel that gets firings which this one does not take; empty if none.
        fallback_after_ms: How long an attempt may keep failing before that.
        grouping: Which alerts share a message, when it is due, and when it is repeated.
        templates: Those of its messages.
        senders: How many messages of one notifier may be under way at a time, for each shard.
    """

    name: str
    channel: Channel
    timeout_ms: int | None = None
    sends_resolved: bool = True
    rate: Rate | None = None
    fallback: str = ""
    fallback_after_ms: int = DEFAULT_FALLBACK_AFTER_MS
    grouping: Grouping = PLAIN
    templates: MessageTemplates = NO_TEMPLATES
    senders: int = 1


def parse_channels(
    config: ConfigFile,
    environ: Mapping[str, str],
    problems: list[Problem],
    clock: Clock | None = None,
    make_plugin: PluginMaker = load_plugin,
) -> dict[str, ChannelSpec]:
    """Return the channels without mistakes by name, and append every mistake to ``problems``.

    A configuration without channels has one: the console. ``environ`` is for values of the form ``env:NAME``.
    With ``look_at_plugin`` as ``make_plugin`` nothing of a channel of one's own runs, and it is left out.
    """
    found: dict[str, ChannelSpec] = {}
    taken: set[str] = set()
    for entry in TableEntry.all_of(config, "channel", problems, environ):
        name = entry.name(taken)
        timeout_ms = entry.duration_ms("timeout", minimum=100, maximum=120_000)
        sends_resolved = entry.flag("send_resolved", default=True)
        rate, (fallback, after_ms) = _read_rate(entry), _read_fallback(entry, name, config)
        grouping = read_grouping(entry)
        templates = read_templates(entry, escape if entry.text("type") == "slack" else None)
        senders = entry.whole_number("senders", minimum=1, maximum=64)
        channel = _read_channel(entry, clock or SystemClock(), make_plugin)
        entry.add_unknown_keys()
        if channel is not None and not entry.has_problems:
            found[name] = ChannelSpec(
                name=name,
                channel=channel,
                timeout_ms=timeout_ms,
                sends_resolved=sends_resolved,
                rate=rate,
                fallback=fallback,
                fallback_after_ms=after_ms,
                grouping=grouping,
                templates=templates,
                senders=senders or int(getattr(channel, "senders", 1)),
            )
    if not config.tables("channel"):
        found[DEFAULT_CHANNEL] = ChannelSpec(DEFAULT_CHANNEL, ConsoleChannel())
    return found


def _read_rate(entry: TableEntry) -> Rate | None:
    text = entry.text("rate")
    try:
        return parse_rate(text) if text else None
    except ValueError as error:
        entry.add_problem("rate", str(error))
        return None


def _read_fallback(entry: TableEntry, name: str, config: ConfigFile) -> tuple[str, int]:
    """Return the fallback channel and how long a failure lasts before it; the chain of fallbacks must have an end."""
    fallback = entry.text("fallback")
    after_ms = entry.duration_ms("fallback_after", minimum=1_000, maximum=86_400_000)
    if not fallback:
        if after_ms is not None:
            entry.add_problem("fallback_after", 'goes with fallback = "another channel"')
        return "", DEFAULT_FALLBACK_AFTER_MS
    next_of = {str(table.get("name", "")): str(table.get("fallback", "")) for table in config.tables("channel")}
    if fallback not in next_of:
        entry.add_problem("fallback", f"{fallback!r} is not a channel{suggestion(fallback, list(next_of))}")
    passed, at = {name}, fallback
    while at and at not in passed:
        passed.add(at)
        at = next_of.get(at, "")
    if at:
        entry.add_problem("fallback", f"leads back to {at!r}: a chain of fallbacks must have an end")
    return fallback, DEFAULT_FALLBACK_AFTER_MS if after_ms is None else after_ms


def _read_channel(entry: TableEntry, clock: Clock, make_plugin: PluginMaker) -> Channel | None:
    kind = entry.text("type", is_required=True)
    reader = READERS.get(kind)
    if reader is not None:
        return reader(entry, clock)
    plugins = installed_plugins()
    if kind.startswith(PLUGIN_PREFIX) or kind in plugins:
        return read_plugin(entry, plugins.get(kind, kind), make_plugin)
    # The keys of an unknown type cannot be checked: report only the type.
    entry.take_rest()
    if kind:
        known = [*READERS, *plugins, f"{PLUGIN_PREFIX}module:Class"]
        entry.add_problem("type", f"{kind!r} is not a channel type of this version{suggestion(kind, known)}")
    return None
