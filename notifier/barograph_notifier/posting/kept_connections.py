"""Connections to one target that are kept for the next request."""

import contextlib
import select
import socket
import threading
from dataclasses import dataclass
from typing import Final

from barograph_core.clock import Clock

# Servers close idle connections after some seconds, the shortest common time being 5 s.
_IDLE_MS: Final = 4_000
# A new connection resolves and checks the name again, so that a target that moves is found.
_AGE_MS: Final = 60_000
_MOST: Final = 64


@dataclass(frozen=True, slots=True)
class Kept:
    """A connection that has had a request.

    Attributes:
        opened_ms: When it was made, by the monotonic clock.
        used_ms: When its last answer came.
    """

    sock: socket.socket
    opened_ms: float
    used_ms: float


class KeptConnections:
    """Holds idle connections. Threads may share it; each connection is with one of them at a time.

    All of them go to addresses that were checked: none is made here.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._idle: list[Kept] = []
        self._lock = threading.Lock()

    def __del__(self) -> None:
        # They end with the channel that they belong to, which has no end of its own.
        for kept in self._idle:
            _close(kept.sock)

    def take(self) -> Kept | None:
        """Return the connection that was used last, ``None`` if none can be used any more."""
        while True:
            with self._lock:
                kept = self._idle.pop() if self._idle else None
            if kept is None or self._is_usable(kept):
                return kept
            _close(kept.sock)

    def _is_usable(self, kept: Kept) -> bool:
        now_ms = self._clock.monotonic_ms()
        if now_ms - kept.used_ms > _IDLE_MS or now_ms - kept.opened_ms > _AGE_MS:
            return False
        # Nothing is due to be read: it would be the end of the connection, or an answer that no one asked for.
        poll = select.poll()
        poll.register(kept.sock, select.POLLIN)
        return not poll.poll(0)

    def give(self, sock: socket.socket, opened_ms: float) -> None:
        """Keep a connection for the next request."""
        now_ms = self._clock.monotonic_ms()
        with self._lock:
            self._idle.append(Kept(sock, opened_ms, now_ms))
            # The oldest come first, and go first.
            gone = [kept for kept in self._idle if now_ms - kept.used_ms > _IDLE_MS]
            gone += self._idle[len(gone) : max(len(gone), len(self._idle) - _MOST)]
            self._idle = self._idle[len(gone) :]
        for kept in gone:
            _close(kept.sock)


def _close(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.close()
