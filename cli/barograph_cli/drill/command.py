"""``barograph drill``: errors of the service ``_drill`` through everything, and the time at each stage and channel."""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from barograph_cli.drill.watch import DrillRecord, Watch
from barograph_cli.failure import DONE, FAILED, USAGE, CommandError
from barograph_cli.manage.service_command import Removed, ServiceCommand
from barograph_cli.options import add_server_arguments, read_server_options
from barograph_core.clock import SystemClock
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.keyspace.layout import read_layout
from barograph_core.server.connection import Connection, read_now
from barograph_core.text.ages import format_age
from barograph_core.text.durations import parse_duration_ms
from barograph_core.text.one_line import one_line
from barograph_producer import Producer

SERVICE: Final = "_drill"
# Enough for rules that want some requests; each round is a batch.
_ROUND: Final = 40
_EVERY_S: Final = 0.25
_LOOK_S: Final = 0.02
_STYLES: Final = {"sent": "bold green", "suppressed": "yellow", "retry": "bold yellow", "dead": "bold red"}


def run(argv: list[str]) -> int:
    """Run ``barograph drill``."""
    text = (
        f"Send failing requests of the service {SERVICE} through the pipeline that runs on the server, until every "
        "channel has told of the alert that they cause, or decided not to. Print the time at each stage, end the "
        "alert, and delete the service. People get the messages: tell them before."
    )
    parser = argparse.ArgumentParser(prog="barograph drill", description=text)
    add_server_arguments(parser)
    parser.add_argument("--wait", default="60s", metavar="DURATION", help="longest time for all of it (default 60s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args(argv)
    try:
        wait_ms = parse_duration_ms(arguments.wait)
    except ValueError as error:
        raise CommandError(f"--wait: {error}", USAGE) from error
    options = read_server_options(arguments, os.environ)
    connection = options.connect("barograph-drill")
    try:
        keys = read_layout(connection, options.server.prefix).keys_of(SERVICE)
        producer = Producer(SERVICE, options.server.url, prefix=options.server.prefix, sample_process=False)
        try:
            record = _drill(connection, keys, producer, wait_ms)
        finally:
            producer.close()
            removed = _clean_up(connection, keys)
    finally:
        connection.close()
    if arguments.json:
        print(json.dumps(_to_plain(record), ensure_ascii=False))
    else:
        _print(record, removed)
    return DONE if record.is_told else FAILED


def _drill(connection: Connection, keys: ShardKeys, producer: Producer, wait_ms: int) -> DrillRecord:
    clock = SystemClock()
    watch = Watch(connection, keys, SERVICE, read_now(connection))
    end_ms, next_ms = clock.monotonic_ms() + wait_ms, 0.0
    while not watch.look().is_complete and clock.monotonic_ms() < end_ms:
        if clock.monotonic_ms() >= next_ms:
            for _ in range(_ROUND):
                producer.request(route="/drill", method="GET", status=500, duration_ms=1.0)
            next_ms = clock.monotonic_ms() + _EVERY_S * 1_000
        time.sleep(_LOOK_S)
    return watch.record


def _clean_up(connection: Connection, keys: ShardKeys) -> Removed | None:
    """End the alert, wait until channels have told of that, and delete the service; its deliveries stay on record."""
    try:
        return ServiceCommand(connection, keys, SERVICE, wait_s=10).delete(is_with_streams=False)
    except CommandError:
        # Nothing of it ever reached the server.
        return None


def _rows(record: DrillRecord) -> Iterator[tuple[str, str, int | None, str]]:
    """Yield name, result, time and words of each stage and channel."""
    alert = record.alert
    for name, after_ms, words, missing in (
        (
            "append",
            record.appended_ms,
            "on the events stream",
            "the server took no event: is its library loaded?",
        ),
        ("aggregator", record.counted_ms, "counted in a pane", "no aggregator counted it: does one run?"),
        (
            "alerter",
            record.fired_ms,
            f"{alert.severity.value} {alert.rule} fires" if alert else "",
            f"no rule fired: does an alerter run, and is a rule about errors in force for {SERVICE}?",
        ),
    ):
        yield name, "done" if after_ms is not None else "missing", after_ms, words if after_ms is not None else missing
    if not record.channels:
        yield "notifier", "missing", None, "no channel reads the alerts: does a notifier run?"
    for channel, outcome in record.channels.items():
        if outcome is None:
            words = "it waits: for a group, a muted time or its rate, or no notifier runs" if alert else ""
            yield channel, "waiting", None, words
        else:
            yield channel, outcome.result, outcome.after_ms, one_line(outcome.reason, 100)


def _print(record: DrillRecord, removed: Removed | None) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("stage or channel", "result", "after:r", "what"):
        name, _, right = column.partition(":")
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    for name, result, after_ms, words in _rows(record):
        style = _STYLES.get(result, "green" if result == "done" else "bold red")
        after = "" if after_ms is None else format_age(after_ms)
        table.add_row(Text(name), Text(result, style), after, Text(words))
    console = Console(file=sys.stdout, highlight=False)
    console.print(table)
    if removed is None:
        console.print("Nothing to clean up.")
        return
    left = f" Not at its end: {removed.waits_for}." if removed.waits_for else ""
    words = f"Cleaned up: {removed.keys} keys of {SERVICE} are deleted; its alerts and deliveries stay on record.{left}"
    console.print(words, soft_wrap=True)


def _to_plain(record: DrillRecord) -> dict[str, object]:
    return {
        "told": record.is_told,
        "stages": [
            {"name": name, "result": result, "after_ms": after_ms, "what": words}
            for name, result, after_ms, words in _rows(record)
        ],
    }
