"""What retention costs: memory figures compared with the truth, the account of entries, and the bytes of closed panes.

    python benchmarks/retention_cost.py [--entries 100000] [--seconds 60]

Servers of its own, on loopback. Prints MEMORY USAGE next to the growth of ``used_memory``, for a stream and for blocks
of panes; the server's time for one call of ``baro_retain_1`` and for weighing one block; and what the panes of a
service take per series and pane at each step.
"""

import argparse
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path

from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value
from barograph_core.server.replies import as_hash, as_int, as_text
from barograph_core.store.usage import parse_store

sys.path.append(str(Path(__file__).parents[1]))
from tests.support import append, request_batch, valkey_server
from tests.unit.aggregator.test_aggregator import Pipeline

_CALLS = 100
_NOTHING_SEEN: tuple[Value, ...] = ("0-0", 0, 0, 0, 0, 0, 0)


def used(connection: Connection) -> int:
    lines = as_text(connection.command("INFO", "memory")).splitlines()
    return int(next(line for line in lines if line.startswith("used_memory:")).partition(":")[2])


def server_us(connection: Connection, work: Callable[[], object]) -> float:
    """Return the server's own time for one function call, in µs."""
    connection.command("CONFIG", "RESETSTAT")
    for _ in range(_CALLS):
        work()
    lines = as_text(connection.command("INFO", "commandstats")).splitlines()
    line = next(line for line in lines if line.startswith("cmdstat_fcall:"))
    return float(line.partition("usec_per_call=")[2].partition(",")[0])


def print_stream(connection: Connection, entries: int) -> None:
    keys, before = ShardKeys(prefix="stream"), used(connection)
    for first in range(0, entries, 1_000):
        connection.pipeline(
            [("XADD", keys.events, "*", "n", 5, "data", os.urandom(400)) for _ in range(first, first + 1_000)]
        )
    grown = used(connection) - before
    told = as_int(connection.command("MEMORY", "USAGE", keys.events, "SAMPLES", 50))
    print(f"stream of {entries:,} entries: MEMORY USAGE {told / grown - 1:+.1%} of what the server grew by")
    connection.command("XGROUP", "CREATE", keys.events, "aggregator", "$")
    connection.command("HSET", keys.progress, "committed", entries)
    args: list[Value] = ["aggregator", 3_600_000, 10**12, 100, *_NOTHING_SEEN]
    idle = server_us(connection, lambda: connection.call("baro_retain_1", [keys.events, keys.progress], args))
    print(f"baro_retain_1 with nothing to do: {idle:.0f} µs of the server")


def print_blocks(connection: Connection, panes: int, pane_bytes: int, blocks: int) -> None:
    keys, before = ShardKeys(prefix=f"blocks{panes}-{pane_bytes}"), used(connection)
    names = [keys.panes("ranker", 1_000, number) for number in range(blocks)]
    for name in names:
        items = [(str(at), os.urandom(pane_bytes), f"r{at}", "0", f"m{at}", "0") for at in range(panes)]
        connection.command("HSET", name, *(value for item in items for value in item))
    grown = used(connection) - before
    told = sum(as_int(connection.command("MEMORY", "USAGE", name, "SAMPLES", 0)) for name in names)
    members = [f"ranker:1000:{number}" for number in range(blocks)]
    call = [keys.store, keys.weights, *names]
    weighing = server_us(connection, lambda: connection.call("baro_weigh_1", call, [0, *members])) / blocks
    print(
        f"blocks of {panes} panes of {pane_bytes:,} B: MEMORY USAGE {told / grown - 1:+.1%}, "
        f"lengths {blocks * panes * pane_bytes / grown - 1:+.1%}, weighing {weighing:.0f} µs a block"
    )


def print_panes(connection: Connection, series: int, events: int, seconds: int) -> None:
    """Commit and close ``seconds`` of one service and tell what was weighed; every series has ``events`` a second."""
    pipeline, chance = Pipeline(connection=connection, series_cap=10 * series), random.Random(1)
    begin, seq = pipeline.now_ms() // 60_000 * 60_000 - 240_000, 0
    for second in range(seconds + 10):
        for first in range(0, series * events, 1_000):
            rows = [
                (begin + second * 1_000 + at % 1_000, f"/{at % series}", 200, chance.lognormvariate(2, 1))
                for at in range(first, min(first + 1_000, series * events))
            ]
            seq += 1
            append(connection, pipeline.keys, request_batch(rows, seq=seq), seq=seq)
        pipeline.handler.handle(pipeline.read(), is_redelivered=False)
    for tick in range(8):
        pipeline.handler.tick(pipeline.now_ms() + tick * 1_100)
    store = parse_store(as_hash(connection.command("HGETALL", pipeline.keys.store)))
    panes = {step.step_ms: len(range(0, (seconds + 10) * 1_000, step.step_ms)) for step in store.steps}
    panes[60_000] = (seconds + 10) // 60
    shown = ", ".join(f"{step.bytes / panes[step.step_ms] / series:.0f} B at {step.step_ms} ms" for step in store.steps)
    print(f"{series:,} series, {events} events a second each: {shown}, a series and pane")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    with valkey_server() as url:
        connection = Connection.open(url)
        ensure_library(connection)
        print_stream(connection, options.entries)
        for panes, pane_bytes, blocks in ((10, 200, 200), (10, 2_000, 200), (60, 2_000, 200), (60, 100_000, 10)):
            print_blocks(connection, panes, pane_bytes, blocks)
        connection.close()
    for series, events in ((1_000, 1), (1_000, 10), (100, 100)):
        with valkey_server() as url:
            connection = Connection.open(url)
            ensure_library(connection)
            print_panes(connection, series, events, options.seconds)
            connection.close()


if __name__ == "__main__":
    main()
