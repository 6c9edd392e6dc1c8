"""What one recorded event costs the thread that records it, next to a plain append and what others would use.

Peers: prometheus_client (also in its multiprocess mode, which needs a process of its own), the OpenTelemetry SDK,
the DogStatsD client and statsd over UDP to a local socket. One that is not installed is skipped. The other cases
run in the same process, in turns, many times; the figures are medians, net of the loop, and the promise is about
the ratios: nanoseconds depend on the machine. Nothing of ours is shipped while a case is timed.

Then the same cases one call at a time, 500 calls a second, with the shipping thread running: an API with few requests
finds the caches cold, and its calls must take no longer way than those of a busy one.

    python benchmarks/caller_cost.py [--events 20000] [--rounds 51] [--paced-s 10] [--json]
"""

# Only the buffers tell the caller's side from the shipper's.
# pyright: reportPrivateUsage=false

import argparse
import gc
import importlib.util
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from barograph_core.errors import StreamUnavailableError
from barograph_producer import Producer

REQUEST_LIMIT = 2.6
BOUND_LIMIT = 1.7
PROMETHEUS_LIMIT = 14.0
PROMETHEUS_BOUND_LIMIT = 8.0
OPEN_TELEMETRY_LIMIT = 28.0
PACED_LIMIT = 4.0
PACED_RATE = 500
LABELLED = "prometheus_client labels(), histogram + counter"
Loop = Callable[[int], None]


@dataclass(frozen=True)
class Case:
    """A loop that records so many events, and what to do after it."""

    name: str
    loop: Loop
    clean_up: Callable[[], object] = lambda: None


def nowhere() -> object:
    raise StreamUnavailableError("unreachable", "the benchmark ships nothing")


def empty_loop(events: int) -> None:
    for _ in range(events):
        pass


def append_cases() -> Iterator[Case]:
    rows: list[object] = []
    append = rows.append

    def record(route: str, method: str, status: int, duration_ms: float) -> None:
        append((route, method, status, duration_ms))

    def positional(events: int) -> None:
        for _ in range(events):
            record("/predict", "POST", 200, 12.5)

    def named(events: int) -> None:
        for _ in range(events):
            record(route="/predict", method="POST", status=200, duration_ms=12.5)

    yield Case("append a tuple", positional, rows.clear)
    yield Case("append a tuple, named arguments", named, rows.clear)


def producer_cases(producer: Producer, clean_up: Callable[[], object]) -> Iterator[Case]:
    request, observe, model = producer.request, producer.observe, producer.model
    bound = producer.bind_request("/predict", "POST", 200)

    def request_positional(events: int) -> None:
        for _ in range(events):
            request("/predict", "POST", 200, 12.5)

    def request_named(events: int) -> None:
        for _ in range(events):
            request(route="/predict", method="POST", status=200, duration_ms=12.5)

    def request_bound(events: int) -> None:
        for _ in range(events):
            bound(12.5)

    def model_named(events: int) -> None:
        for _ in range(events):
            model(model="ctr", version="7", latency_ms=8.1, confidence=0.72, prediction=0.31)

    def observe_named(events: int) -> None:
        for _ in range(events):
            observe("queue_length", 7.0, queue="fast")

    yield Case("request", request_positional, clean_up)
    yield Case("request, named arguments", request_named, clean_up)
    yield Case("request, pre-bound", request_bound, clean_up)
    yield Case("model", model_named, clean_up)
    yield Case("observe", observe_named, clean_up)


def prometheus_cases() -> Iterator[Case]:
    """The same information with prometheus_client: a histogram of the duration and a count by status."""
    from prometheus_client import CollectorRegistry, Counter, Histogram

    registry = CollectorRegistry()
    duration = Histogram("duration_seconds", "d", ["route", "method"], registry=registry)
    requests = Counter("requests", "r", ["route", "method", "status"], registry=registry)
    bound_duration, bound_requests = duration.labels("/predict", "POST"), requests.labels("/predict", "POST", "200")

    def labelled(events: int) -> None:
        for _ in range(events):
            duration.labels("/predict", "POST").observe(0.0125)
            requests.labels("/predict", "POST", "200").inc()

    def labelled_histogram(events: int) -> None:
        for _ in range(events):
            duration.labels("/predict", "POST").observe(0.0125)

    def bound(events: int) -> None:
        for _ in range(events):
            bound_duration.observe(0.0125)
            bound_requests.inc()

    def bound_histogram(events: int) -> None:
        for _ in range(events):
            bound_duration.observe(0.0125)

    yield Case(LABELLED, labelled)
    yield Case("prometheus_client labels(), histogram only", labelled_histogram)
    yield Case("prometheus_client bound, histogram + counter", bound)
    yield Case("prometheus_client bound, histogram only", bound_histogram)


