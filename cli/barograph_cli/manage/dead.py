"""``barograph dead``: what was given up, in full; notifications may be tried again, everything may be dropped."""

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from barograph_cli.command_line import parse_action
from barograph_cli.failure import DONE, FAILED, USAGE, CommandError
from barograph_cli.options import add_server_arguments, read_server_options, read_shards
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import Entry, as_entries, as_int
from barograph_core.text.one_line import one_line, safe_json
from barograph_core.text.timestamps import format_timestamp
from barograph_notifier.outbox.dead_letters import DeadNotification, read_dead, retry_dead

_PAGE: Final = 500
_WHAT_LIMIT: Final = 200


@dataclass(frozen=True, slots=True)
class Letter:
    """One entry of a shard's dead-letter stream."""

    keys: ShardKeys
    entry: Entry
    notification: DeadNotification | None

    def text(self, name: str) -> str:
        return self.entry.fields.get(name.encode(), b"").decode(errors="replace")

    @property
    def name(self) -> str:
        """Return its id; with several shards the shard stands before it."""
        return f"{self.keys.tag}/{self.entry.id}"

    @property
    def what(self) -> str:
        """Return what it is: a notification's channel and alert, or the stream that it lay on."""
        if self.notification is None:
            return self.text("dead_stream").rpartition(":")[2] + " " + self.text("dead_id")
        transition = self.notification.item.transition
        return f"{self.notification.channel}: {transition.rule} on {transition.service} {transition.after.value}"

    def to_plain(self) -> dict[str, object]:
        fields = {
            name.decode(errors="replace"): value.decode(errors="replace") for name, value in self.entry.fields.items()
        }
        channel = "" if self.notification is None else self.notification.channel
        return {"id": self.name, "channel": channel, **fields}


def read_letters(
    connection: Connection, shards: Sequence[ShardKeys], arguments: argparse.Namespace
) -> Iterator[Letter]:
    """Yield the letters of all shards that the options choose, newest first within each shard."""
    for keys in shards:
        end = "+"
        while entries := as_entries(connection.command("XREVRANGE", keys.dead, end, "-", "COUNT", _PAGE)):
            for entry in entries:
                letter = Letter(keys, entry, read_dead(entry, keys))
                if _is_chosen(letter, arguments):
                    yield letter
            end = f"({entries[-1].id}"


def _is_chosen(letter: Letter, arguments: argparse.Namespace) -> bool:
    channel = "" if letter.notification is None else letter.notification.channel
    return arguments.stage in ("", letter.text("dead_stage")) and arguments.channel in ("", channel)


def _named(letters: Iterator[Letter], ids: Sequence[str]) -> list[Letter]:
    """Return the letters with these ids, with or without the shard.

    Raises:
        CommandError: One is not there.
    """
    left, found = set(ids), list[Letter]()
    for letter in letters:
        for name in (letter.name, str(letter.entry.id)):
            if name in left:
                left.discard(name)
                found.append(letter)
    if left:
        raise CommandError(f"there is no dead letter {', '.join(sorted(left))}; `barograph dead list` names them")
    return found


def _chosen(letters: Iterator[Letter], arguments: argparse.Namespace) -> list[Letter]:
    if bool(arguments.ids) == arguments.all:
        raise CommandError("name letters by their ids, or say --all (with --stage or --channel, of these)", USAGE)
    return list(letters) if arguments.all else _named(letters, arguments.ids)


def _list(letters: Iterator[Letter], arguments: argparse.Namespace) -> int:
    shown = [letter for letter, _ in zip(letters, range(arguments.limit), strict=False)]
    if arguments.json:
        print(safe_json(json.dumps([letter.to_plain() for letter in shown], ensure_ascii=False)))
        return DONE
    if not shown:
        print("There are no dead letters.")
        return DONE
    for letter in shown:
        at = letter.text("dead_at_ms")
        moment = format_timestamp(int(at)) if at.isdigit() else "-"
        stage, what = one_line(letter.text("dead_stage"), 20), one_line(letter.what, _WHAT_LIMIT)
        print(f"{letter.name}  {moment}  {stage}  {what}")
        attempts = one_line(letter.text("dead_attempts"), 10)
        print(f"    {one_line(letter.text('dead_reason'))}" + (f" (attempts: {attempts})" if attempts else ""))
    return DONE


def _show(letters: Iterator[Letter], arguments: argparse.Namespace) -> int:
    found = _named(letters, arguments.ids)
    if arguments.json:
        print(safe_json(json.dumps([letter.to_plain() for letter in found], ensure_ascii=False)))
        return DONE
    for letter in found:
        print(f"id             {letter.name}")
        for name, value in letter.to_plain().items():
            if name not in ("id", "notification"):
                print(f"{one_line(name, 40):<14} {one_line(str(value), 2_000)}")
        if letter.notification is not None:
            for name, value in zip(*[iter(letter.notification.item.transition.to_fields())] * 2, strict=True):
                print(f"  {name:<12} {one_line(value, 2_000)}")
    return DONE


def _retry(connection: Connection, letters: Sequence[Letter]) -> int:
    is_whole = True
    for letter in letters:
        if letter.notification is None:
            why = "only notifications can be tried again; entries of streams are read once"
        else:
            why = retry_dead(connection, letter.keys, letter.notification)
        if why:
            is_whole = False
            print(f"{letter.name}  left  {why}")
        else:
            connection.command("XDEL", letter.keys.dead, str(letter.entry.id))
            print(f"{letter.name}  queued  {one_line(letter.what)}")
    return DONE if is_whole else FAILED


def _drop(connection: Connection, letters: Sequence[Letter]) -> int:
    count = sum(as_int(connection.command("XDEL", letter.keys.dead, str(letter.entry.id))) for letter in letters)
    print(f"Dropped {count} dead letters.")
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="barograph dead", description="What could not be processed or sent.")
    actions = parser.add_subparsers(dest="action", required=True)
    texts = {
        "list": "the newest dead letters, with the reason of each",
        "show": "dead letters in full",
        "retry": "queue notifications again, if they still hold; a channel that takes them records it as ever",
        "drop": "delete dead letters for good",
    }
    for action, text in texts.items():
        one = actions.add_parser(action, help=text, description=text)
        if action != "list":
            one.add_argument("ids", nargs="+" if action == "show" else "*", metavar="ID")
        if action in ("retry", "drop"):
            one.add_argument("--all", action="store_true", help="all, or all of --stage or --channel")
        if action == "list":
            one.add_argument("--limit", type=int, default=20, help="how many (default 20)")
        one.add_argument("--stage", default="", help="only those of a stage: aggregator, alerter, notifier")
        one.add_argument("--channel", default="", help="only notifications of a channel")
        add_server_arguments(one)
        one.add_argument("--json", action="store_true", help="print JSON (list, show)")
    return parser


def run(argv: list[str]) -> int:
    """Run ``barograph dead``."""
    arguments = parse_action(_parser(), argv)
    options = read_server_options(arguments, os.environ)
    connection = options.connect("barograph-dead")
    try:
        letters = read_letters(connection, read_shards(connection, options.server), arguments)
        if arguments.action == "list":
            return _list(letters, arguments)
        if arguments.action == "show":
            return _show(letters, arguments)
        chosen = _chosen(letters, arguments)
        return _retry(connection, chosen) if arguments.action == "retry" else _drop(connection, chosen)
    finally:
        connection.close()
