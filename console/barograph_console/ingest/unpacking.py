"""Unpacks the body of a request, within a bound: a few kilobytes of gzip can stand for gigabytes. Pure."""

import zlib
from collections.abc import Mapping
from typing import Final

from barograph_console.serving.problems import ApiError

MAX_BODY_BYTES: Final = 1_048_576
MAX_UNPACKED_BYTES: Final = 4 * MAX_BODY_BYTES
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS


def unpack_body(body: bytes, headers: Mapping[str, str], most_bytes: int = MAX_UNPACKED_BYTES) -> bytes:
    """Return the body as it was before it was compressed.

    Raises:
        ApiError: 415 for another compression than gzip, 413 for what unpacks to too much, 422 for what is no gzip.
    """
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding in ("identity", ""):
        return body
    if coding not in ("gzip", "x-gzip"):
        raise ApiError(415, "unsupported_encoding", f"Content-Encoding {coding[:40]!r} is not taken: send gzip or none")
    unpacked = bytearray()
    try:
        # A file of gzip may have several members, one after the other.
        while body:
            member = zlib.decompressobj(_GZIP_WINDOW)
            unpacked += member.decompress(body, most_bytes + 1 - len(unpacked))
            if len(unpacked) > most_bytes:
                raise ApiError(413, "body_too_large", f"the body may unpack to {most_bytes} bytes")
            if not member.eof:
                raise ApiError(422, "unreadable_body", "body: the gzip ends too early")
            body = member.unused_data
    except zlib.error as error:
        raise ApiError(422, "unreadable_body", "body: is no gzip, though Content-Encoding says so") from error
    return bytes(unpacked)


def media_type_of(headers: Mapping[str, str], known: Mapping[str, object]) -> str:
    """Return the media type of a request's body, in lower case and without parameters.

    Raises:
        ApiError: 415 for one that is not among ``known``, or for text that is not UTF-8.
    """
    name, _, parameters = headers.get("content-type", "").partition(";")
    media_type = name.strip().lower()
    if media_type not in known:
        given = f"Content-Type {media_type[:60]!r} is not taken" if media_type else "Content-Type is missing"
        raise ApiError(415, "unsupported_media_type", f"{given}: send one of {', '.join(known)}")
    charset = parameters.strip().lower().partition("charset=")[2].strip('" ')
    if charset and charset not in ("utf-8", "utf8", "us-ascii"):
        raise ApiError(415, "unsupported_media_type", f"charset {charset[:40]!r} is not taken: send UTF-8")
    return media_type