def open_telemetry_cases() -> Iterator[Case]:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    meter = MeterProvider([InMemoryMetricReader()]).get_meter("benchmark")
    duration = meter.create_histogram("http.server.request.duration", unit="ms")

    def recorded(events: int) -> None:
        for _ in range(events):
            duration.record(
                12.5, {"http.route": "/predict", "http.request.method": "POST", "http.response.status_code": 200}
            )

    yield Case("OpenTelemetry SDK, histogram", recorded)


def statsd_cases() -> Iterator[Case]:
    """Clients that send, to a local socket no one reads, as they do when their agent is slow."""
    sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sink.bind(("127.0.0.1", 0))
    port: int = sink.getsockname()[1]
    if is_installed("datadog"):
        from datadog.dogstatsd.base import DogStatsd

        dog = DogStatsd(host="127.0.0.1", port=port, disable_buffering=False, disable_telemetry=True)

        def dogstatsd(events: int) -> None:
            for _ in range(events):
                dog.distribution("request.duration", 12.5, tags=["route:/predict", "method:POST", "status:200"])

        yield Case("DogStatsD client, buffered", dogstatsd)
    if is_installed("statsd"):
        from statsd import StatsClient  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]  # ships none

        client = StatsClient("127.0.0.1", port)

        def statsd(events: int) -> None:
            for _ in range(events):
                client.timing("request.predict.POST.200", 12.5)

        yield Case("statsd over UDP", statsd)


def peer_cases() -> Iterator[Case]:
    for module, cases in (("prometheus_client", prometheus_cases), ("opentelemetry.sdk", open_telemetry_cases)):
        if is_installed(module):
            yield from cases()
        else:
            print(f"skipped: {module} is not installed")
    for module in ("datadog", "statsd"):
        if not is_installed(module):
            print(f"skipped: {module} is not installed")
    yield from statsd_cases()


def is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def multiprocess_medians(events: int, rounds: int) -> dict[str, float]:
    """Measure prometheus_client in its multiprocess mode, which a variable at its import decides."""
    if not is_installed("prometheus_client"):
        return {}
    with tempfile.TemporaryDirectory() as folder:
        arguments = [sys.executable, __file__, "--multiprocess", "--events", str(events), "--rounds", str(rounds)]
        output = subprocess.run(  # ourselves
            arguments,
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": folder},
        ).stdout
    medians: dict[str, float] = json.loads(output)
    return {
        name.replace("prometheus_client", "prometheus_client multiprocess"): ns
        for name, ns in medians.items()
        if "counter" in name
    }


@contextmanager
def quiet_producer(events: int) -> Generator[tuple[Producer, Callable[[], object]]]:
    """Make a producer whose thread has ended and whose buffers are open: what is left is the caller's side."""
    producer = Producer("benchmark", max_events=events + 1, sample_process=False, connect=nowhere)  # type: ignore[arg-type]
    producer.pause(0)
    buffers = producer._buffers.values()
    for buffer in buffers:
        buffer.open()

    def clean_up() -> None:
        for buffer in buffers:
            buffer.records.clear()

    yield producer, clean_up
    for buffer in buffers:
        buffer.shut()
    producer.close(0)


def measure(cases: list[Case], events: int, rounds: int) -> dict[str, float]:
    """Return each case's median ns per event, net of the empty loop of its round."""
    spans: dict[str, list[float]] = {case.name: [] for case in cases}
    for _ in range(rounds):
        base_ns = time_loop(Case("empty", empty_loop), events)
        for case in cases:
            spans[case.name].append((time_loop(case, events) - base_ns) / events)
    return {name: statistics.median(values) for name, values in spans.items()}


@contextmanager
def unreachable_producer() -> Generator[Producer]:
    """Make a producer whose thread runs and makes its passes, and whose server is away."""
    producer = Producer("benchmark", sample_process=False, connect=nowhere)  # type: ignore[arg-type]
    producer.start()
    yield producer
    producer.close(0)


