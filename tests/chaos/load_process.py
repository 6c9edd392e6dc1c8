"""One producer process of the exactness test: records events at a pace and writes each into its ledger first.

Usage: load_process.py URL PREFIX SERVICE LEDGER EVENTS SECONDS SEED
"""

import random
import sys
import threading
import time
from pathlib import Path
from typing import BinaryIO

from barograph_producer import Producer
from tests.chaos.ledger import ROUTES, write_record

BURST_EVERY_S = 10.0
BURST_S = 4.0


def record_one(producer: Producer, book: BinaryIO, rng: random.Random) -> None:
    """Record one request, and write it into the ledger first."""
    route = rng.randrange(len(ROUTES))
    # All processes fail together for some seconds of every ten, so that alerts fire and resolve.
    is_burst = time.time() % BURST_EVERY_S < BURST_S
    status = 503 if is_burst and rng.random() < 0.3 else rng.choice((200, 200, 200, 201, 404))
    duration_ms = rng.lognormvariate(3.0, 1.0)
    write_record(book, route, status, duration_ms)
    producer.request(route=ROUTES[route], method="GET", status=status, duration_ms=duration_ms)


def main() -> int:
    url, prefix, service, ledger, events, seconds, seed = sys.argv[1:]
    rng = random.Random(int(seed))
    producer = Producer(service=service, url=url, prefix=prefix, ship_every_ms=50, sample_process=False)
    total, began, pace = int(events), time.monotonic(), threading.Event()
    with Path(ledger).open("wb") as book:
        for number in range(total):
            record_one(producer, book, rng)
            if number % 50 == 0:
                pace.wait(max(0.0, began + number / total * float(seconds) - time.monotonic()))
    producer.close()
    stats = producer.stats()
    print(stats, flush=True)
    return 0 if stats.shipped == total else 1


if __name__ == "__main__":
    sys.exit(main())
