"""Reads the ``[[route]]`` entries of the configuration, and names every mistake."""

from collections.abc import Mapping

from barograph_core.alerts.record import Severity
from barograph_core.errors import Problem
from barograph_core.settings.config_file import ConfigFile, suggestion
from barograph_core.settings.table_entry import TableEntry
from barograph_notifier.channel import DEFAULT_CHANNEL
from barograph_notifier.routing.route import Route
from barograph_notifier.routing.routing import Routing
from barograph_notifier.routing.times import Times
from barograph_notifier.routing.times_reading import parse_times


def parse_routes(config: ConfigFile, problems: list[Problem]) -> Routing:
    """Return the routes without mistakes, and append every mistake to ``problems``.

    A configuration without routes has one, which sends everything to every channel.
    """
    times = parse_times(config, problems)
    channels = [str(table.get("name", "")) for table in config.tables("channel")] or [DEFAULT_CHANNEL]
    if not config.tables("route"):
        return Routing([Route(channels=tuple(channels))], channels)
    routes: list[Route] = []
    taken: dict[str, Route | None] = {}
    for number, entry in enumerate(TableEntry.all_of(config, "route", problems), start=1):
        route = _read(entry, number, taken, times, channels)
        if route is not None:
            routes.append(route)
    return Routing(routes, channels)


def _read(
    entry: TableEntry, number: int, taken: dict[str, Route | None], times: Mapping[str, Times], channels: list[str]
) -> Route | None:
    name = entry.name(set(taken)) if entry.is_given("name") else ""
    under = _parent(entry, taken)
    severity = entry.choice("min_severity", [item.value for item in Severity], default=Severity.INFO.value)
    named = entry.texts("channels", is_required=under is None)
    route = Route(
        number=number,
        name=name,
        under=under,
        min_severity=Severity(severity),
        services=entry.matcher("services"),
        rules=entry.matcher("rules"),
        labels=entry.matchers("labels"),
        channels=named or (under.channels if under else ()),
        continues=entry.flag("continue"),
        is_otherwise=entry.flag("otherwise"),
        active=_named_times(entry, "active", times),
        mute=_named_times(entry, "mute", times),
    )
    for channel in named:
        if channel not in channels:
            entry.add_problem("channels", f"{channel!r} is not a channel{suggestion(channel, channels)}")
    if route.is_otherwise and entry.is_given("under"):
        entry.add_problem(
            "otherwise", "is for what no route takes, and cannot stand with 'under': leave one of them out"
        )
    entry.add_unknown_keys()
    read = None if entry.has_problems else route
    if name:
        taken[name] = read
    return read


def _parent(entry: TableEntry, taken: Mapping[str, Route | None]) -> Route | None:
    """Return the route that the entry is under; it must stand before, so that there is no circle."""
    name = entry.text("under")
    if name and name not in taken:
        entry.add_problem("under", f"{name!r} is not the name of a route before this one{suggestion(name, taken)}")
    parent = taken.get(name)
    if parent and parent.is_otherwise:
        entry.add_problem("under", f"{name!r} is for what no route takes; a route under it would never be tried")
        return None
    return parent


def _named_times(entry: TableEntry, key: str, times: Mapping[str, Times]) -> tuple[Times, ...]:
    names = entry.texts(key)
    for name in names:
        if name not in times:
            entry.add_problem(key, f"{name!r} is not the name of a [[times]]{suggestion(name, times)}")
    return tuple(times[name] for name in names if name in times)
