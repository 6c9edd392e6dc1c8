"""``barograph install``: loads the function library and writes down the layout of the shards."""

import argparse
import json
import os
from typing import Final

from barograph_cli.failure import DONE, USAGE, CommandError
from barograph_cli.options import add_server_arguments, read_server_options
from barograph_core.keys import meta_key
from barograph_core.library import LIBRARY_VERSION, ensure_library
from barograph_core.settings import ServerSettings, hide_password
from barograph_core.stream import Connection, as_int

_TOLD: Final = {
    "loaded": "loaded",
    "replaced": "replaced an older one",
    "current": "was there already",
    "newer": "left a newer one in place",
}


def install(connection: Connection, server: ServerSettings) -> str:
    """Load the library and write ``<prefix>:meta`` where it is absent.

    Returns:
        What became of the library: ``loaded``, ``replaced``, ``current`` or ``newer``.

    Raises:
        CommandError: The server was installed with another number of shards.
        BarographError: The server is gone or refuses.
    """
    outcome = ensure_library(connection)
    meta = meta_key(server.prefix)
    connection.command("HSETNX", meta, "epoch", 0)
    connection.command("HSETNX", meta, "shards", server.shards)
    shards = as_int(connection.command("HGET", meta, "shards"))
    if shards != server.shards:
        raise CommandError(
            f"the server was installed with {shards} shards, the settings say {server.shards}: "
            f"services would end up on other shards; set shards = {shards}",
            USAGE,
        )
    return outcome


def run(argv: list[str]) -> int:
    """Run ``barograph install``."""
    parser = argparse.ArgumentParser(prog="barograph install", description="Load the function library into the server.")
    add_server_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    arguments = parser.parse_args(argv)
    options = read_server_options(arguments, os.environ)
    connection = options.connect("barograph-install")
    try:
        outcome = install(connection, options.server)
    finally:
        connection.close()
    if arguments.json:
        print(json.dumps({"library": outcome, "version": LIBRARY_VERSION, "shards": options.server.shards}))
    else:
        print(f"function library {LIBRARY_VERSION} on {hide_password(options.server.url)}: {_TOLD[outcome]}")
    return DONE
