"""Tokens and sessions on the server."""

import logging
from typing import Final

from barograph_core.access.session import Session
from barograph_core.access.token import Token
from barograph_core.errors import MalformedEventError
from barograph_core.keyspace.keys import session_key, tokens_key
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_bytes, as_hash, as_int

log = logging.getLogger(__name__)
# Field of the day on which a token was last used; apart from the token, so that noting it cannot undo a revocation.
_USED: Final = "used:"


class AccessStore:
    """Reads and writes tokens and sessions. For one thread, as its connection is."""

    def __init__(self, connection: Connection, prefix: str) -> None:
        self._connection = connection
        self._prefix = prefix
        self._tokens = tokens_key(prefix)

    def tokens(self) -> list[Token]:
        """Return all tokens, oldest first. One that cannot be read is logged and opens nothing."""
        found: list[Token] = []
        for name, text in self._fields().items():
            if name.startswith(_USED):
                continue
            try:
                found.append(Token.from_json(name, text))
            except MalformedEventError as error:
                log.warning("access.token_unreadable", extra={"reason": error.reason})
        return sorted(found, key=lambda token: (token.created_ms, token.token_id))

    def used_days(self) -> dict[str, str]:
        """Return by token id the day, as 2026-11-29, on which a token was last used."""
        days = {name: text.decode() for name, text in self._fields().items() if name.startswith(_USED)}
        return {name.removeprefix(_USED): day for name, day in days.items()}

    def add_token(self, token: Token) -> None:
        self._connection.command("HSET", self._tokens, token.token_id, token.to_json())

    def revoke(self, token_id: str) -> bool:
        """Remove a token; return whether there was one. Consoles end its sessions within seconds."""
        removed, _ = self._connection.pipeline(
            [("HDEL", self._tokens, token_id), ("HDEL", self._tokens, f"{_USED}{token_id}")]
        )
        return as_int(removed) > 0

    def note_use(self, token_id: str, day: str) -> None:
        self._connection.command("HSET", self._tokens, f"{_USED}{token_id}", day)

    def session(self, digest: str) -> Session | None:
        """Return a session; ``None`` when there is none, or none that can be read."""
        reply = self._connection.command("GET", session_key(digest, self._prefix))
        try:
            return None if reply is None else Session.from_json(as_bytes(reply))
        except MalformedEventError as error:
            log.warning("access.session_unreadable", extra={"reason": error.reason})
            return None

    def begin_session(self, digest: str, session: Session, now_ms: int) -> None:
        self._put(digest, session, now_ms, "NX")

    def prolong_session(self, digest: str, session: Session, now_ms: int) -> None:
        """Write a session again, unless it was ended meanwhile."""
        self._put(digest, session, now_ms, "XX")

    def end_session(self, digest: str) -> None:
        self._connection.command("DEL", session_key(digest, self._prefix))

    def _put(self, digest: str, session: Session, now_ms: int, condition: str) -> None:
        keep_ms = max(1, session.ends_ms() - now_ms)
        key = session_key(digest, self._prefix)
        self._connection.command("SET", key, session.to_json(), "PX", keep_ms, condition)

    def _fields(self) -> dict[str, bytes]:
        return as_hash(self._connection.command("HGETALL", self._tokens))
