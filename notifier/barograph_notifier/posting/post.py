"""One HTTP POST over a connection to an address that was checked, within one deadline.

It uses the standard library on purpose: the connection goes only to the address that was checked, no redirect is
followed, and no library logs the URL, whose path is often the secret.
"""

import contextlib
import http.client
import io
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from barograph_core.errors import ChannelUnavailableError
from barograph_notifier.posting.deadline import Deadline, connect, why
from barograph_notifier.posting.proxy import Proxy, open_tunnel
from barograph_notifier.posting.target import Target

# Enough for what Slack's Web API answers: it quotes the whole message back.
MAX_ANSWER_BYTES: Final = 65_536
# Of the first read: most answers are shorter.
_FIRST_BYTES: Final = 8_192
# A status line, and header lines that end as they should.
_SHORT_HEAD: Final = re.compile(rb"HTTP/1\.1 ([2-5][0-9]{2})(?: [^\r\n]*)?((?:\r\n[^\r\n:\s][^\r\n]*){0,100})\Z")
# Limit of the time to read a body that no one wants, so that the connection can be kept.
_DRAIN_S: Final = 0.1
# Those of the standard library.
_MOST_HEADERS: Final = 100
_LONGEST_HEADER: Final = 65_536


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """The answer to a POST.

    Attributes:
        headers: Values by names in lower case; the last value of a repeated header.
        body: The first ``MAX_ANSWER_BYTES`` of the body; empty when it was cut off, or not asked for.
        is_reusable: Whether the connection can take another request.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_reusable: bool = False


class StaleConnectionError(Exception):
    """A kept connection ended before the first byte of the answer: the server had closed it meanwhile."""


def open_connection(
    target: Target, addresses: Sequence[str], deadline: Deadline, proxy: Proxy | None = None
) -> socket.socket:
    """Return a connection to the first of ``addresses`` that answers, encrypted if the target wants that.

    With a proxy, ``addresses`` are those of the proxy.

    Raises:
        ChannelUnavailableError: There is none in time. Nothing was sent.
    """
    try:
        sock = connect(addresses, proxy.port if proxy else target.port, deadline)
        if target.tls is None:
            return sock
        try:
            if proxy:
                open_tunnel(sock, proxy, target, deadline)
            return target.tls.wrap_socket(sock, server_hostname=target.host)
        except BaseException:
            sock.close()
            raise
    except (OSError, ValueError) as error:
        raise ChannelUnavailableError(why(error, deadline)) from error


def head_of(target: Target, headers: Mapping[str, str], *, keeps_alive: bool) -> bytes:
    """Return the request up to the value of its last header, Content-Length.

    Raises:
        ValueError: A header would end the line. The readers of channels refuse such ones.
    """
    every = {**headers, "Host": target.host_header, **({} if keeps_alive else {"Connection": "close"})}
    lines = [f"POST {target.path} HTTP/1.1", *(f"{name}: {value}" for name, value in every.items())]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a header holds the end of a line")
    return "\r\n".join([*lines, "Content-Length: "]).encode("latin-1")


def exchange(
    sock: socket.socket, head: bytes, body: bytes, deadline: Deadline, *, reads_body: bool, is_kept: bool = False
) -> HttpAnswer:
    """Send a request and return the answer.

    Once the status has arrived there is an answer, even if the body is cut off.

    Args:
        sock: The connection; ``is_kept`` says whether it has had a request before.
        head: See ``head_of``.
        body: The whole request body.
        deadline: Limit of the whole exchange, even with a peer that sends a byte now and then.
        reads_body: Whether to read the body of a success too. Where the status says it all, a body without an end
            would only hold the sender until its time is over.
        is_kept: See ``sock``.

    Raises:
        StaleConnectionError: A kept connection was closed.
        ChannelUnavailableError: There was no answer; the message names no path and no header. It says whether the
            request may have arrived.
    """
    received = _Received(sock, deadline)
    try:
        sock.settimeout(deadline.left_s)
        sock.sendall(b"%b%d\r\n\r\n%b" % (head, len(body), body))
        return received.short_answer(reads_body=reads_body) or _answer(received, reads_body=reads_body)
    except (OSError, http.client.HTTPException, ValueError) as error:
        if is_kept and not received.has_begun and not deadline.has_passed:
            raise StaleConnectionError from error
        raise ChannelUnavailableError(why(error, deadline), may_have_arrived=True) from error


class _Received(io.RawIOBase):
    """What comes over a connection. Each wait for more ends with the deadline.

    Attributes:
        has_begun: Whether a byte has come.
        is_over: Whether nothing more is read.
        has_rest: Whether more came than was read.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline
        self.has_begun = False
        self.is_over = False
        self.has_rest = False
        # Ends a wait sooner than the deadline.
        self.longest_s = deadline.left_s
        # What came first, to be read again.
        self._first = b""

    def readable(self) -> bool:
        return True

    def short_answer(self, *, reads_body: bool) -> HttpAnswer | None:
        """Return the answer if it came whole and at once, as most do; ``None`` leaves it to the careful reader."""
        self._first = self._sock.recv(_FIRST_BYTES)
        self.has_begun = bool(self._first)
        return parse_short_answer(self._first, reads_body=reads_body)

    def readinto(self, buffer: "bytearray | memoryview", /) -> int:  # type: ignore[override]  # typeshed: any buffer
        if self._first:
            count = min(len(self._first), len(buffer))
            buffer[:count], self._first = self._first[:count], self._first[count:]
            return count
        if self.is_over:
            return 0
        if self._deadline.has_passed:
            raise TimeoutError("timed out")
        self._sock.settimeout(min(self._deadline.left_s, self.longest_s))
        count = self._sock.recv_into(buffer)
        self.has_begun = self.has_begun or count > 0
        return count

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return what ``HTTPResponse`` reads from, which takes this for a socket."""
        return _Buffer(self)


class _Buffer(io.BufferedReader):
    """Notes as it is closed whether more has come than was read."""

    def __init__(self, received: _Received) -> None:
        super().__init__(received, MAX_ANSWER_BYTES)
        self._received = received

    def close(self) -> None:
        if not self.closed:
            self._received.is_over = True
            self._received.has_rest = bool(self.peek(1))
        super().close()


class _Response(http.client.HTTPResponse):
    """Differs from the standard library in two ways.

    It skips every interim answer: the library skips 100 only, and takes 103 Early Hints for the answer. And it reads
    headers by itself: the library takes them for those of an e-mail, which costs more than all the rest of a request.
    """

    headers: "_Headers"  # type: ignore[assignment]  # has all that the library asks of them

    def begin(self) -> None:
        """Read status and headers.

        Raises:
            HTTPException: It is no answer, or one with too many headers.
        """
        # Typeshed does not know this method; it has been there since Python 2.
        version, status, self.reason = cast("tuple[str, int, str]", self._read_status())  # type: ignore[attr-defined]
        while 100 <= status < 200 and status != 101:
            _read_headers(self.fp)
            version, status, self.reason = cast("tuple[str, int, str]", self._read_status())  # type: ignore[attr-defined]
        self.code = self.status = status
        self.version = 10 if version.startswith("HTTP/1.0") else 11
        self.headers = self.msg = _Headers(_read_headers(self.fp))  # type: ignore[assignment]
        self.chunked = self.headers.get("transfer-encoding", "").lower() == "chunked"
        self.chunk_left = None
        connection = self.headers.get("connection", "").lower()
        self.will_close = "close" in connection or (self.version == 10 and "keep-alive" not in connection)
        length = self.headers.get("content-length", "")
        self.length = int(length) if length.isascii() and length.isdigit() and not self.chunked else None
        if status in (204, 304):
            self.length = 0
        if not self.chunked and self.length is None:
            self.will_close = True


class _Headers(dict[str, str]):
    """Values by names in lower case; the last value of a repeated header."""


def _read_headers(file: io.BufferedIOBase) -> dict[str, str]:
    found: dict[str, str] = {}
    for _ in range(_MOST_HEADERS):
        line = file.readline(_LONGEST_HEADER + 1)
        if len(line) > _LONGEST_HEADER:
            raise http.client.LineTooLong("header line")
        if line in (b"\r\n", b"\n", b""):
            return found
        name, _, value = line.decode("latin-1").partition(":")
        found[name.strip().lower()] = value.strip()
    raise http.client.HTTPException(f"got more than {_MOST_HEADERS} headers")


def parse_short_answer(data: bytes, *, reads_body: bool) -> HttpAnswer | None:
    """Return the answer that ``data`` is, ``None`` unless it is one whole HTTP/1.1 answer with a Content-Length.

    It answers no otherwise than the careful reader does, at a tenth of the time: what is in any way unusual (an interim
    answer, chunks, a header of several lines, more bytes or fewer than announced) is left to that one.
    """
    head, end, body = data.partition(b"\r\n\r\n")
    begun = _SHORT_HEAD.match(head) if end else None
    if begun is None:
        return None
    headers = _Headers()
    for line in begun[2].decode("latin-1").split("\r\n")[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    # Without one, or with chunks instead, it is no number.
    if "transfer-encoding" in headers or headers.get("content-length") != str(len(body)):
        return None
    status = int(begun[1])
    is_wanted = reads_body or not 200 <= status < 300
    is_reusable = "close" not in headers.get("connection", "").lower()
    return HttpAnswer(status, headers, body if is_wanted else b"", is_reusable)


def _answer(received: _Received, *, reads_body: bool) -> HttpAnswer:
    with contextlib.closing(_Response(cast("socket.socket", received), method="POST")) as response:
        try:
            response.begin()
        except (http.client.HTTPException, OSError, ValueError):
            # Headers without an end, or more of them than the library reads: the status has arrived all the same.
            status = cast("object", response.status)
            if not isinstance(status, int):
                raise
            return HttpAnswer(status, {}, b"")
        headers = response.headers
        is_wanted = reads_body or not 200 <= response.status < 300
        if not is_wanted:
            received.longest_s = _DRAIN_S
        is_short = response.length is not None and response.length <= MAX_ANSWER_BYTES
        body, is_whole = _start_of_body(response) if is_wanted or is_short else (b"", False)
        response.close()
        is_reusable = is_whole and not response.will_close and not received.has_rest
        return HttpAnswer(response.status, headers, body if is_wanted else b"", is_reusable)


def _start_of_body(response: http.client.HTTPResponse) -> tuple[bytes, bool]:
    """Return the start of the body, and whether that is all of it."""
    try:
        body = response.read(MAX_ANSWER_BYTES)
        return body, response.isclosed() or response.length == 0
    except (OSError, http.client.HTTPException, ValueError):
        return b"", False
