"""Sessions of people who signed in with a token."""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import replace
from typing import Final, Protocol, TypeVar, TypeVarTuple

from barograph_console.access.identity import Identity
from barograph_console.access.token_book import TokenBook
from barograph_core.access.session import Session
from barograph_core.access.token import Token, digest_of
from barograph_core.clock import Clock
from barograph_core.errors import BarographError

_ID_BYTES: Final = 32
# Sessions are read again after this time, so that signing out holds in every console within it.
_READ_AGAIN_MS: Final = 2_000
# The time of the last use is written at most this often.
_NOTE_USE_MS: Final = 300_000
_HELD: Final = 1_024

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")


class SessionSource(Protocol):
    """Where sessions are. Called from threads of the executor."""

    def session(self, digest: str) -> Session | None: ...

    def begin_session(self, digest: str, session: Session, now_ms: int) -> None: ...

    def prolong_session(self, digest: str, session: Session, now_ms: int) -> None: ...

    def end_session(self, digest: str) -> None: ...


class Sessions:
    """Begins, finds and ends sessions. They lie on the server, so that every console knows them."""

    def __init__(self, tokens: TokenBook, source: SessionSource, clock: Clock, executor: Executor) -> None:
        self._tokens = tokens
        self._source = source
        self._clock = clock
        self._executor = executor
        self._held: OrderedDict[str, tuple[Session | None, float]] = OrderedDict()

    async def begin(self, token: Token) -> str:
        """Begin a session and return its id, which only the browser's cookie holds."""
        session_id, now_ms = secrets.token_urlsafe(_ID_BYTES), self._clock.now_ms()
        session = Session(token.token_id, token.name, token.role, now_ms, now_ms)
        digest = digest_of(session_id)
        await self._run(self._source.begin_session, digest, session, now_ms)
        self._hold(digest, session)
        return session_id

    async def find(self, session_id: str) -> Identity | None:
        """Return who signed in; ``None`` when the session ended, or the token it was begun with is gone."""
        return await self.find_by_digest(digest_of(session_id))

    async def find_by_digest(self, digest: str) -> Identity | None:
        """Look as ``find`` does, for a connection that stays open and does not keep the id."""
        session = await self._read(digest)
        now_ms = self._clock.now_ms()
        if session is None or session.ends_ms() <= now_ms or not await self._tokens.holds(session.token_id):
            return None
        if now_ms - session.used_ms >= _NOTE_USE_MS:
            session = replace(session, used_ms=now_ms)
            self._hold(digest, session)
            await self._run(self._source.prolong_session, digest, session, now_ms)
        return Identity(session.name, session.role, session.token_id, digest)

    async def end(self, digest: str) -> None:
        """End a session for every console."""
        await self._run(self._source.end_session, digest)
        self._hold(digest, None)

    async def _read(self, digest: str) -> Session | None:
        held = self._held.get(digest)
        if held is not None and self._clock.monotonic_ms() - held[1] < _READ_AGAIN_MS:
            return held[0]
        try:
            session = await self._run(self._source.session, digest)
        except BarographError:
            # While the server is away no one is signed out: their requests say what is wrong.
            if held is None:
                raise
            return held[0]
        self._hold(digest, session)
        return session

    def _hold(self, digest: str, session: Session | None) -> None:
        self._held[digest] = session, self._clock.monotonic_ms()
        self._held.move_to_end(digest)
        if len(self._held) > _HELD:
            self._held.popitem(last=False)

    def _run(self, call: Callable[[*Arguments], Result], *arguments: *Arguments) -> Awaitable[Result]:
        return asyncio.wrap_future(self._executor.submit(call, *arguments))
