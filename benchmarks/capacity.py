"""What 1, 2 and 4 aggregator processes carry on this machine, and by a model what servers carry.

A log of some seconds is read, committed, closed and rolled up by real aggregators that begin at one moment; its entries
have the ids and the events the times they would have had live. Server CPU per event, of appending and of all the rest,
is measured; the model is below, and printed with its figures.

Usage: python benchmarks/capacity.py [--rate 100000] [--seconds 30] [--series 100] [--runs 3]
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil
import redis
from throughput import INSTANCE, make_batch, server, unread

from barograph_core.events.encode import entry_fields
from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import AGGREGATOR_GROUP, ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_list

PROCESSES = (1, 2, 4)
PER_ENTRY = (500, 50)
# Of one call, as producers make it: eight batches under load, one of a calm producer.
BATCHES_A_CALL = {500: 8, 50: 1}
# A server that is busier makes everybody wait for it.
BUSY = 0.7
SHARDS = 16
IDLE_S = 5.0
BOUND_S = 300.0


@dataclass(frozen=True)
class Carried:
    """What the aggregators did with one log.

    Attributes:
        committed_s: From their begin to the last commit.
        client_us: CPU of all aggregators an event, closing included.
        server_us: CPU of the server an event, likewise.
        idle_percent: CPU of the server while they have nothing to do, in percent of a core.
        stream_bytes: Of the log, an event.
        shares: The part of the events that each process committed.
    """

    committed_s: float
    client_us: float
    server_us: float
    idle_percent: float
    stream_bytes: float
    shares: list[float]


def cpu_s(processes: list[psutil.Process]) -> float:
    return sum(times.user + times.system for times in (process.cpu_times() for process in processes))


def write_log(client: "redis.Redis", keys: ShardKeys, options: argparse.Namespace, per_entry: int) -> int:
    """Write what would have come in the last seconds, and return how many events."""
    began_ms = time.time_ns() // 1_000_000 - (options.seconds + 60) * 1_000
    entries = options.rate * options.seconds // per_entry
    pipe = client.pipeline(transaction=False)
    for entry in range(entries):
        times = [began_ms + (entry * per_entry + at) * 1_000 // options.rate for at in range(per_entry)]
        batch = make_batch(times, options.series, seed=entry)
        fields: dict[Any, Any] = dict(
            entry_fields(batch, service="ranker", instance=INSTANCE, seq=entry + 1, through_ms=0)
        )
        # The number keeps ids apart: many entries have the same ms.
        pipe.xadd(keys.events, fields, id=f"{times[-1] + 1}-{entry + 1}")
        if entry % 1_000 == 999:
            pipe.execute()
    pipe.execute()
    return entries * per_entry


def wait_for(is_done: Any, what: str) -> None:
    deadline, pause = time.monotonic() + BOUND_S, threading.Event()
    while not is_done():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} took more than {BOUND_S:.0f} s")
        pause.wait(0.01)


@contextmanager
def frozen_aggregators(url: str, count: int) -> Iterator[list[psutil.Process]]:
    """Start aggregators and freeze them once they are ready."""
    command = [sys.executable, "-m", "barograph_aggregator", "--url", url, "--log-level", "error", "--no-self-panes"]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(count)]
    try:
        for process in started:
            assert process.stdout is not None
            process.stdout.readline()
        for process in started:
            os.kill(process.pid, signal.SIGSTOP)
        yield [psutil.Process(process.pid) for process in started]
    finally:
        for process in started:
            os.kill(process.pid, signal.SIGCONT)
            process.terminate()
        for process in started:
            process.wait(20)


def carry(options: argparse.Namespace, per_entry: int, count: int) -> Carried:
    with server() as (url, served):
        connection, client, keys = Connection.open(url), redis.Redis.from_url(url), ShardKeys()
        ensure_library(connection)
        client.xgroup_create(keys.events, AGGREGATOR_GROUP, "0", mkstream=True)
        with frozen_aggregators(url, count) as aggregators:
            events = write_log(client, keys, options, per_entry)
            stream_bytes = client.memory_usage(keys.events, samples=50)
            client_s, server_s, began = cpu_s(aggregators), cpu_s([served]), time.perf_counter()
            for process in aggregators:
                process.resume()
            wait_for(
                lambda: (
                    not unread(connection, keys)
                    and not as_list(connection.command("XPENDING", keys.events, AGGREGATOR_GROUP))[0]
                ),
                "the log",
            )
            took = time.perf_counter() - began
            wait_for(lambda: not connection.command("ZCARD", keys.open), "closing")
            client_s, server_s = cpu_s(aggregators) - client_s, cpu_s([served]) - server_s
            idle_s = cpu_s([served])
            threading.Event().wait(IDLE_S)
            idle_s = cpu_s([served]) - idle_s
            committed = [
                int(client.hget(key, "events_committed") or 0)
                for key in client.scan_iter(f"{keys.events[:-6]}worker:*")
            ]
    whole = sum(committed) or 1
    return Carried(
        took,
        client_s / events * 1e6,
        server_s / events * 1e6,
        idle_s / IDLE_S * 100,
        stream_bytes / events,
        sorted(made / whole for made in committed),
    )


def append_us(options: argparse.Namespace, per_entry: int) -> float:
    """Return the server's CPU an event for appending as producers do."""
    with server() as (url, served):
        connection, keys, batches = Connection.open(url), ShardKeys(), BATCHES_A_CALL[per_entry]
        ensure_library(connection)
        times = [time.time_ns() // 1_000_000] * per_entry
        batch = make_batch(times, options.series, seed=1)
        calls = max(200, 400_000 // (per_entry * batches))
        used = [keys.events, keys.sequence(INSTANCE), keys.producers("ranker"), keys.epoch, keys.producer(INSTANCE)]
        before = cpu_s([served])
        for call in range(calls):
            seq = call * batches + 1
            flat: list[Any] = []
            for number in range(batches):
                fields = entry_fields(batch, service="ranker", instance=INSTANCE, seq=seq + number, through_ms=times[0])
                flat += [item for pair in fields.items() for item in pair]
            reply = connection.call(
                "baro_append_1",
                used,
                ["0", INSTANCE, seq, seq - 1, "ranker", times[0], "batch", "", batches, *flat],
            )
            assert as_list(reply)[0] == b"ok", reply
        return (cpu_s([served]) - before) / (calls * batches * per_entry) * 1e6


def median(runs: list[Carried]) -> Carried:
    figures = [
        statistics.median(getattr(run, name) for run in runs)
        for name in ("committed_s", "client_us", "server_us", "idle_percent", "stream_bytes")
    ]
    return Carried(*figures, shares=runs[-1].shares)


def show_model(append: float, carried: Carried) -> None:
    """Print what servers carry: their busy share of a core, less what idle shards take, by the CPU of an event."""
    event_us = append + carried.server_us

    def events_per_s(servers: int) -> float:
        idle = carried.idle_percent / 100 * max(1, SHARDS / servers if servers > 1 else 1)
        return servers * (BUSY - idle) / event_us * 1e6

    print(
        f"  model: {append:.3f} µs of a server to append an event, {carried.server_us:.3f} to read, commit and close it"
    )
    for name, servers in (
        ("one server, one shard", 1),
        (f"{SHARDS} shards on 3", 3),
        (f"{SHARDS} on {SHARDS}", SHARDS),
    ):
        rate = events_per_s(servers)
        cores, mb = carried.client_us * rate / 1e6, carried.stream_bytes * rate / 1e6
        print(f"  {name}: {rate:,.0f} events/s with {cores:,.1f} cores of aggregators; the log grows {mb:,.0f} MB/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=100_000, help="events a second in the log")
    parser.add_argument("--seconds", type=int, default=30, help="length of the log")
    parser.add_argument("--series", type=int, default=100)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    print(f"{options.seconds} s of {options.rate:,} events/s, {options.series} series, {os.cpu_count()} cores")
    for per_entry in PER_ENTRY:
        print(f"\n{per_entry} events an entry")
        print(
            f"{'processes':>9} {'events/s':>12} {'to one':>6} {'client µs':>10} {'server µs':>10} {'idle %':>7} shares"
        )
        append = statistics.median(append_us(options, per_entry) for _ in range(options.runs))
        found: dict[int, list[Carried]] = {count: [] for count in PROCESSES}
        for _ in range(options.runs):
            for count in PROCESSES:
                found[count].append(carry(options, per_entry, count))
        events = options.rate * options.seconds
        one = median(found[1])
        for count, runs in found.items():
            row = median(runs)
            shares = " ".join(f"{share:.0%}" for share in row.shares)
            print(
                f"{count:9} {events / row.committed_s:12,.0f} {one.committed_s / row.committed_s:6.2f} "
                f"{row.client_us:10.3f} {row.server_us:10.3f} {row.idle_percent:7.2f}  {shares}"
            )
        show_model(append, one)


if __name__ == "__main__":
    main()
