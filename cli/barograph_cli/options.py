"""Options that the commands share: the server's address, the configuration file, and the shards."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass

from barograph_cli.failure import USAGE, CommandError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.keyspace.layout import read_layout
from barograph_core.server.connection import Connection
from barograph_core.settings.config_file import ConfigFile, load_config
from barograph_core.settings.load import add_arguments, build_settings
from barograph_core.settings.server import ServerSettings


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where the streams are, and what the configuration file says."""

    server: ServerSettings
    config: ConfigFile

    def connect(self, client_name: str) -> Connection:
        """Make a connection; nothing is sent before its first command.

        Raises:
            CommandError: The URL cannot be read.
        """
        return open_connection(self.server.url, client_name)


def open_connection(url: str, client_name: str) -> Connection:
    """Make a connection to ``url``.

    Raises:
        CommandError: The URL cannot be read.
    """
    try:
        return Connection.open(url, client_name=client_name)
    except ValueError as error:
        raise CommandError(f"--url: {error}", USAGE) from error


def add_server_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--config``, ``--url``, ``--prefix`` and ``--shards``."""
    parser.add_argument("--config", help="configuration file; BAROGRAPH_CONFIG; default ./barograph.toml")
    add_arguments(parser, ServerSettings, "server")


def read_server_options(arguments: argparse.Namespace, environ: Mapping[str, str]) -> ServerOptions:
    """Return what flags, environment and file say about the server.

    Raises:
        SettingsError: With every mistake in them.
    """
    config = load_config(arguments.config, environ)
    return ServerOptions(build_settings(ServerSettings, "server", vars(arguments), environ, config), config)


def read_shards(connection: Connection, server: ServerSettings) -> list[ShardKeys]:
    """Return the keys of every shard on the server; what the settings say matters only before the first start."""
    return read_layout(connection, server.prefix).shards
