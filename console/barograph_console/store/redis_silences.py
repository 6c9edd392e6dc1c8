"""The silences of all shards, for many threads."""

import contextlib
from collections.abc import Generator

from barograph_console.store.connection_pool import ConnectionPool
from barograph_core.alerts.actions import Once
from barograph_core.alerts.record import AlertRecord
from barograph_core.clock import Clock
from barograph_core.keyspace.layout import LayoutView
from barograph_core.silences.book import SilenceBook
from barograph_core.silences.silence import Silence
from barograph_core.silences.store import HeldSilence


class RedisSilences:
    """See ``SilenceSource``."""

    def __init__(self, pool: ConnectionPool, layouts: LayoutView, clock: Clock) -> None:
        self._pool = pool
        self._layouts = layouts
        self._clock = clock

    def all(self) -> list[HeldSilence]:
        with self._book() as book:
            return book.all()

    def meant(self, silence: Silence) -> list[AlertRecord]:
        with self._book() as book:
            return book.meant(silence)

    def add(self, draft: Silence, once: Once | None = None) -> Silence:
        with self._book() as book:
            return book.add(draft, self._clock.now_ms(), once)

    def change(self, silence_id: str, draft: Silence, once: Once | None = None) -> Silence:
        with self._book() as book:
            return book.change(silence_id, draft, self._clock.now_ms(), once)

    def end(self, silence_id: str, *, actor: str, note: str, once: Once | None = None) -> Silence:
        with self._book() as book:
            return book.end(silence_id, actor=actor, note=note, now_ms=self._clock.now_ms(), once=once)

    @contextlib.contextmanager
    def _book(self) -> Generator[SilenceBook]:
        with self._pool.borrow() as connection:
            yield SilenceBook(connection, self._layouts.current(connection))
