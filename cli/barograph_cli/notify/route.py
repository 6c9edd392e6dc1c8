"""``barograph notify route``: where an alert goes, and what each route says of it."""

import argparse
import json
import os
import sys
from collections.abc import Mapping
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table
from rich.text import Text

from barograph_alerter.rules.defaults import effective_rules
from barograph_cli.failure import DONE, FAILED, USAGE, CommandError
from barograph_cli.notify.asked_alert import AskedAlert, add_alert_arguments, asked_alert
from barograph_cli.options import add_server_arguments
from barograph_core.clock import SystemClock
from barograph_core.errors import Problem, SettingsError
from barograph_core.settings.config_file import ConfigFile, load_config
from barograph_core.text.one_line import one_line
from barograph_core.text.timestamps import format_timestamp, parse_timestamp
from barograph_notifier.routing.reading import parse_routes
from barograph_notifier.routing.route import Route
from barograph_notifier.routing.routing import Routing, Trial, Verdict

_STYLES: Mapping[Verdict, str] = {"takes": "bold green", "not now": "yellow", "does not match": "", "not tried": "dim"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``barograph notify route``."""
    add_alert_arguments(parser, needs_rule=True)
    parser.add_argument(
        "--at", default="now", help="when it fires: 2026-03-29T02:30+01:00, 'now', '-1h'; UTC by default"
    )
    add_server_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run ``barograph notify route``."""
    config = load_config(arguments.config, os.environ)
    problems: list[Problem] = []
    routing = parse_routes(config, problems)
    rules = effective_rules(config, problems, with_defaults=True)
    if problems:
        raise SettingsError(problems)
    alert, at_ms = asked_alert(arguments, rules), _moment(arguments.at)
    due = routing.channels_of(alert, at_ms)
    trials = routing.trials(alert, at_ms)
    if arguments.json:
        print(json.dumps(_to_plain(alert, at_ms, trials, due), ensure_ascii=False))
    else:
        _print(config, alert, at_ms, routing, trials, due)
    return DONE if due else FAILED


def _moment(text: str) -> int:
    try:
        return parse_timestamp(text, SystemClock().now_ms())
    except ValueError as error:
        raise CommandError(f"--at: {error}", USAGE) from error


def _to_plain(alert: AskedAlert, at_ms: int, trials: list[Trial], due: Mapping[str, int]) -> dict[str, object]:
    return {
        "alert": {
            "rule": alert.rule,
            "service": alert.service,
            "severity": alert.severity.value,
            "labels": dict(alert.labels),
        },
        "at": format_timestamp(at_ms),
        "routes": [
            {
                "route": trial.route.number,
                "name": trial.route.name,
                "verdict": trial.verdict,
                "reason": trial.reason,
                "channels": list(trial.route.channels),
            }
            for trial in trials
        ],
        "channels": [{"channel": name, "from": format_timestamp(from_ms)} for name, from_ms in sorted(due.items())],
    }


def _print(
    config: ConfigFile, alert: AskedAlert, at_ms: int, routing: Routing, trials: list[Trial], due: Mapping[str, int]
) -> None:
    zone = _zone_of(routing)
    console = Console(file=sys.stdout, soft_wrap=True, highlight=False)
    console.print(Text.assemble((one_line(str(alert)), "bold"), f", at {_shown(at_ms, zone)}"))
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("route", "", "channels", "why"):
        table.add_column(column, overflow="fold")
    for trial in trials:
        table.add_row(
            _name_of(config, trial.route),
            Text(trial.verdict, _STYLES[trial.verdict]),
            ", ".join(trial.route.channels),
            Text(one_line(trial.reason) or _held(trial.route, due, at_ms)),
        )
    console.print(table)
    if not due:
        console.print(Text("It reaches no channel: add a [[route]] with otherwise = true.", "bold red"))
    for name, from_ms in sorted(due.items(), key=lambda one: (one[1], one[0])):
        when = "at once" if from_ms == at_ms else f"from {_shown(from_ms, zone)} on, if it still fires"
        console.print(Text.assemble("→ ", (name, "bold green" if from_ms == at_ms else "bold yellow"), f" {when}"))


def _held(route: Route, due: Mapping[str, int], at_ms: int) -> str:
    is_held = any(due.get(channel, 0) != at_ms for channel in route.channels)
    return f"muted in {', '.join(times.name for times in route.mute)}" if is_held and route.mute else ""


def _name_of(config: ConfigFile, route: Route) -> Text:
    if config.path is None or not config.tables("route"):
        return Text("no [[route]]: everything")
    name = f"{route.number} {route.name}" if route.name else str(route.number)
    line = config.where("route", route.number - 1).rpartition(":")[2]
    return Text.assemble(name, (f"  line {line}", "dim"))


def _zone_of(routing: Routing) -> tzinfo:
    """Return the one zone of all times that routes name; UTC where they differ."""
    zones = {times.zone for route in routing.routes for times in (*route.active, *route.mute)}
    return zones.pop() if len(zones) == 1 else ZoneInfo("UTC")


def _shown(at_ms: int, zone: tzinfo) -> str:
    local = datetime.fromtimestamp(at_ms // 1_000, zone)
    return f"{local:%a %Y-%m-%d %H:%M:%S} {local.tzname()}"
