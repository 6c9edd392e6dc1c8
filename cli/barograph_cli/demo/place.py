"""Where a demo run lives: a fresh directory, or fresh keys on a server that is named, so that runs do not mix."""

import os
import secrets
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from barograph_cli.demo.config import SERVICE, demo_config
from barograph_cli.failure import CommandError
from barograph_cli.local.ports import free_port, is_port_free
from barograph_cli.local.stages import local_url
from barograph_cli.local.state_dir import LOCK_FILE
from barograph_cli.options import open_connection
from barograph_core.errors import BarographError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.replies import as_bytes, as_list
from barograph_core.settings.server import ServerSettings

RUNS_KEPT: Final = 5
DEFAULT_CONSOLE_PORT: Final = 8642
CONFIG_FILE: Final = "barograph.toml"
_SCAN_COUNT: Final = 500


@dataclass(frozen=True, slots=True)
class Place:
    """What belongs to one run alone.

    Attributes:
        directory: Configuration, logs, and the data of the embedded server.
        settings: The server; its URL counts only when ``is_named``.
        console_port: Where the console listens.
        service_port: Where the API listens.
    """

    directory: Path
    settings: ServerSettings
    is_named: bool
    console_host: str
    console_port: int
    service_port: int

    @property
    def page_url(self) -> str:
        """Return where the console shows the demo's service."""
        return f"{local_url(self.console_host, self.console_port)}/?service={SERVICE}&range=5m"

    @property
    def config(self) -> Path:
        return self.directory / CONFIG_FILE

    @property
    def logs(self) -> Path:
        return self.directory / "logs"

    @property
    def ledger(self) -> Path:
        return self.directory / "load.json"

    @property
    def keys(self) -> ShardKeys:
        return ShardKeys(self.settings.prefix)

    def write_config(self, webhook_url: str) -> None:
        self.config.write_text(demo_config(webhook_url), encoding="utf-8")


def make_place(state_dir: Path, settings: ServerSettings, *, host: str, port: int | None, is_named: bool) -> Place:
    """Make the directory of a new run, and remove those of old ones except for the newest few.

    Raises:
        CommandError: The port that was asked for is in use.
    """
    if port and not is_port_free(host, port):
        raise CommandError(f"{host}:{port} is in use: choose another port with --port")
    # Take a free port where the default one is in use, for example by `barograph up`.
    usual = DEFAULT_CONSOLE_PORT if port is None and is_port_free(host, DEFAULT_CONSOLE_PORT) else 0
    runs = state_dir / "demo"
    runs.mkdir(exist_ok=True)
    remove_old_runs(runs, RUNS_KEPT - 1)
    directory = runs / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}"
    directory.mkdir()
    return Place(
        directory=directory,
        settings=replace(settings, prefix=f"demo-{secrets.token_hex(4)}") if is_named else settings,
        is_named=is_named,
        console_host=host,
        console_port=port or usual or free_port(),
        service_port=free_port(),
    )


def remove_old_runs(runs: Path, kept: int) -> None:
    """Remove all but the newest ``kept`` runs; a run that still goes on stays."""
    directories = sorted((path for path in runs.iterdir() if path.is_dir()), key=lambda path: path.name)
    for directory in directories[: max(0, len(directories) - kept)]:
        if not _is_in_use(directory):
            shutil.rmtree(directory, ignore_errors=True)


def _is_in_use(directory: Path) -> bool:
    try:
        holder = int((directory / LOCK_FILE).read_text(encoding="utf-8"))
        os.kill(holder, 0)
    except (OSError, ValueError):
        return False
    return True


def drop_keys(settings: ServerSettings) -> None:
    """Delete the keys of a run from a server that is not ours; they all begin with the run's own prefix."""
    connection = open_connection(settings.url, "barograph-demo")
    cursor = b"0"
    try:
        while True:
            reply = as_list(connection.command("SCAN", cursor, "MATCH", f"{settings.prefix}:*", "COUNT", _SCAN_COUNT))
            cursor = as_bytes(reply[0])
            found = [as_bytes(key) for key in as_list(reply[1])]
            connection.pipeline([("UNLINK", key) for key in found])
            if cursor == b"0":
                return
    except BarographError:
        # The server has gone; the keys carry expiries or stay until someone deletes the prefix.
        return
    finally:
        connection.close()
