"""The open panes of a shard, oldest first; panes that cannot be closed are skipped so that they do not block others."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from barograph_core.keyspace.keys import pane_member, parse_pane_member
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_hash

_PAGE: Final = 1_000
# Panes that cannot be closed are checked again on every tick, at a microsecond or two each. With more than this many,
# check them only every few ticks, so that checking takes only a part of a worker's time.
_SKIPPED_A_TICK: Final = 5_000


@dataclass(frozen=True, slots=True, order=True)
class OpenPane:
    """A pane or roll-up that waits for the watermark. Sorts by end, children before their parents."""

    end_ms: int
    step_ms: int
    service: str

    @property
    def start_ms(self) -> int:
        return self.end_ms - self.step_ms

    @property
    def member(self) -> str:
        """Return its name in a queue."""
        return pane_member(self.service, self.step_ms, self.start_ms)

    @classmethod
    def parse(cls, member: str) -> "OpenPane":
        """Parse the value of ``member``."""
        service, step_ms, start_ms = parse_pane_member(member)
        return cls(start_ms + step_ms, step_ms, service)


def readable_panes(members: Iterable[str]) -> Iterator[OpenPane]:
    """Parse members of a queue, and leave out foreign data: the closer fails on it when it is due, and reports it."""
    for member in members:
        try:
            yield OpenPane.parse(member)
        except ValueError:
            continue


class PaneQueue:
    """One of the two sorted sets of a shard, as one closer sees it: ``open`` or ``rollups``.

    The panes of a service that cannot be closed stay in the queue, before those of all other services, and grow by one
    each second. Such a service is held: its panes are skipped, and when a retry is due only its oldest is taken.
    """

    def __init__(self, connection: Connection, key: str) -> None:
        self._connection = connection
        self._key = key
        self._tick = 0
        self._next_look = 0
        self._held: dict[str, int] = {}

    @property
    def key(self) -> str:
        return self._key

    def begin_tick(self) -> None:
        """Start the next tick. Services are held for a number of ticks."""
        self._tick += 1

    def hold(self, service: str, *, ticks: int) -> None:
        """Skip ``service`` for the rest of this tick and the next ``ticks``, then try one of its panes each tick."""
        self._held[service] = max(self._held.get(service, 0), self._tick + ticks)

    def release(self, service: str) -> None:
        """Take all panes of ``service`` again: one of them was closed."""
        self._held.pop(service, None)

    def is_held(self, service: str) -> bool:
        """Say whether to skip ``service`` in this tick."""
        return self._held.get(service, 0) > self._tick

    def take(self, newest_ms: int, most: int, may_close: Callable[[OpenPane], bool]) -> list[OpenPane]:
        """Return the oldest panes that end by ``newest_ms`` and may be closed now, up to ``most``, by end."""
        if self._tick < self._next_look:
            return []
        found: list[OpenPane] = []
        tried: set[str] = set()
        skipped = 0
        for opened in self._by_end(newest_ms):
            service = opened.service
            if not may_close(opened) or (service in self._held and (self.is_held(service) or service in tried)):
                skipped += 1
                continue
            tried.add(service)
            found.append(opened)
            if len(found) == most:
                break
        self._next_look = self._tick + skipped // _SKIPPED_A_TICK
        return sorted(found)

    def _by_end(self, newest_ms: int) -> Iterator[OpenPane]:
        # Page by score, not by rank: another closer may remove members between two pages. By rank we would then skip a
        # pane, and close it after a later one of its service.
        from_ms, seen = "-inf", 0
        while True:
            command = ("ZRANGEBYSCORE", self._key, from_ms, newest_ms, "WITHSCORES", "LIMIT", seen, _PAGE)
            page = as_hash(self._connection.command(*command))
            yield from map(OpenPane.parse, page)
            if len(page) < _PAGE:
                return
            ends = [score.decode() for score in page.values()]
            seen = ends.count(ends[-1]) + (seen if ends[-1] == from_ms else 0)
            from_ms = ends[-1]
