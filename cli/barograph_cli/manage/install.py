"""``barograph install``: loads the function library and writes down the layout of the shards."""

import argparse
import json
import os
import sys
from typing import Final

from barograph_cli.failure import DONE, USAGE, CommandError
from barograph_cli.options import add_server_arguments, read_server_options
from barograph_core.functions.library import LIBRARY_VERSION, ensure_library
from barograph_core.keyspace.layout import read_layout
from barograph_core.keyspace.layout_change import install_layout
from barograph_core.server.connection import Connection
from barograph_core.server.memory import read_memory
from barograph_core.settings.secrets import hide_password
from barograph_core.settings.server import ServerSettings

_TOLD: Final = {
    "loaded": "loaded",
    "replaced": "replaced an older one, or another build of this one",
    "current": "was there already",
    "newer": "left a newer one in place",
}


def install(connection: Connection, server: ServerSettings) -> str:
    """Load the library and write the layout where there is none.

    Returns:
        What became of the library: ``loaded``, ``replaced``, ``current`` or ``newer``.

    Raises:
        CommandError: The server has another number of shards.
        BarographError: The server is gone or refuses.
    """
    outcome = ensure_library(connection)
    shards = len(install_layout(connection, server.prefix, server.shards).tags)
    # One is the default of the settings: it asks for nothing.
    if server.shards not in (1, shards):
        raise CommandError(
            f"the server has {shards} shards, the settings say {server.shards}: "
            f"change it with `barograph shards set {server.shards}`, or set shards = {shards}",
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
        memory = read_memory(connection)
        shards = len(read_layout(connection, options.server.prefix).tags)
    finally:
        connection.close()
    if memory is not None and memory.can_evict:
        warning = f"maxmemory-policy is {memory.policy}: a full server drops keys, and figures are wrong, uncounted"
        print(f"{warning}; set it to noeviction", file=sys.stderr)
    if arguments.json:
        print(json.dumps({"library": outcome, "version": LIBRARY_VERSION, "shards": shards}))
    else:
        print(f"function library {LIBRARY_VERSION} on {hide_password(options.server.url)}: {_TOLD[outcome]}")
    return DONE
