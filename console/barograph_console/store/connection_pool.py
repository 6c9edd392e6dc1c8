"""A few connections, each lent to one request's thread at a time."""

import contextlib
import queue
from collections.abc import Callable, Generator

from barograph_core.errors import StreamUnavailableError
from barograph_core.server.connection import Connection


class ConnectionPool:
    """Lends connections; a ``Connection`` is for one thread, and FastAPI runs requests in many.

    Bounded, so that a crowd of readers waits here instead of crowding the server out of its producers.
    """

    def __init__(self, open_connection: Callable[[], Connection], *, size: int, wait_s: float) -> None:
        self._open = open_connection
        self._wait_s = wait_s
        # Last in, first out: the warm connection is lent again; None stands for one not opened yet.
        self._idle: queue.LifoQueue[Connection | None] = queue.LifoQueue()
        for _ in range(size):
            self._idle.put(None)
        self._size = size

    @contextlib.contextmanager
    def borrow(self) -> Generator[Connection]:
        """Lend a connection for a ``with`` block.

        Raises:
            StreamUnavailableError: All are lent and none came back in time (``timeout``).
        """
        try:
            connection = self._idle.get(timeout=self._wait_s)
        except queue.Empty:
            raise StreamUnavailableError("timeout", "every connection is in use") from None
        try:
            connection = connection or self._open()
            yield connection
        finally:
            self._idle.put(connection)

    def close(self) -> None:
        """Close the connections that are not lent. A later request opens them again."""
        for _ in range(self._size):
            with contextlib.suppress(queue.Empty):
                connection = self._idle.get_nowait()
                if connection is not None:
                    connection.close()
                self._idle.put(None)
