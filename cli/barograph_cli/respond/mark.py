"""``barograph mark``: say what was done to a service, such as a deploy, so that charts and alerts name it."""

import argparse
import difflib
import json
import os
import uuid
from collections.abc import Sequence
from dataclasses import asdict

from barograph_cli.failure import DONE, USAGE, CommandError
from barograph_cli.history.log.range_arguments import join_moments
from barograph_cli.options import add_server_arguments, read_server_options
from barograph_cli.respond.words import moment_text, person
from barograph_core.alerts.actions import KeyReusedError
from barograph_core.keyspace.layout import Layout, read_layout
from barograph_core.markers.marker import Marker, MarkerError
from barograph_core.markers.store import add_marker
from barograph_core.server.connection import Connection, read_now
from barograph_core.server.replies import as_list, as_text
from barograph_core.text.one_line import one_line
from barograph_core.text.timestamps import parse_timestamp


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="barograph mark",
        description="Say what was done to a service: charts show it, and alerts that begin soon after name it.",
    )
    parser.add_argument("kind", metavar="KIND", help="what was done, one word: deploy, config, migration")
    parser.add_argument("title", metavar="TITLE", help='of what, as people call it: "api 2.15"')
    parser.add_argument("--service", required=True, metavar="NAME", help="the service that it was done to")
    parser.add_argument("--at", default="now", metavar="TIME", help="when: 2026-11-30T18:00:00Z, or -5m; default: now")
    parser.add_argument("--link", default="", metavar="URL", help="where more of it stands: the build, the notes")
    parser.add_argument("--key", default="", metavar="TEXT", help="the same at each attempt; then it is told once")
    parser.add_argument("--by", default="", metavar="NAME", help="who says so; default: your login name")
    add_server_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _marker(arguments: argparse.Namespace, now_ms: int) -> Marker:
    """Return the marker that is asked for.

    Raises:
        CommandError: Something that was given cannot be meant.
    """
    try:
        at_ms = parse_timestamp(arguments.at, now_ms)
    except ValueError as error:
        raise CommandError(f"--at: {error}", USAGE) from error
    marker = Marker(
        key=arguments.key or uuid.uuid4().hex,
        service=arguments.service,
        at_ms=at_ms,
        kind=arguments.kind,
        title=arguments.title,
        url=arguments.link,
        actor=person(arguments),
    )
    try:
        marker.check(now_ms)
    except MarkerError as error:
        flag = {"kind": "KIND", "title": "TITLE", "url": "--link", "actor": "--by"}.get(error.where, f"--{error.where}")
        raise CommandError(f"{flag}: {error}", USAGE) from error
    return marker


def _check_service(connection: Connection, layout: Layout, service: str) -> None:
    """Refuse a service that nothing was ever closed of: a typing error would be shown nowhere.

    Raises:
        CommandError: There is none of this name.
    """
    known = [as_text(name) for keys in layout.shards for name in as_list(connection.command("HKEYS", keys.closed))]
    if service not in known:
        close = difflib.get_close_matches(service[:64], known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise CommandError(f"--service: nothing of a service {service[:80]!r} was ever closed{hint}", USAGE)


def run(argv: Sequence[str]) -> int:
    """Run ``barograph mark``."""
    arguments = _parser().parse_args(join_moments(argv, ["--at"]))
    options = read_server_options(arguments, os.environ)
    connection = options.connect("barograph-mark")
    try:
        layout, now_ms = read_layout(connection, options.server.prefix), read_now(connection)
        _check_service(connection, layout, arguments.service)
        marker = _marker(arguments, now_ms)
        told = add_marker(connection, layout.keys_of(marker.service), marker)
    except KeyReusedError as error:
        raise CommandError(f"--key: {error}") from error
    finally:
        connection.close()
    if arguments.json:
        print(json.dumps(asdict(told), ensure_ascii=False))
    else:
        words = f"{one_line(told.kind, 32)} {one_line(told.title, 200)} on {one_line(told.service, 64)}"
        print(f"{moment_text(told.at_ms)}  {words}, by {one_line(told.actor, 128)}")
    return DONE
