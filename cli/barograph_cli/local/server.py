"""Opens the server that ``up`` and ``demo`` work on: one that is named, or the embedded one."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from barograph_cli.failure import CommandError
from barograph_cli.local.embedded import EmbeddedServer
from barograph_cli.manage.install import install
from barograph_cli.options import open_connection
from barograph_core.clock import Clock
from barograph_core.errors import StreamUnavailableError
from barograph_core.settings.secrets import hide_password
from barograph_core.settings.server import ServerSettings

_SERVER_PATIENCE_MS: Final = 15_000


@dataclass(frozen=True, slots=True)
class StreamServer:
    """The server that holds the streams, and the embedded one behind it when it is ours.

    Attributes:
        has_newer_library: Whether it holds a newer function library than ours, which stays in place.
    """

    settings: ServerSettings
    embedded: EmbeddedServer | None
    has_newer_library: bool = False

    def environ(self, config: Path | None) -> dict[str, str]:
        """Return the environment by which the stages find the server."""
        variables = {
            "BAROGRAPH_URL": self.settings.url,
            "BAROGRAPH_PREFIX": self.settings.prefix,
            "BAROGRAPH_SHARDS": str(self.settings.shards),
        }
        return variables if config is None else {**variables, "BAROGRAPH_CONFIG": str(config.resolve())}

    def revive(self, say: Callable[[str], None]) -> None:
        """Start the embedded server again if it died.

        Raises:
            CommandError: It does not start.
        """
        if self.embedded is not None and not self.embedded.is_alive():
            say("the embedded server ended; starting it again")
            self.embedded.restart()

    def stop(self) -> None:
        if self.embedded is not None:
            self.embedded.stop()


def open_server(
    settings: ServerSettings,
    state_dir: Path,
    *,
    is_named: bool,
    clock: Clock,
    wanted_port: int = 0,
    is_protected: bool = False,
) -> StreamServer:
    """Start the embedded server, or take the one that is named, and install the library.

    Args:
        settings: The named server; only the prefix and the shards count for the embedded one.
        state_dir: Of the embedded server.
        is_named: Whether ``settings`` name a server.
        clock: Measures how long a server may load.
        wanted_port: As ``EmbeddedServer.start`` takes it.
        is_protected: Whether the embedded server asks for a password.

    Raises:
        CommandError: It does not start or does not answer.
        BarographError: It refuses.
    """
    if is_named:
        server = StreamServer(settings, None)
    else:
        embedded = EmbeddedServer.start(state_dir, wanted_port, is_protected=is_protected)
        server = StreamServer(replace(settings, url=embedded.url), embedded)
    try:
        outcome = _install_when_loaded(server, clock)
    except BaseException:
        server.stop()
        raise
    return replace(server, has_newer_library=outcome == "newer")


def _install_when_loaded(server: StreamServer, clock: Clock) -> str:
    """Install the library, and return what became of it; a server that still loads its data gets some time."""
    deadline_ms = clock.monotonic_ms() + _SERVER_PATIENCE_MS
    connection = open_connection(server.settings.url, "barograph-install")
    pause = threading.Event()
    try:
        while True:
            try:
                return install(connection, server.settings)
            except StreamUnavailableError as error:
                is_waiting = error.reason in ("loading", "timeout") and clock.monotonic_ms() < deadline_ms
                if not is_waiting:
                    url = hide_password(server.settings.url)
                    raise CommandError(f"the server {url} does not answer: {error}") from error
            pause.wait(0.2)
    finally:
        connection.close()
