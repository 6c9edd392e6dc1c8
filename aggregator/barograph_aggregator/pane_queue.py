"""The panes of a shard that wait for the watermark, oldest first, past those that would stand in the way of others."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from barograph_core.keys import pane_member, parse_pane_member
from barograph_core.stream import Connection, as_hash

_PAGE: Final = 1_000
# Members that cannot be closed are looked at anew each time: a microsecond or two each. Past so many of them the next
# look comes some ticks later, so that looking never takes more than a part of a worker's time.
_PASSED_OVER_A_TICK: Final = 5_000


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
        """Return how a queue names it."""
        return pane_member(self.service, self.step_ms, self.start_ms)

    @classmethod
    def parse(cls, member: str) -> "OpenPane":
        """Read what ``member`` gives."""
        service, step_ms, start_ms = parse_pane_member(member)
        return cls(start_ms + step_ms, step_ms, service)


class PaneQueue:
    """One of the two sorted sets of a shard, as one closer sees it: ``open`` or ``rollups``.

    The panes of a service that cannot go on stay in it, a new one each second, and lie before those of all others.
    So such a service is held: its panes are passed over, and when it is time to try again its oldest alone is taken.
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
        """Count the ticks by which services are held."""
        self._tick += 1

    def hold(self, service: str, *, ticks: int) -> None:
        """Take nothing of ``service`` for the rest of this tick and until ``ticks`` later, then one pane a tick."""
        self._held[service] = max(self._held.get(service, 0), self._tick + ticks)

    def release(self, service: str) -> None:
        """Take all of ``service`` again: a pane of it was closed."""
        self._held.pop(service, None)

    def is_held(self, service: str) -> bool:
        """Say whether nothing of ``service`` is to be tried in this tick."""
        return self._held.get(service, 0) > self._tick

    def take(self, watermark_ms: int, most: int, may_close: Callable[[OpenPane], bool]) -> list[OpenPane]:
        """Return up to ``most`` panes that end by ``watermark_ms``, the oldest that may be closed now, by end."""
        if self._tick < self._next_look:
            return []
        found: list[OpenPane] = []
        tried: set[str] = set()
        passed_over = 0
        for opened in self._by_end(watermark_ms):
            service = opened.service
            if not may_close(opened) or (service in self._held and (self.is_held(service) or service in tried)):
                passed_over += 1
                continue
            tried.add(service)
            found.append(opened)
            if len(found) == most:
                break
        self._next_look = self._tick + passed_over // _PASSED_OVER_A_TICK
        return sorted(found)

    def _by_end(self, watermark_ms: int) -> Iterator[OpenPane]:
        # By score, not by rank: another closer may take members off between two pages, and what then moved up unseen
        # would be closed after a later pane of its service.
        from_ms, seen = "-inf", 0
        while True:
            command = ("ZRANGEBYSCORE", self._key, from_ms, watermark_ms, "WITHSCORES", "LIMIT", seen, _PAGE)
            page = as_hash(self._connection.command(*command))
            yield from map(OpenPane.parse, page)
            if len(page) < _PAGE:
                return
            ends = [score.decode() for score in page.values()]
            seen = ends.count(ends[-1]) + (seen if ends[-1] == from_ms else 0)
            from_ms = ends[-1]
