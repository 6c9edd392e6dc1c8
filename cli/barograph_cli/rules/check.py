"""``barograph rules check``: mistakes in the rules, and with ``--live`` what each finds among the series there are."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from barograph_alerter.rules.reading import rule_places
from barograph_alerter.rules.rule import Rule
from barograph_alerter.settings import check as check_alerter
from barograph_alerter.trial.live import LOOK_BACK, Found, find, needed_looks
from barograph_alerter.trial.recording import Recording
from barograph_alerter.trial.stored import read_recording
from barograph_cli.failure import DONE, FAILED, USAGE
from barograph_cli.manage.lint import lint_routes
from barograph_cli.options import ServerOptions, add_server_arguments, read_server_options, read_shards
from barograph_cli.rules.test import load_rules
from barograph_core.settings.config_file import check_sections, load_config
from barograph_core.store.pane_store import PaneStore
from barograph_core.text.durations import format_duration


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="barograph rules check",
        description="Name every mistake in the rules; with --live also what each finds among the series there are.",
        allow_abbrev=False,
    )
    parser.add_argument("file", nargs="?", help="the file to check; same as --config")
    parser.add_argument(
        "--live", action="store_true", help="look at the series of the server; exit code 1 if a rule finds none"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    add_server_arguments(parser)
    return parser


def run(argv: list[str]) -> int:
    """Run ``barograph rules check``: 0 no mistake, 1 a rule finds nothing (--live), 2 a mistake."""
    arguments = _parser().parse_args(argv)
    arguments.config = arguments.file or arguments.config
    config = load_config(arguments.config, os.environ)
    problems = [*check_sections(config), *check_alerter(config, os.environ), *lint_routes(config)]
    if problems:
        if arguments.json:
            print(json.dumps([asdict(problem) for problem in problems], indent=2))
        else:
            print("\n".join(map(str, problems)), file=sys.stderr)
        return USAGE
    rules = load_rules(config)
    if not arguments.live:
        print(json.dumps([]) if arguments.json else f"{len(rules)} rules: no mistakes")
        return DONE
    found = _look(read_server_options(arguments, os.environ), rules)
    if arguments.json:
        print(json.dumps([asdict(one) for one in found]))
    else:
        Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(_table(rules, found))
    own = rule_places(config)
    return FAILED if any(one.note and one.rule in own for one in found) else DONE


def _look(options: ServerOptions, rules: Sequence[Rule]) -> list[Found]:
    connection = options.connect("barograph-rules")
    try:
        recordings: list[Recording] = []
        for keys in read_shards(connection, options.server):
            store = PaneStore(connection, keys, options.server.steps)
            now_ms = store.server_ms()
            recordings += [
                read_recording(
                    store, options.server.steps, service, now_ms - LOOK_BACK.span_ms, now_ms, needed_looks(rules)
                )
                for service in store.services()
            ]
    finally:
        connection.close()
    return [find(rule, recordings) for rule in rules]


def _table(rules: Sequence[Rule], found: Sequence[Found]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("rule", "services", "label sets", "in breach", "window", ""):
        is_text = title in ("rule", "")
        table.add_column(title, header_style="dim", justify="left" if is_text else "right", no_wrap=not is_text)
    for rule, one in zip(rules, found, strict=True):
        note = one.note
        if not note and one.without_data:
            note = f"{one.without_data} lack what it measures ({rule.when.accounted_quantity})"
        window = format_duration(rule.window_ms)
        table.add_row(rule.name, str(one.services), str(one.label_sets), str(one.breaches), window, note)
    return table
