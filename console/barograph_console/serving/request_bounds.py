"""Bounds on a request: its first line, its headers, its body. Nothing is held beyond them."""

import asyncio
from typing import Final

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

from barograph_console.serving.problems import ApiError

_TARGET_BYTES: Final = 8_192
_HEADER_BYTES: Final = 16_384
_HEADERS: Final = 100
_BODY_TIMEOUT_S: Final = 10
_DIGITS: Final = 12


def check_head(scope: Scope) -> None:
    """Refuse a request whose first line or headers are too long.

    Raises:
        ApiError: 414 or 431.
    """
    if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > _TARGET_BYTES:
        raise ApiError(414, "uri_too_long", f"path and query together may have {_TARGET_BYTES} bytes")
    sizes = [len(name) + len(value) for name, value in scope["headers"]]
    if len(sizes) > _HEADERS or sum(sizes) > _HEADER_BYTES:
        raise ApiError(431, "headers_too_large", f"at most {_HEADERS} headers of {_HEADER_BYTES} bytes together")


def check_length(headers: Headers, most_bytes: int) -> None:
    """Refuse a body that is announced as too long.

    Raises:
        ApiError: 413, or 400 where the length is no number.
    """
    announced = headers.get("content-length", "0")
    if not (announced.isascii() and announced.isdigit()):
        raise ApiError(400, "bad_length", "Content-Length is not a number")
    if len(announced) > _DIGITS or int(announced) > most_bytes:
        raise _too_large(most_bytes)


async def with_body(headers: Headers, receive: Receive, most_bytes: int) -> Receive:
    """Read the body and return a ``receive`` that gives it whole.

    It is read here because the framework reads without a bound.

    Raises:
        ApiError: 413 as soon as more came than ``most_bytes``, 408 when it does not come in time.
    """
    if "transfer-encoding" not in headers and headers.get("content-length", "0") == "0":
        return receive
    try:
        async with asyncio.timeout(_BODY_TIMEOUT_S):
            first = await _read(receive, most_bytes)
    except TimeoutError:
        raise ApiError(408, "slow_body", f"the body did not arrive within {_BODY_TIMEOUT_S} s") from None
    waiting = [first]

    async def replaying() -> Message:
        return waiting.pop() if waiting else await receive()

    return replaying


async def _read(receive: Receive, most_bytes: int) -> Message:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return message
        body += message.get("body", b"")
        if len(body) > most_bytes:
            raise _too_large(most_bytes)
        if not message.get("more_body", False):
            return {"type": "http.request", "body": bytes(body), "more_body": False}


def _too_large(most_bytes: int) -> ApiError:
    return ApiError(413, "body_too_large", f"the body may have {most_bytes} bytes here")
