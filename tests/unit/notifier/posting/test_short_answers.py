"""The quick reader of answers says what the careful one says, or leaves the answer to it."""

import socket
from collections.abc import Iterator

import pytest

from barograph_notifier.posting import post
from barograph_notifier.posting.deadline import Deadline
from barograph_notifier.posting.post import HttpAnswer, exchange, parse_short_answer
from tests.support import FakeClock

SHORT = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 \r\ncontent-length: 0\r\nDate: now\r\n\r\n",
    b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
    b"HTTP/1.1 429 Too Many\r\nRetry-After: 30\r\nRetry-After: 31\r\nContent-Length: 4\r\n\r\nslow",
    b"HTTP/1.1 503 \xe9\xff\r\nX-Name:  v \r\nContent-Length:0\r\n\r\n",
]
CAREFUL = [
    b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nContent-Length: 0\r\n\r\nHTTP/1.1 400 Bad\r\nContent-Length: 3\r\n\r\nbad",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut off",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 Not asked for\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 02\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\n\nok",
    b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    b"HTTP/1.1 200 OK\r\nX: a\n\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 20\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 101 + b"Content-Length: 0\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.6\r\n",
    b"HTTP/1.1 200 OK\r\nX-Cut",
    b"",
]
# It takes two reads.
LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + b"x" * 9_000


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def outcome(pair: tuple[socket.socket, socket.socket], data: bytes, *, reads_body: bool) -> HttpAnswer | str:
    """Return the answer or what went wrong, for an answer that comes whole and is followed by the end."""
    ours, theirs = pair
    theirs.sendall(data)
    theirs.shutdown(socket.SHUT_WR)
    try:
        return exchange(
            ours, b"POST / HTTP/1.1\r\nContent-Length: ", b"{}", Deadline(20, FakeClock()), reads_body=reads_body
        )
    except Exception as error:  # noqa: BLE001  # compared by name and text
        return f"{type(error).__name__}: {error}"


def leave_it(_data: bytes, *, reads_body: bool) -> None:
    del reads_body


@pytest.mark.parametrize("reads_body", [True, False])
@pytest.mark.parametrize("data", [*SHORT, *CAREFUL, LONG])
def test_both_readers_agree(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch, data: bytes, *, reads_body: bool
) -> None:
    quick = outcome(pair, data, reads_body=reads_body)
    monkeypatch.setattr(post, "parse_short_answer", leave_it)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert outcome((ours, theirs), data, reads_body=reads_body) == quick


@pytest.mark.parametrize("data", SHORT)
def test_most_answers_are_read_at_once(data: bytes) -> None:
    assert parse_short_answer(data, reads_body=True) is not None


@pytest.mark.parametrize("data", CAREFUL)
def test_what_is_unusual_is_left_to_the_careful_reader(data: bytes) -> None:
    assert parse_short_answer(data, reads_body=True) is None
