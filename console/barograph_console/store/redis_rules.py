"""The rules that alerters published, for many threads."""

import threading
from typing import Final

from barograph_console.store.connection_pool import ConnectionPool
from barograph_core.alerts.published_rules import PublishedRules, read_rules
from barograph_core.clock import Clock

# They change only when an alerter starts, and each tick of each service asks for them.
_AGE_MS: Final = 1_000


class RedisRules:
    """See ``RuleSource``."""

    def __init__(self, pool: ConnectionPool, prefix: str, clock: Clock) -> None:
        self._pool = pool
        self._prefix = prefix
        self._clock = clock
        self._lock = threading.Lock()
        self._read_ms = float("-inf")
        self._known: PublishedRules | None = None

    def read(self) -> PublishedRules | None:
        with self._lock:
            now_ms = self._clock.monotonic_ms()
            if now_ms - self._read_ms >= _AGE_MS:
                with self._pool.borrow() as connection:
                    self._known = read_rules(connection, self._prefix)
                self._read_ms = now_ms
            return self._known
