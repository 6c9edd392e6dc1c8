"""``barograph alerts report``: reads the alerts streams of a span, and prints what became of each rule's alerts."""

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from barograph_cli.command_line import parse_action
from barograph_cli.failure import DONE, USAGE, CommandError
from barograph_cli.look.status_account import make_table
from barograph_cli.options import add_server_arguments, read_server_options, read_shards
from barograph_cli.report.rules import RuleReport, report_rules
from barograph_core.alerts.transition import Transition, is_about_alert
from barograph_core.clock import SystemClock
from barograph_core.errors import MalformedEventError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_entries
from barograph_core.text.ages import format_age
from barograph_core.text.one_line import one_line
from barograph_core.text.timestamps import format_timestamp, parse_timestamp

_PAGE: Final = 1_000
_DAY_MS: Final = 86_400_000
_DURATION: Final = re.compile(r"(?:[0-9]+(?:d|h|m|s|ms))+", re.ASCII)
# More of its episodes than this share were gone before anyone could have done something.
_NOISY_RATIO: Final = 0.5


@dataclass(frozen=True, slots=True)
class Span:
    """The time that is reported on, ``[from_ms, to_ms)``, wall time."""

    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class Read:
    """What the streams hold of a span.

    Attributes:
        transitions: The oldest first.
        unreadable: How many entries could not be read.
        oldest_ms: When the oldest entry that is kept was written; ``None`` when the streams are empty.
    """

    transitions: list[Transition]
    unreadable: int
    oldest_ms: int | None


def read_span(connection: Connection, shards: Sequence[ShardKeys], span: Span, service: str) -> Read:
    """Return the entries of a span, of one service unless ``service`` is empty."""
    transitions: list[Transition] = []
    unreadable = 0
    oldest: list[int] = []
    for keys in shards:
        oldest += [entry.id.ms for entry in as_entries(connection.command("XRANGE", keys.alerts, "-", "+", "COUNT", 1))]
        for fields in _entries(connection, keys.alerts, span):
            if not is_about_alert(fields):
                continue
            try:
                transition = Transition.from_fields(fields)
            except MalformedEventError:
                unreadable += 1
                continue
            if service in ("", transition.service):
                transitions.append(transition)
    transitions.sort(key=lambda one: one.at_ms)
    return Read(transitions, unreadable, min(oldest, default=None))


def _entries(connection: Connection, key: str, span: Span) -> Iterator[Mapping[bytes, bytes]]:
    start = str(span.from_ms)
    while True:
        found = as_entries(connection.command("XRANGE", key, start, f"({span.to_ms}", "COUNT", _PAGE))
        yield from (entry.fields for entry in found)
        if len(found) < _PAGE:
            return
        start = f"({found[-1].id}"


def print_report(reports: Sequence[RuleReport], read: Read, span: Span, service: str) -> None:
    """Print the report for people."""
    screen = Console(highlight=False)
    days = max((span.to_ms - span.from_ms) / _DAY_MS, 1 / 24)
    episodes, told = sum(one.episodes for one in reports), sum(one.told for one in reports)
    of = f" of {one_line(service, 64)}" if service else ""
    head = f"{episodes:,} alerts{of} fired, and {told:,} messages were due: {told / days:.1f} a day"
    screen.print(Text(head, "bold"))
    screen.print(Text(f"from {format_timestamp(span.from_ms)} to {format_timestamp(span.to_ms)}", "dim"))
    if reports:
        screen.print(_table(reports))
    for line in _notes(reports, read, span):
        screen.print(Text(line, "yellow"))


def _table(reports: Sequence[RuleReport]) -> Table:
    table = make_table(
        "", "rule", "severity", "fired:r", "told:r", "acked:r", "to ack:r", "to resolve:r", "by hand:r", "still on:r",
        "gone in 1 min:r", "most in",
    )  # fmt: skip
    for one in reports:
        is_noisy = one.brief_ratio is not None and one.brief_ratio > _NOISY_RATIO
        table.add_row(
            escape(one_line(one.rule, 60)),
            one.severity,
            *(f"{number:,}" for number in (one.episodes, one.told, one.acked)),
            _age(one.ack_ms),
            _age(one.resolve_ms),
            *(f"{number:,}" for number in (one.by_hand, one.firing)),
            Text("-" if one.brief_ratio is None else f"{one.brief_ratio * 100:.0f} %", "yellow" if is_noisy else ""),
            escape(one_line(one.busiest, 40)),
        )
    return table


def _notes(reports: Sequence[RuleReport], read: Read, span: Span) -> Iterator[str]:
    if read.oldest_ms is not None and read.oldest_ms > span.from_ms:
        yield f"The alerts stream begins at {format_timestamp(read.oldest_ms)}: what was before is not kept."
    if read.unreadable:
        yield f"{read.unreadable:,} entries cannot be read and are not counted."
    noisy = [one.rule for one in reports if one.brief_ratio is not None and one.brief_ratio > _NOISY_RATIO]
    if noisy:
        names = ", ".join(one_line(rule, 60) for rule in noisy[:5])
        yield f"Most alerts of {names} were gone within a minute, unacknowledged: a longer `for` would tell less."


def _age(ms: float | None) -> str:
    return "-" if ms is None else format_age(ms)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="barograph alerts", description="What became of alerts.")
    actions = parser.add_subparsers(dest="action", required=True)
    report = actions.add_parser("report", help="per rule: how often it fired, how soon people came, how soon it ended")
    add_server_arguments(report)
    report.add_argument("--since", default="7d", help="its begin: 7d (ago), or a time as in queries")
    report.add_argument("--until", default="now", help="its end, likewise (now)")
    report.add_argument("--service", default="", help="only of this service")
    report.add_argument("--json", action="store_true", help="one JSON document")
    return parser


def _span(arguments: argparse.Namespace, now_ms: int) -> Span:
    moments: list[int] = []
    for flag, text in (("--since", str(arguments.since)), ("--until", str(arguments.until))):
        try:
            # People write 7d for what is -7d in queries, and a command line takes -7d for an option.
            moments.append(parse_timestamp(f"-{text}" if _DURATION.fullmatch(text) else text, now_ms))
        except ValueError as error:
            raise CommandError(f"{flag}: {error}", USAGE) from error
    if moments[0] >= moments[1]:
        raise CommandError("--since must lie before --until", USAGE)
    return Span(*moments)


def run(argv: list[str]) -> int:
    """Run ``barograph alerts``."""
    arguments = parse_action(_parser(), argv)
    span = _span(arguments, SystemClock().now_ms())
    options = read_server_options(arguments, os.environ)
    connection = options.connect("barograph-alerts")
    try:
        read = read_span(connection, read_shards(connection, options.server), span, arguments.service)
    finally:
        connection.close()
    reports = report_rules(read.transitions, span.from_ms)
    if arguments.json:
        document = {**asdict(span), "oldest_ms": read.oldest_ms, "unreadable": read.unreadable}
        json.dump({**document, "rules": [asdict(one) for one in reports]}, sys.stdout, indent=1)
        print()
    else:
        print_report(reports, read, span, arguments.service)
    return DONE
