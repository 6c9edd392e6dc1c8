"""``barograph silence``: mute alerts for a time, and see what is muted."""

import argparse
import json
import os
from collections.abc import Sequence
from typing import Final

from rich.table import Table
from rich.text import Text

from barograph_cli.command_line import parse_action
from barograph_cli.failure import DONE, FAILED, USAGE, CommandError
from barograph_cli.options import add_server_arguments, read_server_options
from barograph_cli.respond.words import (
    add_person,
    duration_ms,
    labels_text,
    matchers_text,
    moment_text,
    person,
    safe,
    short_id,
    table_of,
    terminal,
)
from barograph_core.alerts.actions import AlertConflictError
from barograph_core.keyspace.layout import read_layout
from barograph_core.server.connection import read_now
from barograph_core.silences.book import SilenceBook, SilenceNotFoundError
from barograph_core.silences.silence import Silence, SilenceError, matchers_to_plain, parse_matchers
from barograph_core.silences.store import HeldSilence
from barograph_core.text.one_line import one_line
from barograph_core.text.timestamps import parse_timestamp

_STYLES: Final = {"active": "magenta", "pending": "yellow", "expired": "dim"}
_ORDER: Final = ("active", "pending", "expired")
_SHOWN: Final = 10


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="barograph silence", description="Mute alerts for a time. They go on as ever; channels are not told."
    )
    actions = parser.add_subparsers(dest="action", required=True)
    add = actions.add_parser(
        "add",
        help="mute the alerts that all matchers mean",
        description="Mute the alerts that all matchers mean. What still fires at the end is told then.",
    )
    add.add_argument(
        "matchers",
        nargs="+",
        metavar="MATCHER",
        help='name=value, name!=value, name=~"regex" or name!~"regex"; names: rule, service, severity, labels',
    )
    end = add.add_mutually_exclusive_group()
    end.add_argument("--for", dest="lasts", default="", metavar="2h", help="how long; default 1h")
    end.add_argument("--until", default="", metavar="TIME", help="when it ends: 2026-11-30T18:00:00Z")
    end.add_argument("--until-resolved", action="store_true", help="until nothing that it mutes is pending or firing")
    add.add_argument("--start", default="", metavar="TIME", help="when it begins; default: now")
    add.add_argument("--dry-run", action="store_true", help="only say what it would mute now")
    add_person(add, "why")
    listing = actions.add_parser("list", help="the silences there are", description="The silences there are.")
    listing.add_argument("--all", action="store_true", help="those too that ended in the last five days")
    expire = actions.add_parser("expire", help="end silences now", description="End silences now.")
    expire.add_argument("ids", nargs="+", metavar="ID", help="of a silence, or how only one begins")
    add_person(expire, "why they end")
    for one in (add, listing, expire):
        add_server_arguments(one)
        one.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _draft(arguments: argparse.Namespace, now_ms: int) -> Silence:
    try:
        starts_ms = parse_timestamp(arguments.start, now_ms) if arguments.start else now_ms
        until_ms = parse_timestamp(arguments.until, now_ms) if arguments.until else None
    except ValueError as error:
        raise CommandError(str(error), USAGE) from error
    if until_ms is None and not arguments.until_resolved:
        until_ms = max(starts_ms, now_ms) + duration_ms(arguments.lasts or "1h", "--for")
    return Silence(
        silence_id="",
        matchers=parse_matchers(arguments.matchers),
        starts_ms=starts_ms,
        ends_ms=until_ms,
        actor=person(arguments),
        comment=arguments.note,
        changed_ms=now_ms,
    )


def _add(book: SilenceBook, arguments: argparse.Namespace, now_ms: int) -> int:
    try:
        draft = _draft(arguments, now_ms)
        silence = draft if arguments.dry_run else book.add(draft, now_ms)
    except SilenceError as error:
        raise CommandError(str(error), USAGE) from error
    meant = book.meant(silence)
    if arguments.json:
        document = _document(HeldSilence(silence, ""), now_ms)
        print(json.dumps({**document, "mutes": [record.alert_id for record in meant]}, ensure_ascii=False))
        return DONE
    if not arguments.dry_run:
        print(silence.silence_id)
    print(_mutes_text(silence, len(meant), now_ms, is_trial=arguments.dry_run))
    for record in meant[:_SHOWN]:
        labels = labels_text(record.labels)
        where = f" ({labels})" if labels else ""
        print(f"  {record.alert_id}  {one_line(record.rule, 200)} on {one_line(record.service, 64)}{where}")
    if len(meant) > _SHOWN:
        print(f"  and {len(meant) - _SHOWN} more")
    return DONE


