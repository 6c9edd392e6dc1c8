"""One producer process of a chaos test: records events at a pace and writes each into its ledger first.

Usage: load_process.py URL PREFIX SERVICE LEDGER EVENTS SECONDS SEED
Ends when all are recorded, or some seconds after SIGTERM; by 0 if everything recorded was shipped. Uses the public API
only, so that a producer of another release can run it too.
"""

import math
import random
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from barograph_producer import Producer
from tests.chaos.ledger import ROUTES, write_record

BURST_EVERY_S = 10.0
BURST_S = 4.0
# No failures at the end of a load, so that an alert resolves: without data it would go on firing for minutes.
CALM_S = 5.0


def record_one(producer: Producer, book: BinaryIO, rng: random.Random, *, is_calm: bool = False) -> None:
    """Record one request, and write it into the ledger first."""
    route = rng.randrange(len(ROUTES))
    # All processes fail together for some seconds of every ten, so that alerts fire and resolve.
    is_burst = not is_calm and time.time() % BURST_EVERY_S < BURST_S
    status = 503 if is_burst and rng.random() < 0.3 else rng.choice((200, 200, 200, 201, 404))
    duration_ms = rng.lognormvariate(3.0, 1.0)
    write_record(book, route, status, duration_ms)
    producer.request(route=ROUTES[route], method="GET", status=status, duration_ms=duration_ms)


def main() -> int:
    url, prefix, service, ledger, events, seconds, seed = sys.argv[1:]
    rng = random.Random(int(seed))
    producer = Producer(service=service, url=url, prefix=prefix, ship_every_ms=50, sample_process=False)
    total, began, is_told = int(events), time.monotonic(), threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        is_told.set()

    signal.signal(signal.SIGTERM, stop)
    recorded, pace_s, pause = 0, float(seconds) / total, threading.Event()
    calm = math.ceil(CALM_S / pace_s)
    with Path(ledger).open("wb") as book:
        while recorded < total:
            if is_told.is_set():
                is_told.clear()
                total = min(total, recorded + calm)
            record_one(producer, book, rng, is_calm=recorded >= total - calm)
            if recorded % 50 == 0:
                pause.wait(max(0.0, began + recorded * pace_s - time.monotonic()))
            recorded += 1
    producer.close()
    stats = producer.stats()
    print(stats, flush=True)
    return 0 if stats.shipped == recorded else 1


if __name__ == "__main__":
    sys.exit(main())
