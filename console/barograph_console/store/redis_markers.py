"""The markers of all shards, for many threads."""

from barograph_console.store.connection_pool import ConnectionPool
from barograph_core.keyspace.layout import LayoutView
from barograph_core.markers.marker import Marker
from barograph_core.markers.store import add_marker, read_markers


class RedisMarkers:
    """See ``MarkerBook``."""

    def __init__(self, pool: ConnectionPool, layouts: LayoutView) -> None:
        self._pool = pool
        self._layouts = layouts

    def of(self, service: str) -> list[Marker]:
        with self._pool.borrow() as connection:
            return read_markers(connection, self._layouts.current(connection).keys_of(service), service)

    def add(self, marker: Marker) -> Marker:
        with self._pool.borrow() as connection:
            return add_marker(connection, self._layouts.current(connection).keys_of(marker.service), marker)
