"""``barograph alert``: the alerts there are, and what people do to them."""

import argparse
import json
import os
from collections.abc import Callable, Sequence
from typing import Final

from barograph_cli.command_line import parse_action
from barograph_cli.failure import DONE, FAILED, CommandError
from barograph_cli.options import add_server_arguments, read_server_options
from barograph_cli.respond.alert_view import alert_document, alert_table, case_document, case_lines
from barograph_cli.respond.case import Cases, parse_matchers
from barograph_cli.respond.words import add_person, duration_ms, labels_text, person, terminal
from barograph_core.alerts.acknowledgement import Acknowledgement
from barograph_core.alerts.actions import AlertConflictError, AlertNotFoundError, apply_by_hand
from barograph_core.alerts.by_hand import HandChange, acknowledge, resolve_by_hand, unacknowledge
from barograph_core.alerts.record import AlertRecord
from barograph_core.keyspace.layout import Layout, read_layout
from barograph_core.server.connection import Connection, read_now
from barograph_core.text.one_line import one_line

_LONGEST_NOTE: Final = 1_000
_DONE_WORDS: Final = {"ack": "acknowledged", "unack": "no longer acknowledged", "resolve": "resolved"}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="barograph alert", description="The alerts there are, and what people do.")
    actions = parser.add_subparsers(dest="action", required=True)
    texts = {
        "list": "alerts that are pending or firing, the worst first",
        "show": "alerts in full: who looks after each, what mutes it, what happened, what was sent",
        "ack": "say that you look after firing alerts",
        "unack": "take acknowledgements back",
        "resolve": "end alerts; each stays quiet until its condition has been clear once, for a day at most",
    }
    for action, text in texts.items():
        one = actions.add_parser(action, help=text, description=text)
        if action == "list":
            one.add_argument(
                "matchers", nargs="*", metavar="MATCHER", help='a rule, or such as service=shop, route=~"/api/.*"'
            )
        else:
            one.add_argument("ids", nargs="+", metavar="ID", help="of an alert, or how only one begins")
        if action == "ack":
            one.add_argument("--for", dest="lasts", default="", metavar="4h", help="default: as long as it fires")
        if action in _DONE_WORDS:
            add_person(one, "why")
        add_server_arguments(one)
        one.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _list(cases: Cases, arguments: argparse.Namespace) -> int:
    rows = [(record, cases.silences_of(record)) for record in cases.records(parse_matchers(arguments.matchers))]
    if arguments.json:
        print(json.dumps([alert_document(*row) for row in rows], ensure_ascii=False))
    elif rows:
        terminal().print(alert_table(rows, cases.now_ms))
    else:
        print("Nothing is pending or firing." if not arguments.matchers else "No such alert is pending or firing.")
    return DONE


def _show(cases: Cases, arguments: argparse.Namespace) -> int:
    found = [cases.case(record) for record in cases.named(arguments.ids)]
    if arguments.json:
        print(json.dumps([case_document(case) for case in found], ensure_ascii=False))
        return DONE
    console = terminal()
    for number, case in enumerate(found):
        if number:
            console.print()
        for line in case_lines(case, cases.now_ms):
            console.print(line)
    return DONE


def _decision(arguments: argparse.Namespace, now_ms: int) -> Callable[[AlertRecord], HandChange]:
    """Return what the command does to an alert.

    Raises:
        CommandError: Something that was given cannot be read.
    """
    actor, note = person(arguments), arguments.note
    match arguments.action:
        case "ack":
            until_ms = now_ms + duration_ms(arguments.lasts, "--for") if arguments.lasts else None
            given = Acknowledgement(actor=actor, at_ms=now_ms, until_ms=until_ms, note=note)
            return lambda record: acknowledge(record, given)
        case "unack":
            return lambda record: unacknowledge(record, actor=actor, note=note, now_ms=now_ms)
        case _:
            return lambda record: resolve_by_hand(record, actor=actor, note=note, now_ms=now_ms)


def _change(connection: Connection, layout: Layout, cases: Cases, arguments: argparse.Namespace) -> int:
    decide, is_whole, done = _decision(arguments, read_now(connection)), True, list[dict[str, object]]()
    for record in cases.named(arguments.ids):
        error = ""
        try:
            applied = apply_by_hand(connection, layout, record.alert_id, decide)
        except (AlertConflictError, AlertNotFoundError) as caught:
            error, is_whole = str(caught.args[0]), False
        else:
            done.append({"id": record.alert_id, "transition": applied.transition})
        if arguments.json:
            done += [{"id": record.alert_id, "error": error}] if error else []
        else:
            _print_change(record, error or _DONE_WORDS[arguments.action])
    if arguments.json:
        print(json.dumps(done, ensure_ascii=False))
    return DONE if is_whole else FAILED


def _print_change(record: AlertRecord, what: str) -> None:
    labels = labels_text(record.labels)
    where = f" ({labels})" if labels else ""
    print(f"{record.alert_id}  {one_line(record.rule, 200)} on {one_line(record.service, 64)}{where}: {what}")


def run(argv: Sequence[str]) -> int:
    """Run ``barograph alert``."""
    arguments = parse_action(_parser(), argv)
    options = read_server_options(arguments, os.environ)
    if getattr(arguments, "note", "") and len(arguments.note) > _LONGEST_NOTE:
        raise CommandError(f"--note: has at most {_LONGEST_NOTE:,} characters")
    connection = options.connect("barograph-alert")
    try:
        layout = read_layout(connection, options.server.prefix)
        cases = Cases(connection, layout)
        if arguments.action == "list":
            return _list(cases, arguments)
        if arguments.action == "show":
            return _show(cases, arguments)
        return _change(connection, layout, cases, arguments)
    finally:
        connection.close()