def _mutes_text(silence: Silence, count: int, now_ms: int, *, is_trial: bool) -> str:
    """Return ``mutes 2 alerts that are pending or firing, until 2026-11-30T18:00:00Z``."""
    what = "1 alert that is" if count == 1 else f"{count} alerts that are"
    begin = "" if silence.starts_ms <= now_ms else f" from {moment_text(silence.starts_ms)}"
    end = "that is over" if silence.ends_ms is None else moment_text(silence.ends_ms)
    return f"{'would mute' if is_trial else 'mutes'} {what} pending or firing now,{begin} until {end}"


def _list(book: SilenceBook, arguments: argparse.Namespace, now_ms: int) -> int:
    held = [one for one in book.all() if arguments.all or one.silence.state_at(now_ms) != "expired"]
    held.sort(key=lambda one: _ORDER.index(one.silence.state_at(now_ms)))
    if arguments.json:
        print(json.dumps([_document(one, now_ms) for one in held], ensure_ascii=False))
    elif held:
        terminal().print(_table(held, now_ms))
    else:
        print("There are no silences.")
    return DONE


def _table(held: Sequence[HeldSilence], now_ms: int) -> Table:
    table = table_of("state", "mutes", "begins", "ends", "held back:r", "by", "why", "id")
    for one in held:
        silence, state = one.silence, one.silence.state_at(now_ms)
        ends_ms = silence.ended_ms or silence.ends_ms
        table.add_row(
            Text(state, _STYLES[state]),
            safe(matchers_text(silence.matchers), 300, "bold"),
            moment_text(silence.starts_ms),
            "with what it mutes" if ends_ms is None else moment_text(ends_ms),
            f"{one.hits:,}",
            safe(silence.actor, 64),
            safe(silence.comment),
            short_id(silence.silence_id),
        )
    return table


def _document(held: HeldSilence, now_ms: int) -> dict[str, object]:
    silence = held.silence
    return {
        "id": silence.silence_id,
        "state": silence.state_at(now_ms),
        "matchers": matchers_to_plain(silence.matchers),
        "starts_ms": silence.starts_ms,
        "ends_ms": silence.ended_ms or silence.ends_ms,
        "actor": silence.actor,
        "comment": silence.comment,
        "hits": held.hits,
        "end_reason": silence.end_reason,
        "ended_by": silence.ended_by,
    }


def _expire(book: SilenceBook, arguments: argparse.Namespace, now_ms: int) -> int:
    actor, is_whole, done = person(arguments), True, list[dict[str, object]]()
    for silence_id in [_named(book, name) for name in arguments.ids]:
        error = ""
        try:
            book.end(silence_id, actor=actor, note=arguments.note, now_ms=now_ms)
        except (AlertConflictError, SilenceNotFoundError) as caught:
            error, is_whole = str(caught.args[0]), False
        done.append({"id": silence_id, "error": error} if error else {"id": silence_id})
        if not arguments.json:
            print(f"{silence_id}  {error or 'ended; what still fires is told now'}")
    if arguments.json:
        print(json.dumps(done, ensure_ascii=False))
    return DONE if is_whole else FAILED


def _named(book: SilenceBook, name: str) -> str:
    found = [one.silence.silence_id for one in book.all() if one.silence.silence_id.startswith(name)] if name else []
    if not found:
        raise CommandError(f"there is no silence {name!r}; `barograph silence list --all` names them")
    if len(found) > 1:
        raise CommandError(f"{name!r} begins several ids: {', '.join(found[:5])}", USAGE)
    return found[0]


def run(argv: Sequence[str]) -> int:
    """Run ``barograph silence``."""
    arguments = parse_action(_parser(), argv)
    options = read_server_options(arguments, os.environ)
    connection = options.connect("barograph-silence")
    try:
        book = SilenceBook(connection, read_layout(connection, options.server.prefix))
        now_ms = read_now(connection)
        match arguments.action:
            case "add":
                return _add(book, arguments, now_ms)
            case "list":
                return _list(book, arguments, now_ms)
            case _:
                return _expire(book, arguments, now_ms)
    finally:
        connection.close()
