"""Words that the commands about alerts and silences share. What comes from outside is safe for a terminal."""

import argparse
import getpass
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from barograph_cli.failure import USAGE, CommandError
from barograph_core.alerts.acknowledgement import Acknowledgement
from barograph_core.alerts.record import AlertRecord
from barograph_core.matching.label_matcher import LabelMatcher
from barograph_core.silences.silence import Silence
from barograph_core.text.ages import format_age
from barograph_core.text.durations import parse_duration_ms
from barograph_core.text.one_line import one_line
from barograph_core.text.timestamps import format_timestamp

STATE_STYLES: Final = {
    "firing": "bold red",
    "pending": "yellow",
    "acknowledged": "cyan",
    "silenced": "magenta",
    "resolved": "bold green",
    "inactive": "dim",
}
SEVERITY_STYLES: Final = {"critical": "bold magenta", "error": "bold red", "warning": "yellow", "info": "blue"}
_SHORT_ID: Final = 8
# A pipe has no width; what is cut there cannot be found any more.
_PIPE_WIDTH: Final = 10_000


def terminal() -> Console:
    """Return where tables are printed."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)


def table_of(*titles: str) -> Table:
    """Return an empty table; a title that ends with ``:r`` is of a column of numbers."""
    table = Table(box=None, pad_edge=False)
    for title in titles:
        name, _, side = title.partition(":")
        table.add_column(
            name,
            header_style="dim",
            overflow="fold",
            justify="right" if side else "left",
            no_wrap=name in ("id", "state", "severity"),
        )
    return table


def safe(text: str, limit: int = 200, style: str = "") -> Text:
    """Return text from outside, without markup or escapes."""
    return Text(one_line(text, limit), style)


def labels_text(labels: Mapping[str, str]) -> str:
    return one_line(", ".join(f"{name}={value}" for name, value in sorted(labels.items())), 300)


def matchers_text(matchers: Sequence[LabelMatcher]) -> str:
    return one_line(", ".join(map(str, matchers)), 300)


def moment_text(ms: int) -> str:
    """Return a time for a table: without what is below a second."""
    return format_timestamp(ms - ms % 1_000)


def short_id(long: str) -> Text:
    """Return the begin of an id, which the commands take for the whole."""
    return Text(long[:_SHORT_ID], "dim")


def value_text(record: AlertRecord) -> str:
    """Return value and limit, ``0.131 / 0.05``; empty without a value."""
    if record.value is None:
        return ""
    return f"{record.value:.4g}" + ("" if record.threshold is None else f" / {record.threshold:.4g}")


def ack_text(ack: Acknowledgement, now_ms: int) -> str:
    """Return ``by mira 3 min 2 s ago until …: rolling back``."""
    until = "" if ack.until_ms is None else f" until {moment_text(ack.until_ms)}"
    note = f": {one_line(ack.note, 200)}" if ack.note else ""
    return f"by {one_line(ack.actor, 64)} {format_age(max(0, now_ms - ack.at_ms))} ago{until}{note}"


def silence_text(silence: Silence) -> str:
    """Return ``5f0c… by mira until …: rolling back``."""
    until = "until resolved" if silence.ends_ms is None else f"until {moment_text(silence.ends_ms)}"
    comment = f": {one_line(silence.comment, 200)}" if silence.comment else ""
    return f"{silence.silence_id} by {one_line(silence.actor, 64)} {until}{comment}"


def add_person(parser: argparse.ArgumentParser, note: str) -> None:
    """Add ``--note`` and ``--by``."""
    parser.add_argument("--note", default="", metavar="TEXT", help=f"{note}; written to the alerts stream")
    parser.add_argument("--by", default="", metavar="NAME", help="who you are; default: your login name")


def person(arguments: argparse.Namespace) -> str:
    """Return who asks.

    Raises:
        CommandError: No one is named, and the login has no name.
    """
    try:
        return arguments.by or getpass.getuser()
    except (OSError, KeyError) as error:
        raise CommandError("--by: say who you are; this login has no name", USAGE) from error


def duration_ms(text: str, flag: str) -> int:
    """Return the milliseconds of a duration that is given with ``flag``.

    Raises:
        CommandError: It is none, or nothing.
    """
    try:
        lasts_ms = parse_duration_ms(text)
    except ValueError as error:
        raise CommandError(f"{flag}: {error}", USAGE) from error
    if not lasts_ms:
        raise CommandError(f"{flag}: it would be over at once", USAGE)
    return lasts_ms
