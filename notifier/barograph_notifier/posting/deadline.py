"""The end of an attempt, and the connection to a target within it."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Sequence
from typing import Final

from barograph_core.clock import Clock

_MAX_ADDRESSES: Final = 4


class Deadline:
    """Shuts sockets down when its time is over.

    A socket's own timeout starts over with each byte, so a slow peer could hold us for hours.
    """

    def __init__(self, timeout_s: float, clock: Clock) -> None:
        self._clock = clock
        self._end_ms = clock.monotonic_ms() + timeout_s * 1_000
        # Held until the attempt is over. An event would be dearer to make, and most attempts have no guard at all.
        self._under_way = threading.Lock()
        self._under_way.acquire()
        self._has_shut = False

    @property
    def has_passed(self) -> bool:
        """Say whether the time is over: a socket's own timeout may tell of it before the guard does."""
        return self._has_shut or self._clock.monotonic_ms() >= self._end_ms

    @property
    def left_s(self) -> float:
        """Return the seconds left, at least 0.001: a timeout of 0 would mean a socket that does not block."""
        return max((self._end_ms - self._clock.monotonic_ms()) / 1_000, 0.001)

    def watch(self, sock: socket.socket) -> None:
        """Guard the connection of ``sock``, and own ``sock`` from now on: pass a duplicate of the one in use."""
        threading.Thread(target=self._guard, args=[sock], name="barograph-deadline", daemon=True).start()

    def _guard(self, sock: socket.socket) -> None:
        with sock:
            if self._under_way.acquire(timeout=self.left_s):
                # For the guards of other connections.
                self._under_way.release()
                return
            self._has_shut = True
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def cancel(self) -> None:
        """End the watch: the attempt is over."""
        with contextlib.suppress(RuntimeError):
            self._under_way.release()


def connect(addresses: Sequence[str], port: int, deadline: Deadline) -> socket.socket:
    """Return a connection to the first of ``addresses`` that answers, watched by ``deadline``.

    Raises:
        OSError: No address accepts a connection in time.
    """
    sock = _first_that_answers(port, addresses, deadline)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Watch a duplicate: wrap_socket detaches the plain socket, and the duplicate shuts down the same connection.
        deadline.watch(sock.dup())
        sock.settimeout(deadline.left_s)
    except BaseException:
        sock.close()
        raise
    return sock


def _first_that_answers(port: int, addresses: Sequence[str], deadline: Deadline) -> socket.socket:
    *others, last = addresses[:_MAX_ADDRESSES]
    for address in others:
        with contextlib.suppress(OSError):
            # Use half of the time left, so that a silent first address leaves time for the next.
            return socket.create_connection((address, port), timeout=deadline.left_s / 2)
    return socket.create_connection((last, port), timeout=deadline.left_s)


def why(error: Exception, deadline: Deadline) -> str:
    """Return the reason of a failed exchange in a few words that hold no secret."""
    if deadline.has_passed or isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"tls: {error.reason or type(error).__name__}"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, OSError) and error.strerror:
        return f"connection: {error.strerror}"
    return f"connection: {type(error).__name__}"
