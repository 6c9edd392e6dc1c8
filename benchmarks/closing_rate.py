"""How many panes a second one aggregator closes, all its time given to that, roll-ups included.

    python benchmarks/closing_rate.py [--services 100] [--seconds 20] [--parts 2] [--series 10] [--foreign]

A server of its own, on loopback; parts as commits leave them; every step of the default ``keep`` that becomes due.
The parts are this worker's own, as with one aggregator; with ``--foreign`` others committed them, and it reads them.
Prints panes of the base step per second of wall time, and CPU of client and server per pane.
"""

import argparse
import random
import sys
import time
from pathlib import Path

from barograph_aggregator.close.closer import Closer
from barograph_aggregator.close.pane_memory import PaneMemory
from barograph_aggregator.settings import AggregatorSettings
from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.panes.pane import Pane
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_int, as_text
from barograph_core.steps import DEFAULT_KEEP, parse_keep
from barograph_core.store.parts import marked
from barograph_core.workers.counters import WorkerCounters

sys.path.append(str(Path(__file__).parents[1]))
from tests.batches import decoded, panes_by_start, request
from tests.support import valkey_server

_BLOBS = 20
_AT_ONCE = 500


def make_blobs(start_ms: int, series: int, events: int) -> list[bytes]:
    """Return packed partial panes, each of ``events`` requests over ``series`` routes."""
    chance = random.Random(1)
    blobs: list[bytes] = []
    for _ in range(_BLOBS):
        drawn = [
            request(
                start_ms + chance.randrange(1_000),
                chance.lognormvariate(3, 1),
                f"/route{number % series}",
                200 if chance.random() < 0.95 else 500,
            )
            for number in range(events)
        ]
        blobs += [pane.pack() for pane in panes_by_start([decoded("request", drawn)], 1_000).values()]
    return blobs


def fill(connection: Connection, keys: ShardKeys, start_ms: int, options: argparse.Namespace) -> PaneMemory:
    """Push the parts of every service's every second; return what the worker that committed them remembers."""
    blobs, memory = make_blobs(start_ms, options.series, options.events), PaneMemory()
    for blob in () if options.foreign else blobs:
        memory.put(blob, Pane.unpack(blob))
    commands: list[list[str | int | bytes]] = []
    for second in range(options.seconds):
        for service in range(options.services):
            name, start = f"service{service}", start_ms + second * 1_000
            parts = [marked(blobs[(service + part) % _BLOBS]) for part in range(options.parts)]
            commands.append(["RPUSH", keys.parts(name, start), *parts])
            commands.append(["ZADD", keys.open, start + 1_000, f"{name}:1000:{start}"])
    for at in range(0, len(commands), _AT_ONCE):
        connection.pipeline(commands[at : at + _AT_ONCE])
    return memory


def server_cpu_s(connection: Connection) -> float:
    facts = as_text(connection.command("INFO", "cpu"))
    wanted = ("used_cpu_user", "used_cpu_sys")
    return sum(float(line.split(":")[1]) for line in facts.splitlines() if line.split(":")[0] in wanted)


def measure(url: str, options: argparse.Namespace) -> str:
    """Close everything and say how long it took."""
    connection, keys, counters = Connection.open(url), ShardKeys(), WorkerCounters()
    ensure_library(connection)
    start_ms = (int(time.time()) // 60 - 5) * 60_000
    memory = fill(connection, keys, start_ms, options)
    closer = Closer(connection, keys, AggregatorSettings(), parse_keep(DEFAULT_KEEP), counters, memory=memory)
    server, client, began = server_cpu_s(connection), time.process_time(), time.perf_counter()
    while as_int(connection.command("ZCARD", keys.open)):
        closer.advance(start_ms + 60_000)
    closer.advance(start_ms + 60_000)
    took_s, client_s = time.perf_counter() - began, time.process_time() - client
    server_s = server_cpu_s(connection) - server
    panes = options.services * options.seconds
    rolled_up = counters["panes_closed"] - panes
    return (
        f"{panes} panes ({options.parts} parts, {options.series} series) and {rolled_up} roll-ups in {took_s:.2f} s:"
        f" {panes / took_s:,.0f} panes/s; CPU per pane {client_s / panes * 1e6:,.0f} us client, "
        f"{server_s / panes * 1e6:,.0f} us server"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("services", 100), ("seconds", 20), ("parts", 2), ("series", 10), ("events", 50)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--foreign", action="store_true", help="the parts come from other aggregators")
    options = parser.parse_args()
    with valkey_server() as url:
        print(measure(url, options))


if __name__ == "__main__":
    main()
