"""Takes alerts that other programs push, for many threads."""

from collections.abc import Sequence

from barograph_console.store.connection_pool import ConnectionPool
from barograph_core.clock import Clock
from barograph_core.keyspace.layout import LayoutView
from barograph_core.pushed.pushed_alert import PushedAlert
from barograph_core.pushed.pushing import PushedAlerts, RefusedPush


class RedisPushes:
    """See ``PushTarget``."""

    def __init__(self, pool: ConnectionPool, layouts: LayoutView, base_step_ms: int, clock: Clock) -> None:
        self._pool = pool
        self._layouts = layouts
        self._step_ms = base_step_ms
        self._clock = clock

    def push(self, alerts: Sequence[PushedAlert]) -> list[RefusedPush]:
        with self._pool.borrow() as connection:
            taken = PushedAlerts(connection, self._layouts.current(connection), self._step_ms)
            return taken.push(alerts, self._clock.now_ms())
