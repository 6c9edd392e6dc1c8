"""Finishes answers: HEAD for every GET, tags and 304, compression, and how long an answer may be kept."""

import gzip
import hashlib
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Shorter answers fit into one packet either way.
LEAST_COMPRESSED_BYTES: Final = 2_048
# Level 1: 3 ms for a megabyte of figures, and within a tenth of the size of level 6.
LEVEL: Final = 1
# Compressing more than this holds up the other connections for milliseconds.
_INLINE_BYTES: Final = 65_536
# An answer may be kept, but is asked for each time; the answer to that is mostly 304.
ASK_EACH_TIME: Final = "private, no-cache"
_COMPRESSED: Final = ("application/json", "text/", "application/openmetrics-text")


def tag_of(body: bytes) -> str:
    """Return the tag of an answer: equal bytes have equal tags, in every process."""
    return f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


def compress(body: bytes) -> bytes:
    """Return ``body`` as gzip, the same bytes for the same body."""
    return gzip.compress(body, LEVEL, mtime=0)


def is_known(headers: Headers, tag: str) -> bool:
    """Say whether the client holds the answer with this tag."""
    return tag in [one.strip().removeprefix("W/") for one in headers.get("if-none-match", "").split(",")]


def takes_gzip(headers: Headers) -> bool:
    """Say whether the client takes gzip."""
    codings = [one.strip().partition(";") for one in headers.get("accept-encoding", "").lower().split(",")]
    return any(
        name.strip() in ("gzip", "*") and "q=0" not in weight.replace(" ", "").split(";") for name, _, weight in codings
    )


class Finishing:
    """ASGI application around another. An answer that has a tag already is left as it is, except for HEAD."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        answer = _Answer(Headers(scope=scope), send, is_head=scope["method"] == "HEAD")
        await self._app({**scope, "method": "GET"}, receive, answer.take)


class _Answer:
    """Holds an answer back until it is whole, then sends it in its final form."""

    def __init__(self, asked: Headers, send: Send, *, is_head: bool) -> None:
        self._asked = asked
        self._send = send
        self._is_head = is_head
        self._start: Message | None = None
        self._body = bytearray()
        self._is_final = False

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            headers = Headers(raw=message["headers"])
            self._is_final = message["status"] != 200 or "etag" in headers or "content-encoding" in headers
            if self._is_final:
                await self._send(message)
        elif message["type"] == "http.response.body" and self._is_final:
            await self._send({**message, "body": b""} if self._is_head else message)
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._finish()
        else:
            await self._send(message)

    async def _finish(self) -> None:
        if self._start is None:
            return
        body, status = bytes(self._body), 200
        headers = MutableHeaders(raw=self._start["headers"])
        headers["ETag"] = tag_of(body)
        headers.setdefault("Cache-Control", ASK_EACH_TIME)
        headers.add_vary_header("Accept-Encoding")
        if is_known(self._asked, headers["ETag"]):
            status, body = 304, b""
            del headers["Content-Length"]
            del headers["Content-Type"]
        else:
            if self._is_compressed(headers, body):
                body = compress(body) if len(body) <= _INLINE_BYTES else await run_in_threadpool(compress, body)
                headers["Content-Encoding"] = "gzip"
            headers["Content-Length"] = str(len(body))
        await self._send({**self._start, "status": status, "headers": headers.raw})
        await self._send({"type": "http.response.body", "body": b"" if self._is_head else body})

    def _is_compressed(self, headers: MutableHeaders, body: bytes) -> bool:
        is_text = headers.get("content-type", "").startswith(_COMPRESSED)
        return is_text and len(body) >= LEAST_COMPRESSED_BYTES and takes_gzip(self._asked)
