"""``barograph shards``: the layout of the shards, and its change under running producers and workers."""

import argparse
import json
import os
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table

from barograph_cli.command_line import parse_action
from barograph_cli.failure import DONE, USAGE, CommandError
from barograph_cli.options import add_server_arguments, read_server_options
from barograph_core.events.kinds import is_service_name
from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.layout import Layout, read_layout
from barograph_core.keyspace.layout_change import LayoutConflictError, pin_service, set_shards, unpin_service
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_int, as_list, as_text
from barograph_core.server.slots import hash_slot

MAX_SHARDS = 256
_NAMES_SHOWN = 5
_TAG_LENGTH = 32


@dataclass(frozen=True, slots=True)
class ShardFacts:
    """One shard.

    Attributes:
        slot: Of a Cluster, in which all its keys lie.
        is_spread: Whether new services come to it by their names.
        pinned: Services that live on it whatever their names say.
        entries: On its events stream.
    """

    tag: str
    slot: int
    is_spread: bool
    services: tuple[str, ...]
    pinned: tuple[str, ...]
    entries: int


def shard_facts(connection: Connection, layout: Layout) -> list[ShardFacts]:
    """Return what lies on each shard.

    Raises:
        BarographError: The server is gone or refuses.
    """
    facts: list[ShardFacts] = []
    for keys in layout.shards:
        closed, entries = connection.pipeline([("HKEYS", keys.closed), ("XLEN", keys.events)])
        facts.append(
            ShardFacts(
                tag=keys.tag,
                slot=hash_slot(keys.tag),
                is_spread=keys.tag in layout.tags,
                services=tuple(sorted(map(as_text, as_list(closed)))),
                pinned=tuple(sorted(service for service, tag in layout.pins.items() if tag == keys.tag)),
                entries=as_int(entries),
            )
        )
    return facts


def _render(layout: Layout, facts: list[ShardFacts]) -> Table:
    table = Table(box=None, pad_edge=False, title=f"epoch {layout.epoch}", title_justify="left")
    for title in ("shard", "slot", "entries", "services", "new services", "names"):
        is_text = title in ("new services", "names")
        table.add_column(title, header_style="dim", justify="left" if is_text else "right", no_wrap=not is_text)
    for one in facts:
        more = len(one.services) - _NAMES_SHOWN
        names = ", ".join(one.services[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
        # A service that is pinned and has no data has not come yet.
        coming = sorted(set(one.pinned) - set(one.services))
        news = "by name" if one.is_spread else "none"
        table.add_row(
            one.tag,
            str(one.slot),
            f"{one.entries:,}",
            f"{len(one.services):,}",
            f"{news}, and {', '.join(coming)}" if coming else news,
            names,
        )
    return table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="barograph shards", description="The shards over which services are spread.")
    actions = parser.add_subparsers(dest="action", required=True)
    texts = {
        "show": "the shards and what lives on them",
        "set": "spread new services over so many shards; those with data stay where they are",
        "pin": "let a service without data live on a shard of its own, or on one that is named",
        "unpin": "let a service without data live where its name says",
    }
    for action, text in texts.items():
        one = actions.add_parser(action, help=text, description=text)
        if action == "set":
            one.add_argument("count", type=int, metavar="N")
        if action in ("pin", "unpin"):
            one.add_argument("service", metavar="SERVICE")
        if action == "pin":
            one.add_argument("tag", nargs="?", metavar="SHARD")
        add_server_arguments(one)
        one.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _check(arguments: argparse.Namespace) -> None:
    if arguments.action == "set" and not 1 <= arguments.count <= MAX_SHARDS:
        raise CommandError(f"the number of shards must be 1 to {MAX_SHARDS}", USAGE)
    if arguments.action in ("pin", "unpin") and not is_service_name(arguments.service):
        raise CommandError(f"{arguments.service!r} is not a service's name: 1 to 64 of A-Z a-z 0-9 . _ -", USAGE)
    tag = arguments.tag if arguments.action == "pin" else None
    if tag is not None and not (tag.isascii() and tag.isalnum() and len(tag) <= _TAG_LENGTH):
        raise CommandError(f"{tag!r} is not a shard's name: 1 to {_TAG_LENGTH} of A-Z a-z 0-9", USAGE)


def _act(connection: Connection, prefix: str, arguments: argparse.Namespace) -> Layout:
    if arguments.action == "show":
        return read_layout(connection, prefix)
    ensure_library(connection)
    try:
        if arguments.action == "set":
            return set_shards(connection, prefix, arguments.count)
        if arguments.action == "pin":
            return pin_service(connection, prefix, arguments.service, arguments.tag)
        return unpin_service(connection, prefix, arguments.service)
    except LayoutConflictError as error:
        raise CommandError(str(error)) from error


def run(argv: list[str]) -> int:
    """Run ``barograph shards``."""
    arguments = parse_action(_parser(), argv)
    _check(arguments)
    options = read_server_options(arguments, os.environ)
    connection = options.connect("barograph-shards")
    try:
        layout = _act(connection, options.server.prefix, arguments)
        facts = shard_facts(connection, layout)
    finally:
        connection.close()
    if arguments.json:
        print(json.dumps({"epoch": layout.epoch, "shards": [asdict(one) for one in facts]}))
    else:
        Console(highlight=False).print(_render(layout, facts))
    return DONE
