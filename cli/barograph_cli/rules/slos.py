"""``barograph slo list``: what is left of each budget, as the console's ``/slos`` says it, read from the server."""

import argparse
import os
from collections.abc import Iterator
from contextlib import closing
from typing import Final

from rich.table import Table
from rich.text import Text

from barograph_cli.command_line import parse_action
from barograph_cli.failure import DONE, USAGE, CommandError
from barograph_cli.options import ServerOptions, add_server_arguments, read_server_options
from barograph_cli.respond.words import SEVERITY_STYLES, labels_text, safe, table_of, terminal
from barograph_console.slos.book import SloBook
from barograph_console.slos.models import SloRow, Slos
from barograph_console.slos.view import slos_document
from barograph_console.store.connection_pool import ConnectionPool
from barograph_console.store.redis_alerts import RedisAlerts
from barograph_console.store.redis_ports import RedisPanes
from barograph_console.store.redis_rules import RedisRules
from barograph_core.clock import SystemClock
from barograph_core.keyspace.layout import LayoutView
from barograph_core.text.ages import format_age
from barograph_core.text.durations import format_duration

_WAIT_S: Final = 30.0
_BAR: Final = 10
# Below this share a budget is low, and nothing but what must be is to be risked.
_LOW: Final = 0.25


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="barograph slo", description="Service level objectives and their budgets.")
    actions = parser.add_subparsers(dest="action", required=True)
    text = "what is left of each budget, how fast it burns, and when it is gone; the least first"
    one = actions.add_parser("list", help=text, description=text)
    one.add_argument("--service", default="", help="only of this service")
    add_server_arguments(one)
    one.add_argument("--json", action="store_true", help="print JSON: the answer of GET /api/v1/slos")
    return parser


def read_slos(options: ServerOptions, service: str) -> Slos:
    """Return the objectives of one service, or of all.

    Raises:
        CommandError: There is no such service.
        StreamUnavailableError: The server is gone.
    """
    clock, prefix = SystemClock(), options.server.prefix
    pool = ConnectionPool(lambda: options.connect("barograph-slo"), size=1, wait_s=_WAIT_S)
    with closing(pool):
        layouts = LayoutView(prefix, clock)
        panes = RedisPanes(pool, layouts, options.server.steps)
        if service and service not in panes.services():
            raise CommandError(f"nothing of a service {service!r} was ever closed: `barograph service list`", USAGE)
        statuses = SloBook(panes, RedisRules(pool, prefix, clock), clock).statuses(service)
        records = RedisAlerts(pool, layouts).records(sorted({one.service for one in statuses}))
    return slos_document(statuses, records, clock.now_ms())


def slo_table(rows: list[SloRow]) -> Table:
    """Return the objectives as a table."""
    table = table_of("objective", "service", "good", "at least:r", "budget left", "burn rate:r", "gone in:r", "alert")
    for row in rows:
        where = f"{row.service} ({labels_text(row.labels)})" if row.labels else row.service
        table.add_row(
            safe(row.name, 64, "bold"),
            safe(where),
            safe(row.good, 80),
            f"{row.objective * 100:.6g} %",
            _left(row),
            _burn(row),
            _gone(row),
            Text("") if row.alert is None else Text(row.alert.severity, SEVERITY_STYLES[row.alert.severity]),
        )
    return table


def _left(row: SloRow) -> Text:
    left = row.budget_left_ratio
    style = "red" if left <= 0 else "yellow" if left < _LOW else "green"
    full = round(max(0.0, min(1.0, left)) * _BAR)
    of = format_duration(row.period_ms)
    if not row.events:
        return Text(f"{'─' * _BAR} no events in {of}", "dim")
    return Text.assemble(("█" * full, style), ("─" * (_BAR - full), "dim"), f" {left * 100:.3g} % of {of}")


def _burn(row: SloRow) -> Text:
    if row.burn_rate is None:
        return Text("-", "dim")
    return Text(f"{row.burn_rate:.3g} ×", "yellow" if any(pair.is_burning for pair in row.windows) else "")


def _gone(row: SloRow) -> str:
    if row.exhausted_in_ms is None:
        return "-"
    return "spent" if row.exhausted_in_ms == 0 else format_age(row.exhausted_in_ms)


def _notes(found: Slos) -> Iterator[str]:
    """Yield what one must know to read the figures."""
    moved = [row for row in found.slos if not row.is_exact]
    for name, good, counted_at in sorted({(row.name, row.good, row.counted_at) for row in moved}):
        yield f"{name}: {good} is counted at {counted_at:.6g}, the nearest bound that the sketch tells apart"
    young = sorted({row.name for row in found.slos if row.events and row.covered_ratio < 0.95})
    if young:
        yield f"{', '.join(young)}: events of a part of the period only; the budget is that of these"
    if found.total > len(found.slos):
        yield f"{found.total - len(found.slos)} further label sets have more left"


def run(argv: list[str]) -> int:
    """Run ``barograph slo``."""
    arguments = parse_action(_parser(), argv)
    found = read_slos(read_server_options(arguments, os.environ), arguments.service)
    if arguments.json:
        print(found.model_dump_json())
        return DONE
    if not found.slos:
        print("No objective is about a service that there is: write [[slo]] in the alerter's configuration.")
        return DONE
    screen = terminal()
    screen.print(slo_table(found.slos))
    for note in _notes(found):
        screen.print(Text(note, "dim"))
    return DONE
