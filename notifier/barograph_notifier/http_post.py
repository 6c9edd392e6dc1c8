"""One HTTP POST to one address, within one deadline.

Standard library on purpose: the connection goes to the address that was checked and nowhere else,
nothing follows a redirect or tries again, and no library's log line shows the URL, whose path is often
the secret.
"""

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from barograph_core.clock import Clock
from barograph_core.errors import ChannelUnavailableError

MAX_ANSWER_BYTES: Final = 4_096
_MAX_ADDRESSES: Final = 4


@dataclass(frozen=True, slots=True)
class Target:
    """Where to post.

    Attributes:
        host: As in the URL, for the Host header, SNI and the certificate check.
        path: Path and query; hidden, because it is often a secret.
        tls: ``None`` for plain HTTP.
    """

    host: str
    port: int
    path: str = field(repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    @property
    def host_header(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (443 if self.tls else 80) else f"{name}:{self.port}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        headers: Names in lower case; of repeated ones the last.
        body: At most ``MAX_ANSWER_BYTES`` of it; empty when it broke off.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


def post(
    target: Target, addresses: Sequence[str], body: bytes, headers: Mapping[str, str], *, timeout_s: float, clock: Clock
) -> Answer:
    """Send ``body`` to ``target`` at the first of ``addresses`` that takes a connection; return the answer.

    A status that arrived is the answer, whatever becomes of the body behind it.

    Args:
        target: Whom we speak to.
        addresses: Its checked IP addresses, at least one.
        body: The whole request body.
        headers: Beside Host and Content-Length.
        timeout_s: Bound on everything, a peer that sends a byte now and then included.
        clock: Measures it.

    Raises:
        ChannelUnavailableError: There was no answer; the text names no path and no header.
    """
    deadline = _Deadline(timeout_s, clock)
    connection = http.client.HTTPConnection(target.host, target.port, timeout=timeout_s)
    try:
        connection.sock = _connect(target, addresses, deadline)
        # endheaders() would call connect(), and that would resolve the name again, if there were no socket.
        connection.auto_open = 0
        connection.putrequest("POST", target.path, skip_host=True, skip_accept_encoding=True)
        every = {"Host": target.host_header, "Content-Length": str(len(body)), "Connection": "close"}
        for name, value in {**headers, **every}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        return Answer(
            response.status,
            {name.lower(): value for name, value in response.getheaders()},
            _start_of_body(response),
        )
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ChannelUnavailableError(_why(error, deadline)) from error
    finally:
        deadline.cancel()
        connection.close()


class _Deadline:
    """Shuts a socket down when its time is over.

    A socket's own timeout starts anew with each byte, so a peer that drips could hold us for hours.
    """

    def __init__(self, timeout_s: float, clock: Clock) -> None:
        self._clock = clock
        self._end_ms = clock.monotonic_ms() + timeout_s * 1_000
        self._is_over = threading.Event()
        self.has_passed = False

    @property
    def left_s(self) -> float:
        return max((self._end_ms - self._clock.monotonic_ms()) / 1_000, 0.001)

    def watch(self, sock: socket.socket) -> None:
        """Guard the connection of ``sock``, which is ours from now on."""
        threading.Thread(target=self._guard, args=[sock], name="barograph-deadline", daemon=True).start()

    def _guard(self, sock: socket.socket) -> None:
        with sock:
            if self._is_over.wait(self.left_s):
                return
            self.has_passed = True
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def cancel(self) -> None:
        self._is_over.set()


def _connect(target: Target, addresses: Sequence[str], deadline: _Deadline) -> socket.socket:
    sock = _first_that_answers(target.port, addresses, deadline)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A duplicate: wrap_socket detaches the plain socket, and this one shuts down the same connection.
        deadline.watch(sock.dup())
        sock.settimeout(deadline.left_s)
        if target.tls is None:
            return sock
        return target.tls.wrap_socket(sock, server_hostname=target.host)
    except BaseException:
        sock.close()
        raise


def _first_that_answers(port: int, addresses: Sequence[str], deadline: _Deadline) -> socket.socket:
    *others, last = addresses[:_MAX_ADDRESSES]
    for address in others:
        with contextlib.suppress(OSError):
            # Half of what is left, so that a silent first address leaves time for the next.
            return socket.create_connection((address, port), timeout=deadline.left_s / 2)
    return socket.create_connection((last, port), timeout=deadline.left_s)


def _start_of_body(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read(MAX_ANSWER_BYTES)
    except (OSError, http.client.HTTPException, ValueError):
        return b""


def _why(error: Exception, deadline: _Deadline) -> str:
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