def measure_paced(cases: list[Case], seconds: float) -> dict[str, float]:
    """Return each case's median ns of a single call, net of the empty loop. The calls come one at a time, in turns."""
    timed = [Case("empty", empty_loop), *cases]
    spans: dict[str, list[int]] = {case.name: [] for case in timed}
    start_s = time.perf_counter()
    for number in range(int(seconds * PACED_RATE)):
        time.sleep(max(0.0, start_s + number / PACED_RATE - time.perf_counter()))
        case = timed[number % len(timed)]
        start_ns = time.perf_counter_ns()
        case.loop(1)
        spans[case.name].append(time.perf_counter_ns() - start_ns)
    medians = {name: statistics.median(values) for name, values in spans.items()}
    base_ns = medians.pop("empty")
    return {name: median - base_ns for name, median in medians.items()}


def time_loop(case: Case, events: int) -> int:
    gc.collect(0)
    start_ns = time.perf_counter_ns()
    case.loop(events)
    span_ns = time.perf_counter_ns() - start_ns
    case.clean_up()
    return span_ns


def report(medians: dict[str, float], paced: dict[str, float]) -> bool:
    plain, named = medians["append a tuple"], medians["append a tuple, named arguments"]
    print(f"{platform.python_implementation()} {platform.python_version()}, medians, net of the loop\n")
    print(f"{'case':<64}{'ns':>8}{'x append':>10}{'x request':>11}")
    for name, ns in medians.items():
        print(f"{name:<64}{ns:>8.0f}{ns / plain:>10.2f}{ns / medians['request']:>11.2f}")
    checks = {
        f"request ≤ {REQUEST_LIMIT} x append": medians["request"] / plain <= REQUEST_LIMIT,
        f"request ≤ {REQUEST_LIMIT} x append, both named": medians["request, named arguments"] / named <= REQUEST_LIMIT,
        f"pre-bound ≤ {BOUND_LIMIT} x append": medians["request, pre-bound"] / plain <= BOUND_LIMIT,
    }
    peers = (
        ("request", PROMETHEUS_LIMIT, LABELLED),
        ("request, pre-bound", PROMETHEUS_BOUND_LIMIT, "prometheus_client bound, histogram + counter"),
        ("request", OPEN_TELEMETRY_LIMIT, "OpenTelemetry SDK, histogram"),
    )
    for ours, limit, peer in peers:
        if peer in medians:
            checks[f"{ours} ≤ 1/{limit:.0f} of {peer}"] = medians[peer] / medians[ours] >= limit
    if paced:
        print(f"\n{f'one call at a time, {PACED_RATE} calls a second':<64}{'ns':>8}{'x append':>10}{'x request':>11}")
        for name, ns in paced.items():
            print(f"{name:<64}{ns:>8.0f}{ns / paced['append a tuple']:>10.2f}{ns / paced['request']:>11.2f}")
    if LABELLED in paced:
        checks[f"request alone ≤ 1/{PACED_LIMIT:.0f} of {LABELLED}"] = paced[LABELLED] / paced["request"] >= PACED_LIMIT
    print()
    for promise, holds in checks.items():
        print(f"{'kept  ' if holds else 'BROKEN'}  {promise}")
    return all(checks.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000, help="per loop")
    parser.add_argument("--rounds", type=int, default=51)
    parser.add_argument("--paced-s", type=float, default=10.0, help="seconds of calls one at a time; 0 leaves them out")
    parser.add_argument("--json", action="store_true", help="print the medians as JSON and judge nothing")
    parser.add_argument("--multiprocess", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.multiprocess:
        print(json.dumps(measure(list(prometheus_cases()), args.events, args.rounds)))
        return 0
    with quiet_producer(args.events) as (producer, clean_up):
        cases = [*append_cases(), *producer_cases(producer, clean_up), *peer_cases()]
        medians = measure(cases, args.events, args.rounds)
    medians |= multiprocess_medians(args.events, max(1, args.rounds // 5))
    paced: dict[str, float] = {}
    if args.paced_s:
        with unreachable_producer() as producer:
            cases = [*append_cases(), *producer_cases(producer, lambda: None), *peer_cases()]
            paced = measure_paced(cases, args.paced_s)
    if args.json:
        rounded = [{name: round(ns, 1) for name, ns in of.items()} for of in (medians, paced)]
        print(json.dumps({"in a loop": rounded[0], "one at a time": rounded[1]}))
        return 0
    return 0 if report(medians, paced) else 1


if __name__ == "__main__":
    sys.exit(main())
