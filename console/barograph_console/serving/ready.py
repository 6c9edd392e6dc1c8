"""Answers that are made once for all who ask the same: kept as bytes, packed and with their tag."""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

from fastapi import Request
from starlette.responses import Response

from barograph_console.serving.finishing import (
    ASK_EACH_TIME,
    LEAST_COMPRESSED_BYTES,
    compress,
    is_known,
    tag_of,
    takes_gzip,
)
from barograph_console.serving.memo import Memo
from barograph_console.serving.problems import RETRY_AFTER_S, ApiError
from barograph_core.clock import Clock

BOUND_BYTES: Final = 64 * 1_048_576
# Panes close once a second; a late event revises older ones, which is seen within as long.
FRESH_MS: Final = 1_000
# How long an answer is kept whose figures are not revised any more: they may expire.
_SETTLED_MS: Final = 3_600_000
_HEAVY: Final = 8
_WAIT_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class ReadyBytes:
    """The body of an answer, and what goes with it."""

    body: bytes
    packed: bytes | None
    tag: str
    media_type: str

    @property
    def weight(self) -> int:
        return len(self.body) + len(self.packed or b"")


class WorkLimit:
    """Lets a few heavy questions be worked on at once; the others wait a little and are then refused."""

    def __init__(self, at_once: int = _HEAVY, wait_s: float = _WAIT_S) -> None:
        self._free = threading.BoundedSemaphore(at_once)
        self._wait_s = wait_s

    def __enter__(self) -> None:
        if not self._free.acquire(timeout=self._wait_s):
            raise ApiError(
                429,
                "busy",
                "the console works on as many questions as it can; ask again",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            )

    def __exit__(self, *_exc: object) -> None:
        self._free.release()


class ReadyAnswers:
    """Answers heavy questions, each once for all who ask it within a second."""

    def __init__(self, clock: Clock, limit: WorkLimit | None = None) -> None:
        self._memo = Memo[ReadyBytes](clock, bound=BOUND_BYTES, weigh=lambda ready: ready.weight)
        self._limit = limit or WorkLimit()

    def answer(
        self,
        request: Request,
        version: Hashable,
        make: Callable[[], bytes],
        *,
        media_type: str = "application/json",
        is_settled: bool = False,
    ) -> Response:
        """Return the answer to a request.

        Args:
            request: Its path and query are the question.
            version: What else the answer depends on: how far a service is closed.
            make: Makes the answer's body.
            media_type: Of the body.
            is_settled: The answer will be the same for an hour.

        Raises:
            ApiError: 429 when too many heavy questions are worked on.
        """
        question = (request.url.path, request.scope["query_string"], None if is_settled else version)
        max_age_ms = _SETTLED_MS if is_settled else FRESH_MS
        ready = self._memo.get(question, lambda: self._make(make, media_type), max_age_ms=max_age_ms)
        headers = {
            "ETag": ready.tag,
            "Cache-Control": f"private, max-age={_SETTLED_MS // 1_000}" if is_settled else ASK_EACH_TIME,
            "Vary": "Accept-Encoding",
        }
        if is_known(request.headers, ready.tag):
            return Response(status_code=304, headers=headers)
        if ready.packed is not None and takes_gzip(request.headers):
            headers["Content-Encoding"] = "gzip"
            return Response(ready.packed, headers=headers, media_type=ready.media_type)
        return Response(ready.body, headers=headers, media_type=ready.media_type)

    def _make(self, make: Callable[[], bytes], media_type: str) -> ReadyBytes:
        with self._limit:
            body = make()
        packed = compress(body) if len(body) >= LEAST_COMPRESSED_BYTES else None
        return ReadyBytes(body, packed, tag_of(body), media_type)
