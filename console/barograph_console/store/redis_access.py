"""Tokens and sessions on the server, for many threads."""

from barograph_console.store.connection_pool import ConnectionPool
from barograph_core.access.access_store import AccessStore
from barograph_core.access.session import Session
from barograph_core.access.token import Token


class RedisAccess:
    """See ``AccessSource``. Wants a pool of its own: readers that wait for figures must not keep others signed out."""

    def __init__(self, pool: ConnectionPool, prefix: str) -> None:
        self._pool = pool
        self._prefix = prefix

    def tokens(self) -> list[Token]:
        with self._pool.borrow() as connection:
            return AccessStore(connection, self._prefix).tokens()

    def note_use(self, token_id: str, day: str) -> None:
        with self._pool.borrow() as connection:
            AccessStore(connection, self._prefix).note_use(token_id, day)

    def session(self, digest: str) -> Session | None:
        with self._pool.borrow() as connection:
            return AccessStore(connection, self._prefix).session(digest)

    def begin_session(self, digest: str, session: Session, now_ms: int) -> None:
        with self._pool.borrow() as connection:
            AccessStore(connection, self._prefix).begin_session(digest, session, now_ms)

    def prolong_session(self, digest: str, session: Session, now_ms: int) -> None:
        with self._pool.borrow() as connection:
            AccessStore(connection, self._prefix).prolong_session(digest, session, now_ms)

    def end_session(self, digest: str) -> None:
        with self._pool.borrow() as connection:
            AccessStore(connection, self._prefix).end_session(digest)
