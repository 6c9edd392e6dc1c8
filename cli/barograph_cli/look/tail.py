"""``barograph tail``: the newest entries of a stream, decoded, and what comes after them."""

import argparse
import json
import os
import threading
from typing import Final, get_args

from rich.console import Console

from barograph_cli.failure import DONE
from barograph_cli.look.entry_text import entry_document, entry_lines
from barograph_cli.options import add_server_arguments, read_server_options, read_shards
from barograph_core.keyspace.keys import ShardKeys, StreamName, stream_keys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import Entry, as_entries
from barograph_core.text.one_line import safe_json
from barograph_core.workers.process import stop_on_signals

DEFAULT_COUNT: Final = 10
MAX_COUNT: Final = 100_000
# Time between two reads. A blocking read would be quicker, but shards may lie on several servers.
_PAUSE_S: Final = 0.1
_PAGE: Final = 100
# For a stream that has no entry yet: everything is newer.
_BEGINNING: Final = "0-0"


def read_newest(connection: Connection, key: str, count: int) -> list[Entry]:
    """Return the last ``count`` entries, oldest first."""
    if count == 0:
        return []
    return as_entries(connection.command("XREVRANGE", key, "+", "-", "COUNT", count))[::-1]


def newest_id(connection: Connection, key: str) -> str:
    """Return the id of the newest entry, ``0-0`` when there is none."""
    newest = read_newest(connection, key, 1)
    return str(newest[-1].id) if newest else _BEGINNING


class Follower:
    """Reads several streams onwards from where each was left."""

    def __init__(self, connection: Connection, after: dict[str, str]) -> None:
        self._connection = connection
        self._after = after

    def read(self) -> list[Entry]:
        """Return the entries that have come since the last call."""
        replies = self._connection.pipeline(
            [("XRANGE", name, f"({after}", "+", "COUNT", _PAGE) for name, after in self._after.items()]
        )
        entries: list[Entry] = []
        for name, reply in zip(list(self._after), replies, strict=True):
            found = as_entries(reply)
            if found:
                self._after[name] = str(found[-1].id)
                entries.extend(found)
        return entries


class Printer:
    """Prints entries of one stream, in colour where a person watches, or one JSON object a line."""

    def __init__(self, stream: StreamName, *, is_json: bool) -> None:
        self._stream: StreamName = stream
        self._is_json = is_json
        self._console = Console(highlight=False, soft_wrap=True)

    def print(self, entry: Entry) -> None:
        if self._is_json:
            print(safe_json(json.dumps(entry_document(self._stream, entry), ensure_ascii=False)), flush=True)
            return
        for line in entry_lines(self._stream, entry):
            if self._console.is_terminal:
                self._console.print(line)
            else:
                print(line.plain, flush=True)


def _tail(connection: Connection, keys: list[ShardKeys], arguments: argparse.Namespace) -> None:
    stream: StreamName = arguments.stream
    printer = Printer(stream, is_json=arguments.json)
    newest: list[Entry] = []
    after: dict[str, str] = {}
    for shard in keys:
        key = stream_keys(shard)[stream]
        found = read_newest(connection, key, arguments.count)
        after[key] = str(found[-1].id) if found else newest_id(connection, key)
        newest.extend(found)
    for entry in sorted(newest, key=lambda entry: entry.id)[len(newest) - min(len(newest), arguments.count) :]:
        printer.print(entry)
    if arguments.follow:
        _follow(Follower(connection, after), printer, stop_on_signals())


def _follow(follower: Follower, printer: Printer, stop: threading.Event) -> None:
    while not stop.is_set():
        entries = follower.read()
        for entry in entries:
            printer.print(entry)
        if not entries:
            stop.wait(_PAUSE_S)


def _count(text: str) -> int:
    count = int(text)
    if not 0 <= count <= MAX_COUNT:
        raise argparse.ArgumentTypeError(f"must be 0 to {MAX_COUNT}")
    return count


def run(argv: list[str]) -> int:
    """Run ``barograph tail``."""
    parser = argparse.ArgumentParser(prog="barograph tail", description="Show the newest entries of a stream, decoded.")
    parser.add_argument("stream", choices=get_args(StreamName))
    parser.add_argument("-n", "--count", type=_count, default=DEFAULT_COUNT, help="how many (default 10)")
    parser.add_argument("-f", "--follow", action="store_true", help="wait for more until Ctrl-C")
    add_server_arguments(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object an entry")
    arguments = parser.parse_args(argv)
    options = read_server_options(arguments, os.environ)
    connection = options.connect("barograph-tail")
    try:
        _tail(connection, read_shards(connection, options.server), arguments)
    finally:
        connection.close()
    return DONE
