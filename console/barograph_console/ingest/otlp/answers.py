"""Answers of OTLP/HTTP, in the encoding of the request."""

import json
from typing import Final

from starlette.responses import Response

from barograph_console.ingest.otlp.protobuf_form import answer_protobuf

JSON: Final = "application/json"
PROTOBUF: Final = "application/x-protobuf"
# google.rpc.Code, which a Status carries.
_CODES: Final = {400: 3, 409: 10, 413: 8, 415: 3, 422: 3, 429: 8, 501: 12, 503: 14}
_UNKNOWN: Final = 2
_MESSAGE_FIELD, _CODE_FIELD = 0x12, 0x08


def success(media_type: str, rejected: int, message: str) -> Response:
    """Return the answer to an export that was taken, as a whole or in part."""
    if media_type == PROTOBUF:
        return Response(answer_protobuf(rejected, message), media_type=PROTOBUF)
    # 64-bit numbers are texts in the JSON form of protobuf.
    partial = {"partialSuccess": {"rejectedSpans": str(rejected), "errorMessage": message}} if rejected else {}
    return Response(json.dumps(partial), media_type=JSON)


def failure(media_type: str, status: int, message: str, headers: dict[str, str]) -> Response:
    """Return the answer to an export that was not taken: a ``google.rpc.Status``."""
    code = _CODES.get(status, _UNKNOWN)
    if media_type == PROTOBUF:
        body = bytes([_CODE_FIELD, code, _MESSAGE_FIELD]) + _sized(message.encode())
    else:
        body = json.dumps({"code": code, "message": message}).encode()
    return Response(body, status, headers={**headers, "Cache-Control": "no-store"}, media_type=media_type)


def _sized(text: bytes) -> bytes:
    """Return ``text`` after its length as a varint."""
    size, length = bytearray(), len(text)
    while length > 0x7F:
        size.append(length & 0x7F | 0x80)
        length >>= 7
    size.append(length)
    return bytes(size) + text
