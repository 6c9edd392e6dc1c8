"""Watches a server that comes and goes: what was once read of it must never be taken back."""

import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from barograph_core.errors import BarographError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_hash, as_int, as_list, as_text

LOOK_EVERY_S = 0.02


@dataclass
class Witness:
    """What was seen of one service.

    Attributes:
        looks: How often the server answered.
        steps_back: Each time a cursor was lower than before: its name, before, after.
        workers: The newest report of every aggregator, the killed ones included.
    """

    url: str
    keys: ShardKeys
    service: str
    looks: int = 0
    steps_back: list[tuple[str, int, int]] = field(default_factory=list[tuple[str, int, int]])
    workers: dict[str, Mapping[str, bytes]] = field(default_factory=dict[str, Mapping[str, bytes]])
    _highest: dict[str, int] = field(default_factory=dict[str, int])

    def metric(self, name: str) -> int:
        """Return the sum of a self-metric over all aggregators there were."""
        return sum(int(facts.get(name, b"0")) for facts in self.workers.values())

    def look(self, connection: Connection) -> None:
        through, watermark, members = connection.pipeline(
            [
                ["HGET", self.keys.closed, self.service],
                ["HGET", self.keys.progress, "watermark_ms"],
                ["ZRANGE", self.keys.workers, 0, -1],
            ]
        )
        for name, reply in (("closed_through", through), ("watermark", watermark)):
            self._note(name, 0 if reply is None else as_int(reply))
        for member in map(as_text, as_list(members)):
            facts = as_hash(connection.command("HGETALL", self.keys.worker(*member.split(":", 1))))
            if facts:
                self.workers[member] = facts
        self.looks += 1

    def _note(self, name: str, value: int) -> None:
        before = self._highest.get(name, 0)
        if value < before:
            self.steps_back.append((name, before, value))
        self._highest[name] = value

    @contextmanager
    def watching(self) -> Generator[None, None, None]:
        """Look again and again for the length of a ``with`` block, and once more at its end."""
        stop = threading.Event()

        def go_on() -> None:
            connection = Connection.open(self.url, socket_timeout_s=2.0)
            is_last = False
            while not is_last:
                is_last = stop.wait(LOOK_EVERY_S)
                try:
                    self.look(connection)
                except BarographError:
                    continue
            connection.close()

        thread = threading.Thread(target=go_on)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
