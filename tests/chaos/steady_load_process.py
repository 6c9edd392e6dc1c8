"""A producer process that records at a pace until SIGTERM, however often the server dies, and then ships the rest.

Usage: steady_load_process.py URL PREFIX SERVICE LEDGER EVENTS_PER_S SEED
Writes what it recorded into LEDGER and, at its end, what became of it into LEDGER.json.
"""

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from barograph_core.errors import BarographError
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply, Value
from barograph_core.workers.process import stop_on_signals
from barograph_producer import Producer
from tests.chaos.load_process import record_one

BURST = 20
# A long outage must find room for everything.
MAX_EVENTS = 1_000_000
MAX_BACKLOG_BYTES = 64 * 1_048_576
CLOSE_S = 60.0


class TalliedServer:
    """The producer's connection, with a tally of the replies: the producer itself takes a repeat for a success."""

    def __init__(self, url: str, tally: Counter[str]) -> None:
        self._connection = Connection.open(url, socket_timeout_s=2.0, keeps_link=True)
        self._tally = tally

    def call(self, function: str, keys: Sequence[str], args: Sequence[Value], /) -> Reply:
        try:
            reply = self._connection.call(function, keys, args)
        except BarographError:
            self._tally["unanswered"] += 1
            raise
        if isinstance(reply, list) and isinstance(reply[0], bytes):
            self._tally[reply[0].decode()] += 1
        return reply

    def command(self, *args: Value) -> Reply:
        return self._connection.command(*args)

    def close(self) -> None:
        self._connection.close()


def main() -> int:
    url, prefix, service, ledger, events_per_s, seed = sys.argv[1:]
    stop, rng, tally = stop_on_signals(), random.Random(int(seed)), Counter[str]()
    producer = Producer(
        service=service,
        url=url,
        prefix=prefix,
        max_events=MAX_EVENTS,
        max_backlog_bytes=MAX_BACKLOG_BYTES,
        ship_every_ms=50,
        sample_process=False,
        connect=lambda: TalliedServer(url, tally),
    )
    began, written = time.monotonic(), 0
    with Path(ledger).open("wb") as book:
        while not stop.wait(max(0.0, began + written / float(events_per_s) - time.monotonic())):
            for _ in range(BURST):
                record_one(producer, book, rng)
            written += BURST
    producer.close(CLOSE_S)
    stats = producer.stats()
    figures = {"written": written, "recorded": stats.recorded, "shipped": stats.shipped, "lost": stats.lost}
    Path(f"{ledger}.json").write_text(json.dumps(figures | tally))
    return 0


if __name__ == "__main__":
    sys.exit(main())
