"""Answers the tests of a channel that people ask for at the console."""

import logging
import threading
from collections.abc import Callable

from barograph_core.clock import Clock
from barograph_core.errors import BarographError, MalformedEventError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.pipeline.channel_tests import STALE_MS, ChannelTest, ChannelTests
from barograph_core.server.connection import Connection
from barograph_notifier.sending.trying import TriedChannel, try_channel

log = logging.getLogger(__name__)


class ChannelTester:
    """Looks for tests when it is told to, and sends in a thread of its own: a slow target must hold up no alert."""

    def __init__(
        self,
        connection: Connection,
        keys: ShardKeys,
        tried: TriedChannel,
        clock: Clock,
        connect: Callable[[], Connection],
    ) -> None:
        self._tests = ChannelTests(connection, keys)
        self._keys = keys
        self._tried = tried
        self._clock = clock
        self._connect = connect
        self._thread: threading.Thread | None = None

    def look(self) -> None:
        """Take one test that waits, unless one is under way.

        Raises:
            StreamUnavailableError: The server is gone.
        """
        if self._thread is not None and self._thread.is_alive():
            return
        try:
            test = self._tests.take(self._tried.name)
        except MalformedEventError as error:
            log.warning("channel.test_unreadable", extra={"channel": self._tried.name, "reason": error.reason})
            return
        if test is None or self._clock.now_ms() - test.at_ms > STALE_MS:
            return
        self._thread = threading.Thread(target=self._answer, args=(test,), name="notifier-channel-test", daemon=True)
        self._thread.start()

    def _answer(self, test: ChannelTest) -> None:
        tried = try_channel(self._tried, self._clock, sent_by=f"{test.actor} at the console")
        facts = {"channel": test.channel, "actor": test.actor, "results": [one.result for one in tried]}
        log.info("channel.tested", extra=facts)
        connection = self._connect()
        try:
            ChannelTests(connection, self._keys).tell(test, tried, self._clock.now_ms())
        except BarographError as error:
            log.warning("channel.test_untold", extra={"channel": test.channel, "error": str(error)})
        finally:
            connection.close()
