"""Asks notifiers to try channels, for many threads."""

from barograph_console.store.connection_pool import ConnectionPool
from barograph_core.keyspace.layout import LayoutView
from barograph_core.pipeline.channel_tests import ChannelTest, ChannelTests, TriedMessage
from barograph_core.server.connection import Connection


class RedisChannels:
    """See ``ChannelTester``. Tests lie on the first shard: a notifier serves every channel on each."""

    def __init__(self, pool: ConnectionPool, layouts: LayoutView) -> None:
        self._pool = pool
        self._layouts = layouts

    def ask(self, test: ChannelTest) -> bool:
        with self._pool.borrow() as connection:
            return self._tests(connection).ask(test)

    def answer_to(self, test_id: str) -> list[TriedMessage] | None:
        with self._pool.borrow() as connection:
            return self._tests(connection).answer_to(test_id)

    def _tests(self, connection: Connection) -> ChannelTests:
        return ChannelTests(connection, self._layouts.current(connection).shards[0])
