"""Wires the console: ``barograph console`` or ``python -m barograph_console``."""

import logging
import sys
import threading
from collections.abc import Sequence

from barograph_console.app import create_app
from barograph_console.connection_pool import ConnectionPool
from barograph_console.ports import Ports
from barograph_console.redis_alerts import RedisAlerts
from barograph_console.redis_ports import RedisHealth, RedisPanes, RedisPipeline
from barograph_console.serving import CannotListenError, bind, serve_http, url_of
from barograph_console.settings import ConsoleSettings
from barograph_core.clock import SystemClock
from barograph_core.errors import Problem, SettingsError
from barograph_core.layout import LayoutView
from barograph_core.stream import Connection
from barograph_core.worker import Start, begin, guarded, stop_on_signals, wait_for_library

log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the console until SIGTERM or SIGINT.

    Returns:
        0 after an orderly stop, 1 when it cannot listen, 2 for wrong settings.
    """
    return guarded(lambda: _run(argv))


def make_pool(start: Start[ConsoleSettings]) -> ConnectionPool:
    """Return the pool of connections to the server of ``start``.

    Raises:
        SettingsError: The URL cannot be read.
    """
    timeout_s = start.stage.server_timeout_ms / 1_000

    def open_connection() -> Connection:
        return Connection.open(start.server.url, socket_timeout_s=timeout_s, client_name="barograph-console")

    try:
        # Sends nothing; a URL that nobody can read must be known now and not with the first request.
        open_connection().close()
    except ValueError as error:
        raise SettingsError([Problem(start.config.where("server", "url"), "server.url", str(error))]) from error
    return ConnectionPool(open_connection, size=start.stage.connections, wait_s=timeout_s)


def make_ports(start: Start[ConsoleSettings], pool: ConnectionPool, clock: SystemClock) -> Ports:
    """Return the ports over the server of ``start``."""
    layouts = LayoutView(start.server.prefix, clock)
    return Ports(
        panes=RedisPanes(pool, layouts, start.server.steps),
        alerts=RedisAlerts(pool, layouts),
        pipeline=RedisPipeline(pool, layouts),
        health=RedisHealth(pool, layouts, clock),
    )


def _run(argv: Sequence[str] | None) -> int:
    start = begin("console", argv, ConsoleSettings)
    settings, clock = start.stage, SystemClock()
    pool = make_pool(start)
    app = create_app(make_ports(start, pool, clock), settings, clock)
    if settings.is_exposed:
        log.warning("console.anonymous", extra={"host": settings.host})
        _tell(f"warning: the console listens on {settings.host} and lets everybody in (allow_anonymous)")
    stop = stop_on_signals()
    try:
        listener = bind(settings.host, settings.port)
    except CannotListenError as error:
        _tell(f"barograph console: {error}")
        return 1
    # In a thread of its own: the console must answer, if only with 503, while the server is away.
    threading.Thread(target=_load_library, args=(start.server.url, stop), daemon=True).start()
    url = url_of(listener)
    serve_http(app, listener, lambda: print(f"barograph console ready on {url}", flush=True))  # noqa: T201
    stop.set()
    pool.close()
    return 0


def _load_library(url: str, stop: threading.Event) -> None:
    connection = Connection.open(url)
    wait_for_library(connection, stop)
    connection.close()


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - for the person who started us


if __name__ == "__main__":
    sys.exit(main())
