"""The tokens that open the console: those of the settings and those on the server."""

import asyncio
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from typing import Final, Protocol

from barograph_console.settings import ConsoleSettings
from barograph_core.access.token import Role, Token, digest_of
from barograph_core.clock import Clock
from barograph_core.errors import BarographError
from barograph_core.text.timestamps import format_timestamp

log = logging.getLogger(__name__)
# A list of this age is read again meanwhile; one twice as old is waited for. Both stay below the 5 s that a
# revocation may take.
_READ_AGAIN_MS: Final = 1_500
_TOO_OLD_MS: Final = 3_000
# A token that is not on the list may be newer than it.
_MISSED_MS: Final = 250


class TokenSource(Protocol):
    """Where stored tokens are. Called from threads of the executor."""

    def tokens(self) -> Sequence[Token]: ...

    def note_use(self, token_id: str, day: str) -> None: ...


class TokenBook:
    """Knows all tokens as of a moment ago, so that no request waits for the server because of its token."""

    def __init__(self, settings: ConsoleSettings, source: TokenSource, clock: Clock, executor: Executor) -> None:
        self._settings = settings
        self._set = tuple(_tokens_of(settings))
        self._source = source
        self._clock = clock
        self._executor = executor
        self._lock = threading.Lock()
        self._stored: tuple[Token, ...] | None = None
        self._error: BarographError | None = None
        self._tried_ms = float("-inf")
        self._reading: Future[None] | None = None
        self._was_closed = settings.asks_for_token
        self._used: dict[str, str] = {}

    async def is_open(self) -> bool:
        """Say whether no token is asked for, because there is none.

        Once there was one, the console stays closed until it is started again: a flushed server must not open it.

        Raises:
            BarographError: The stored tokens were never read, so that no one knows.
        """
        if not self._was_closed:
            self._was_closed = bool(await self._current())
        return not self._was_closed

    async def find(self, secret: str) -> Token | None:
        """Return the valid token whose secret this is.

        Raises:
            BarographError: It is none of the settings', and the stored tokens were never read.
        """
        digest = digest_of(secret)
        found = self._match(self._set, digest)
        if found is None:
            found = self._match(await self._current(), digest)
        if found is None and secret and self._age_ms() > _MISSED_MS:
            found = self._match(await self._current(oldest_ms=_MISSED_MS), digest)
        if found is not None:
            self._note_use(found)
        return found

    async def holds(self, token_id: str) -> bool:
        """Say whether a token is still valid, for a session that was begun with it."""
        known = (*self._set, *await self._current())
        return any(token.token_id == token_id and not token.is_expired(self._clock.now_ms()) for token in known)

    def _match(self, tokens: Sequence[Token], digest: str) -> Token | None:
        now_ms = self._clock.now_ms()
        # All are compared, so that the time does not tell which one came close.
        matching = [token for token in tokens if token.matches(digest)]
        return next((token for token in matching if not token.is_expired(now_ms)), None)

    def _age_ms(self) -> float:
        return self._clock.monotonic_ms() - self._tried_ms

    async def _current(self, *, oldest_ms: float = _TOO_OLD_MS) -> tuple[Token, ...]:
        """Return the stored tokens, read at most ``oldest_ms`` ago unless the server cannot be reached."""
        if self._age_ms() > min(oldest_ms, _READ_AGAIN_MS):
            reading = self._start_reading()
            if self._age_ms() > oldest_ms:
                await asyncio.wrap_future(reading)
        with self._lock:
            if self._stored is None:
                raise self._error or BarographError("the tokens were not read yet")
            return self._stored

    def _start_reading(self) -> "Future[None]":
        with self._lock:
            if self._reading is None or self._reading.done():
                self._reading = self._executor.submit(self._read)
            return self._reading

    def _read(self) -> None:
        tokens, error = None, None
        try:
            tokens = tuple(self._source.tokens())
        except BarographError as caught:
            error = caught
            log.warning("console.tokens_unreadable", extra={"error": str(caught)})
        with self._lock:
            self._stored, self._error = (tokens if tokens is not None else self._stored), error
            self._tried_ms = self._clock.monotonic_ms()

    def _note_use(self, token: Token) -> None:
        day = format_timestamp(self._clock.now_ms())[: len("2026-11-29")]
        if token in self._set or self._used.get(token.token_id) == day:
            return
        self._used[token.token_id] = day
        self._executor.submit(self._write_use, token.token_id, day)

    def _write_use(self, token_id: str, day: str) -> None:
        try:
            self._source.note_use(token_id, day)
        except BarographError as error:
            log.info("console.token_use_not_noted", extra={"error": str(error)})


def _tokens_of(settings: ConsoleSettings) -> list[Token]:
    """Return the tokens of the settings. Their ids follow their digests: another token is not the same one."""
    given = (("admin", Role.ADMIN, settings.admin_token_sha256), ("read", Role.READ, settings.read_token_sha256))
    return [
        Token(token_id=f"setting-{digest.lower()[:16]}", digest=digest.lower(), name=name, role=role)
        for name, role, digest in given
        if digest
    ]
