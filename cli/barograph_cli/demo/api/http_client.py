"""A small HTTP/1.1 client for the load generator, on the standard library: keeps connections, waits for whole answers.

It speaks to the demo's own service on this machine and to nothing else.
"""

import asyncio
import json
from typing import Final, NamedTuple, cast

_MAX_BODY_BYTES: Final = 65_536


class HttpAnswer(NamedTuple):
    """A complete answer; ``body`` is the JSON object it held, empty when it held none."""

    status: int
    body: dict[str, object]


class HttpClient:
    """A pool of connections to one server. The caller bounds how many requests run at once."""

    def __init__(self, host: str, port: int, timeout_s: float = 10.0) -> None:
        self._host = host
        self._port = port
        self._timeout_s = timeout_s
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def request(self, method: str, path: str, body: object = None) -> HttpAnswer:
        """Send one request and return the whole answer.

        Raises:
            OSError: No connection, or it broke.
            ValueError: The answer was not HTTP as we expect it.
        """
        async with asyncio.timeout(self._timeout_s):  # TimeoutError is an OSError
            reader, writer = self._idle.pop() if self._idle else await self._connect()
            try:
                writer.write(self._encode(method, path, body))
                answer, is_reusable = await _read_answer(reader)
            except BaseException:
                writer.close()
                raise
        if is_reusable:
            self._idle.append((reader, writer))
        else:
            writer.close()
        return answer

    async def close(self) -> None:
        """Close the connections that are idle."""
        while self._idle:
            _, writer = self._idle.pop()
            writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self._host, self._port)

    def _encode(self, method: str, path: str, body: object) -> bytes:
        data = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        return head.encode() + data


async def _read_answer(reader: asyncio.StreamReader) -> tuple[HttpAnswer, bool]:
    """Read one answer; also return whether the connection can be used again."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        raise ConnectionResetError("the connection ended before the answer") from error
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", "0"))
    if length > _MAX_BODY_BYTES:
        raise ValueError(f"an answer of {length} bytes")
    raw = await reader.readexactly(length) if length else b""
    parsed: object = json.loads(raw) if raw and "json" in headers.get("content-type", "") else None
    body = cast("dict[str, object]", parsed) if isinstance(parsed, dict) else {}
    return HttpAnswer(int(first.split(" ", 2)[1]), body), headers.get("connection", "") != "close"
