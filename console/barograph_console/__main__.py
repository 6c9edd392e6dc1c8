"""Wires the console: ``barograph console`` or ``python -m barograph_console``."""

import logging
import sys
import threading
from collections.abc import Sequence
from typing import Final

from barograph_console.alertmanager.redis_pushes import RedisPushes
from barograph_console.app import create_app
from barograph_console.channels.redis_channels import RedisChannels
from barograph_console.live.stream import LiveStream
from barograph_console.serving.server import CannotListenError, bind, serve_http, url_of
from barograph_console.settings import ConsoleSettings
from barograph_console.store.connection_pool import ConnectionPool
from barograph_console.store.ingest.event_log import EventLog
from barograph_console.store.ingest.redis_event_log import RedisEventLog
from barograph_console.store.ports import AccessSource, Ports
from barograph_console.store.redis_access import RedisAccess
from barograph_console.store.redis_alerts import RedisAlerts
from barograph_console.store.redis_changes import RedisChanges
from barograph_console.store.redis_markers import RedisMarkers
from barograph_console.store.redis_ports import RedisHealth, RedisPanes, RedisPipeline
from barograph_console.store.redis_rules import RedisRules
from barograph_console.store.redis_silences import RedisSilences
from barograph_core.clock import SystemClock
from barograph_core.errors import BarographError, Problem, SettingsError
from barograph_core.keyspace.layout import LayoutView
from barograph_core.server.connection import Connection
from barograph_core.workers.process import Start, begin, guarded, stop_on_signals, wait_for_library

log = logging.getLogger(__name__)
_ACCESS_CONNECTIONS: Final = 2
# Apart from those of readers: whole batches of events go through them.
_EVENT_CONNECTIONS: Final = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the console until SIGTERM or SIGINT.

    Returns:
        0 after an orderly stop, 1 when it cannot listen, 2 for wrong settings.
    """
    return guarded(lambda: _run(argv))


def make_pool(start: Start[ConsoleSettings], size: int) -> ConnectionPool:
    """Return a pool of ``size`` connections to the server of ``start``.

    Raises:
        SettingsError: The URL cannot be read.
    """
    timeout_s = start.stage.server_timeout_ms / 1_000

    def open_connection() -> Connection:
        return Connection.open(start.server.url, socket_timeout_s=timeout_s, client_name="barograph-console")

    try:
        # Sends nothing; a URL that no one can read must be known now and not with the first request.
        open_connection().close()
    except ValueError as error:
        raise SettingsError([Problem(start.config.where("server", "url"), "server.url", str(error))]) from error
    return ConnectionPool(open_connection, size=size, wait_s=timeout_s)


def make_ports(
    start: Start[ConsoleSettings], pool: ConnectionPool, access: AccessSource, events: EventLog, clock: SystemClock
) -> Ports:
    """Return the ports over the server of ``start``."""
    layouts = LayoutView(start.server.prefix, clock)
    return Ports(
        panes=RedisPanes(pool, layouts, start.server.steps),
        alerts=RedisAlerts(pool, layouts),
        pipeline=RedisPipeline(pool, layouts),
        health=RedisHealth(pool, layouts, clock),
        access=access,
        rules=RedisRules(pool, start.server.prefix, clock),
        silences=RedisSilences(pool, layouts, clock),
        pushes=RedisPushes(pool, layouts, start.server.steps[0].step_ms, clock),
        markers=RedisMarkers(pool, layouts),
        events=events,
        channels=RedisChannels(pool, layouts),
    )


def _run(argv: Sequence[str] | None) -> int:
    start = begin("console", argv, ConsoleSettings)
    settings, clock = start.stage, SystemClock()
    pool, access_pool = make_pool(start, settings.connections), make_pool(start, _ACCESS_CONNECTIONS)
    event_pool = make_pool(start, _EVENT_CONNECTIONS)
    access = RedisAccess(access_pool, start.server.prefix)
    if settings.require_token and not settings.has_tokens and _has_no_token(access):
        _tell("barograph console: require_token is set and there is no token: `barograph token create` makes one")
        return 2
    ports = make_ports(start, pool, access, RedisEventLog(event_pool, start.server.prefix), clock)
    changes = RedisChanges(pool, LayoutView(start.server.prefix, clock), lambda: _connect_live(start))
    live = LiveStream(ports, changes, settings, clock)
    app = create_app(ports, settings, clock, live)
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
    serve_http(app, listener, lambda: print(f"barograph console ready on {url}", flush=True), live.stop)  # noqa: T201
    stop.set()
    pool.close()
    access_pool.close()
    event_pool.close()
    return 0


def _connect_live(start: Start[ConsoleSettings]) -> Connection:
    # It waits for changes up to a second at a time, and for the reply as long as others do.
    timeout_s = 1.0 + start.stage.server_timeout_ms / 1_000
    return Connection.open(start.server.url, socket_timeout_s=timeout_s, client_name="barograph-console-live")


def _has_no_token(access: RedisAccess) -> bool:
    """Say whether the server answers and holds no token. Without an answer the console starts, closed to everyone."""
    try:
        return not access.tokens()
    except BarographError:
        return False


def _load_library(url: str, stop: threading.Event) -> None:
    connection = Connection.open(url)
    wait_for_library(connection, stop)
    connection.close()


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - for the person who started us


if __name__ == "__main__":
    sys.exit(main())
